"""Segmentation in a window: what is listed, painted, read out, explained and exported, all of a miniature's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QGuiApplication

import main as program
from models.adapters.segmenter import SegmenterAdapter
from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.loading.opened_model import Opened
from viewer import theme
from viewer.canvas.layers import NO_CLASS
from viewer.canvas.painter import pixels_of
from viewer.menus import edit as edit_menu
from viewer.menus import file as file_menu
from viewer.panels.segmentation import SegmentationPanel

NAME = "lraspp_mobilenet_v3_large"
CLASSES = ("__background__", "a", "b", "c")
CAT = Path(__file__).resolve().parents[2] / "assets" / "photos" / "cat.jpg"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Iterator[None]:
    """Have the name of a segmenter open a miniature that sees four classes."""
    torch.manual_seed(0)
    net = SegmenterAdapter.tiny()
    with torch.no_grad():
        net.classifier[4].weight.mul_(20)  # pyright: ignore
    card = Card(NAME, task="segmentation", classes=CLASSES, about={"preprocessing": {"resize": 64, "fit": "whole"}})
    opened = registry.opened

    def small(name: str, context: Any = None) -> Any:
        if not name.startswith(NAME):
            return opened(name, context)
        return SegmenterAdapter(net.eval().requires_grad_(False), card), Opened(net, card)

    monkeypatch.setattr(registry, "opened", small)
    yield
    engine._models.pop(NAME, None)


def panel(one: Any) -> SegmentationPanel:
    return one.panel(SegmentationPanel)


def test_classes_are_listed_and_painted_in_their_colours(desk: Callable[..., Any]) -> None:
    one = desk(CAT, model=NAME)
    wanted = one.direct("segment")
    assert one.window.docks.shown("segment")
    labels, names = wanted.arrays["classes"].tolist(), [CLASSES[i] for i in wanted.arrays["classes"]]
    assert [line[1] for line in panel(one).table.rows.lines] == names
    assert panel(one).summary.text() == f"{len(labels)} of 4 classes, seen at 96 × 64 pixels"
    layer = one.layer("classes")
    assert np.array_equal(layer.labels, wanted.arrays["labels"])
    edit_menu.copy_image(one.window)
    shown = pixels_of(QGuiApplication.clipboard().image())
    pixels, full = one.canvas.pixels, wanted.arrays["labels_full"]
    checked = 0
    for label in labels:
        # In the middle of a class, away from other classes' edges.
        rows, columns = np.nonzero(full == label)
        row, column = int(rows[len(rows) // 2]), int(columns[len(rows) // 2])
        around = full[max(0, row - 3) : row + 4, max(0, column - 3) : column + 4]
        if not (around == label).all():
            continue
        colour = np.array(theme.class_colour(label).getRgb()[:3]) if label else pixels[row, column]
        assert np.abs(shown[row, column] - (pixels[row, column] / 2 + colour / 2)).max() <= 2
        checked += 1
    assert checked


def test_the_pixel_under_the_pointer_is_read_out(desk: Callable[..., Any]) -> None:
    one = desk(CAT, model=NAME)
    result = one.direct("segment")
    height, width = one.canvas.pixels.shape[:2]
    for x, y in ((10.0, 10.0), (width / 2, height / 2), (width - 5.0, height - 9.0)):
        one.hover(x, y)
        label = int(result.arrays["labels_full"][int(y), int(x)])
        sure = result.arrays["probability"][int(y * 64 / height), int(x * 96 / width)]
        assert one.canvas.readout == f"{CLASSES[label]}\n{sure:.1%}"


def test_classes_can_be_hidden_and_faded_and_that_undone(desk: Callable[..., Any]) -> None:
    one = desk(CAT, model=NAME)
    store = one.store
    store.update(store.document.with_view(mask_opacity=0.2), title="Opacity")
    assert one.layer("classes").opacity == 0.2
    store.update(store.document.with_view(masks=False), title="Classes")
    assert one.layer("classes") is None
    one.run("undo")
    assert one.layer("classes") is not None


def test_a_class_that_is_clicked_is_explained(desk: Callable[..., Any]) -> None:
    one = desk(CAT, model=NAME)
    table = panel(one).table
    row = next(number for number, line in enumerate(table.rows.lines) if line[1] != "__background__")
    name = table.rows.lines[row][1]
    table.clicked.emit(table.rows.index(row, 0))
    one.settle()
    assert one.document.target == name
    assert {index.row() for index in table.selectionModel().selectedRows()} == {row}
    one.store.update(one.document.explaining(method="saliency"), title="Saliency")
    one.window.docks.show("attribution")
    one.until(lambda: "attribution" in one.session.results)
    assert one.session.results["attribution"][1].meta["target"] == name
    panel(one).largest.click()
    one.settle()
    assert one.document.target == ""


def test_a_rectangle_is_what_is_explained(desk: Callable[..., Any]) -> None:
    one = desk(CAT, model=NAME)
    one.store.update(one.document.explaining(method="saliency"), title="Saliency")
    one.canvas.region_drawn.emit(QRectF(10, 10, 60, 50))
    one.until(lambda: "attribution" in one.session.results)
    one.settle()
    request, result = one.session.results["attribution"]
    assert request.settings["region"] == "10.0,10.0,70.0,60.0"
    assert result.meta["target"].endswith(" of the rectangle")
    assert any("within the rectangle" in text for text in one.messages)


def test_the_table_is_copied_and_walked_with_keys(desk: Callable[..., Any]) -> None:
    one = desk(CAT, model=NAME)
    table = panel(one).table
    table.setFocus()
    table.setCurrentIndex(table.rows.index(0, 0))
    one.qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t") == ["Class", "Share of the picture", "Mean probability"]
    assert sum(float(line.split("\t")[1]) for line in lines[1:]) == pytest.approx(1.0, abs=1e-5)
    one.qtbot.keyClick(table, Qt.Key.Key_Return)
    assert one.document.target == table.rows.lines[0][1]


def test_the_background_has_no_colour(desk: Callable[..., Any]) -> None:
    table = panel(desk(CAT, model=NAME)).table
    table.take([(0, "__background__", 0.5, 0.9), (1, "a", 0.5, 0.9)], (0,))
    shown = [
        table.rows.data(table.rows.index(row, 0), Qt.ItemDataRole.DecorationRole).pixmap(12).toImage().pixelColor(6, 6)
        for row in range(2)
    ]
    assert [c.rgb() for c in shown] == [theme.class_colour(i).rgb() for i in (NO_CLASS, 1)]


def test_it_is_exported(desk: Callable[..., Any], tmp_path: Path) -> None:
    one = desk(CAT, model=NAME)
    wanted = one.direct("segment")
    (written, _) = file_menu.export_to(one.window, tmp_path / "a.json", "json")
    body = json.loads(written.read_text(encoding="utf-8"))
    assert body["classes"]
    assert np.allclose(body["share"], wanted.arrays["share"], atol=1e-6)
    file_menu.export_to(one.window, tmp_path / "a.png", "png")
    assert (tmp_path / "a.png").is_file()


def test_the_command_line_writes_the_labels(tmp_path: Path) -> None:
    assert program.main(["run", "segment", str(CAT), "--model", NAME, "--out", str(tmp_path)]) == 0
    assert {p.name for p in tmp_path.iterdir() if p.is_file()} == {
        f"cat.segment.{kind}" for kind in ("png", "svg", "json", "npz", "recipe.json")
    }
    with np.load(tmp_path / "cat.segment.npz", allow_pickle=False) as arrays:
        assert arrays["labels"].shape == (64, 96)
        assert arrays["labels_full"].dtype == np.uint8
