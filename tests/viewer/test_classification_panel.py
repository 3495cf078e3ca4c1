"""The classification panel: classes as the network ranks them, the target and its rival, the frame of the input."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot
from torch.nn import functional

from models.pictures.images import read
from models.types import Source
from models.user_code import consent
from tests.viewer.explained import NAMES, PREPROCESSING, classifier, picture
from viewer.panels.classification import ClassificationPanel
from viewer.session.lookup import label_of

Make = Callable[..., Any]


@pytest.fixture
def birds(desk: Make, tmp_path: Path) -> Any:
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    d.window.docks.show("classify")
    return d


def panel(d: Any) -> Any:
    return d.window.panels["classify"]


def labels(d: Any) -> list[int]:
    view = panel(d).ranking
    return [view.label_at(view.rows.index(row)) for row in range(view.rows.rowCount())]


def chances(d: Any) -> np.ndarray:
    """Probabilities worked out apart from the program's own preprocessing: resize, cut, normalise, softmax."""
    pixels = torch.from_numpy(read(Source.file(d.document.source.path)).pixels.copy()).permute(2, 0, 1)[None] / 255
    small = functional.interpolate(pixels, (32, 48), mode="bilinear", antialias=True)[..., 8:40]
    mean, std = (torch.tensor(PREPROCESSING[k]).view(1, 3, 1, 1) for k in ("mean", "std"))
    with torch.no_grad():
        return d.engine.model(d.document.model).net((small - mean) / std)[0].softmax(0).numpy()


def test_classes_are_ranked_by_their_probability(birds: Any) -> None:
    wanted = chances(birds)
    assert labels(birds) == np.argsort(-wanted, kind="stable").tolist()
    rows = panel(birds).ranking.rows
    shown = [rows.entry(row)[2] for row in range(rows.rowCount())]
    assert np.allclose(shown, np.sort(wanted)[::-1], atol=5e-3) and sum(shown) == pytest.approx(1)
    assert panel(birds).summary.text().startswith(NAMES[labels(birds)[0]])


def test_return_and_a_click_make_a_class_the_target(birds: Any, qtbot: QtBot) -> None:
    view = panel(birds).ranking
    view.setFocus()
    view.setCurrentIndex(view.rows.index(0))
    birds.key(Qt.Key.Key_Down)
    birds.key(Qt.Key.Key_Return)
    second = labels(birds)[1]
    assert label_of(birds.document.target, NAMES) == second and view.rows.target == second
    place = view.visualRect(view.rows.index(3)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert label_of(birds.document.target, NAMES) == labels(birds)[3]
    birds.run("undo")
    assert view.rows.target == second
    qtbot.mouseClick(panel(birds).highest, Qt.MouseButton.LeftButton)
    assert birds.document.target == "" and view.rows.target == labels(birds)[0]


@pytest.mark.parametrize("way", ["ctrl", "minus", "key"])
def test_a_class_can_be_set_against_the_target(birds: Any, qtbot: QtBot, way: str) -> None:
    view = panel(birds).ranking
    rect = view.visualRect(view.rows.index(2))
    held = Qt.KeyboardModifier.ControlModifier if way == "ctrl" else Qt.KeyboardModifier.NoModifier
    at = QPoint(rect.right() - 5, rect.center().y()) if way == "minus" else rect.center()
    rival = labels(birds)[2]
    for wanted in (rival, -1):
        if way == "key":
            view.setFocus()
            view.setCurrentIndex(view.rows.index(2))
            birds.key(Qt.Key.Key_Minus)
        else:
            qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, held, at)
        assert view.rows.against == wanted and birds.document.target == ""
    assert birds.document.against == ""


def test_a_class_of_a_name_that_another_has_is_asked_for_by_its_number(birds: Any) -> None:
    panel(birds).ranking.chosen.emit(3)
    assert birds.document.target == "3" and panel(birds).ranking.rows.target == 3
    panel(birds).ranking.chosen.emit(1)
    assert birds.document.target == "bird" and panel(birds).ranking.rows.target == 1


def test_a_search_finds_classes_and_return_takes_the_first(birds: Any, qtbot: QtBot) -> None:
    search = panel(birds).search
    search.setFocus()
    qtbot.keyClicks(search, "BIR")
    assert sorted(labels(birds)) == [1, 3]
    first = labels(birds)[0]
    birds.key(Qt.Key.Key_Return)
    assert label_of(birds.document.target, NAMES) == first
    search.setText("no such")
    assert labels(birds) == [] and "No class" in panel(birds).summary.text()


def test_the_classes_can_be_copied(birds: Any) -> None:
    panel(birds).ranking.setFocus()
    birds.key(Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert len(lines) == len(NAMES) + 1
    name, chance, _ = lines[1].split("\t")
    assert name == NAMES[labels(birds)[0]] and float(chance) == pytest.approx(chances(birds).max(), abs=5e-3)


def test_the_networks_input_is_framed_while_the_panel_is_in_view(birds: Any) -> None:
    frame = birds.layer("network input")
    assert frame.dashed and np.allclose(frame.boxes, [[15, 0, 75, 60]], atol=1)
    birds.window.docks.by_id["classify"].hide()
    birds.until(lambda: birds.layer("network input") is None)


def test_a_detector_is_not_asked_for_classes(desk: Make, pictures: list[Path]) -> None:
    d = desk(pictures[0])
    assert "classify" not in d.session.wanted and not panel(d).isEnabled()
    assert "tells no classes" in d.window.docks.by_id["classify"].toolTip()


def test_outputs_that_the_card_has_no_name_for_are_ranked_with_the_others(desk: Make, tmp_path: Path) -> None:
    d = desk(picture(tmp_path), model=classifier(tmp_path, NAMES[:2]))
    d.window.docks.show("classify")
    assert sorted(labels(d)) == list(range(len(NAMES))) and "class 9" in panel(d).ranking.text


def test_other_values_are_one_click_away(desk: Make, pictures: list[Path], tmp_path: Path) -> None:
    """What the answer would be under each way to scale values is listed, and a click opens the model so."""
    code = tmp_path / "net.py"
    code.write_text("import torch\ndef build():\n    torch.manual_seed(0)\n    return torch.nn.Sequential(")
    with code.open("a") as file:
        file.write("torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())\n")
    consent.allow(code, hashlib.sha256(code.read_bytes()).hexdigest())
    d = desk(pictures[0], model=f"{code}:build")
    d.window.docks.show("classify")
    panel = d.panel(ClassificationPanel)
    d.until(panel.readings.isVisible)
    text = panel.readings.text()
    assert "<b>ImageNet" in text and 'href="caffe_104 bgr"' in text and text.count("%") == 9
    if folder := os.environ.get("VITRINE_SHOTS"):
        d.window.grab().save(f"{folder}/readings.png")
    panel.readings.linkActivated.emit("caffe_104 bgr")
    d.settle()
    assert d.document.model == f"{code}:build?colours=bgr&input=caffe_104"
    d.until(lambda: "<b>Caffe" in panel.readings.text())
    d.session.store.undo()
    d.settle()
    assert d.document.model == f"{code}:build"
