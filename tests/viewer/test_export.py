"""What is exported and copied from the window is what it shows, and replays to the same numbers."""

from __future__ import annotations

import contextlib
import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog

from models import recipe
from models.cards.card import BUNDLED
from models.types import Result
from viewer.canvas.painter import render
from viewer.export.answers import KINDS
from viewer.menus import file as file_menu

SSD = "digits-ssd"
SAMPLE = min((BUNDLED.parent / "samples").glob("*.png"))
Make = Callable[..., Any]


@pytest.fixture
def d(desk: Make) -> Any:
    """A window with one class hidden, another score, and the suppressed boxes shown."""
    made = desk(SAMPLE)
    made.set("score", 0.2)
    made.set("suppressed", True)
    name = made.result.meta["classes"][made.result.arrays["labels"][0]]
    made.store.update(made.document.with_value("detect", hidden=name), title="Hide")
    made.settle()
    return made


def hidden(d: Any) -> str:
    return str(d.document.values("detect")["hidden"])


def test_numbers_are_those_on_screen(d: Any, tmp_path: Path) -> None:
    for kind in ("json", "csv", "coco.json"):
        written = file_menu.export_to(d.window, tmp_path / f"out.{kind}", kind)
        assert [path.name for path in written] == [f"out.{kind}", "out.recipe.json"]
    boxes = d.layer("detections").boxes
    body = json.loads((tmp_path / "out.json").read_text())
    assert [x["box"] for x in body["detections"]] == boxes.tolist()
    assert body["parameters"]["score"] == 0.2 and body["parameters"]["hidden"] == hidden(d)
    assert hidden(d) not in {x["label"] for x in body["detections"]}
    lines = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [[float(x[k]) for k in ("x0", "y0", "x1", "y1")] for x in lines] == boxes.tolist()
    coco = json.loads((tmp_path / "out.coco.json").read_text())
    assert [a["bbox"][:2] for a in coco["annotations"]] == boxes[:, :2].tolist()
    assert coco["images"][0]["file_name"] == SAMPLE.name
    assert "Exported out.json with its recipe." in d.messages


def test_the_recipe_replays_to_what_is_shown(d: Any, tmp_path: Path) -> None:
    file_menu.export_to(d.window, tmp_path / "out.png", "png")
    answer = d.engine.run(recipe.read(tmp_path / "out.recipe.json").request)
    assert isinstance(answer, Result) and d.shows(answer)


def test_the_png_is_the_overlay_at_the_pictures_resolution(d: Any, tmp_path: Path) -> None:
    d.run("anchors-density")
    d.settle()
    file_menu.export_to(d.window, tmp_path / "out.png", "png")
    saved = QImage(str(tmp_path / "out.png"))
    height, width = d.canvas.pixels.shape[:2]
    assert (saved.width(), saved.height()) == (width, height)
    wanted = render(d.canvas.pixels, d.canvas.layers)
    assert saved.convertToFormat(wanted.format()) == wanted
    d.run("boxes")
    d.run("anchors-off")
    file_menu.export_to(d.window, tmp_path / "bare.png", "png")
    bare = QImage(str(tmp_path / "bare.png")).convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(bare.constBits(), np.uint8).reshape(height, bare.bytesPerLine())
    assert np.array_equal(rows[:, : 3 * width].reshape(height, width, 3), d.canvas.pixels)


def test_the_svg_holds_every_shown_label_and_no_hidden_one(d: Any, tmp_path: Path) -> None:
    file_menu.export_to(d.window, tmp_path / "out.svg", "svg")
    words = [t.strip() for t in ET.parse(tmp_path / "out.svg").getroot().itertext() if t.strip()]
    shown = list(d.layer("detections").texts)
    assert sorted(w for w in words if w in shown) == sorted(shown)
    assert not [w for w in words if w.startswith(hidden(d) + " 0.")]


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_written_is_told(d: Any, tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_text("in the way")
    assert file_menu.export_to(d.window, tmp_path / "file" / f"out.{kind}", kind) == []
    (tmp_path / f"taken.{kind}").mkdir()
    assert file_menu.export_to(d.window, tmp_path / f"taken.{kind}", kind) == []
    assert len(d.messages) == 2
    assert d.messages[0].startswith(f"{tmp_path / 'file'} cannot be written (")
    assert d.messages[1].startswith(f"{tmp_path / 'taken'}.{kind} cannot be written (")
    assert all(m.endswith("Choose another name or folder, or make room on the disk.") for m in d.messages)
    assert not (tmp_path / "taken.recipe.json").exists()


@pytest.mark.parametrize("name", ["out.png", "out"])
def test_the_dialog_leads_to_the_file(d: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    asked: list[tuple[Any, ...]] = []

    def answer(*given: Any) -> tuple[str, str]:
        asked.append(given)
        return str(tmp_path / name), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    d.run("export-png")
    assert Path(asked[0][2]).name == f"{SAMPLE.stem}.detect.png"
    assert sorted(p.name for p in tmp_path.glob("out*")) == ["out.png", "out.recipe.json"]
    assert d.window.settings.last_folder == str(tmp_path)


def test_a_dialog_left_without_an_answer_writes_nothing(d: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("getSaveFileName", "getOpenFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_: ("", ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([], ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    before = d.document
    for command in ("export-png", "open", "open-folder", "open-model"):
        d.run(command)
    assert d.messages == [] and d.document == before and not d.session.jobs.busy


def test_copies_are_what_is_shown(d: Any) -> None:
    clipboard = QGuiApplication.clipboard()
    d.run("copy-image")
    assert clipboard.image() == render(d.canvas.pixels, d.canvas.layers)
    d.run("copy-view")
    assert clipboard.image().size() == d.canvas.grab_image().size()
    d.run("copy-table")
    assert clipboard.text() == d.results.text
    assert len(clipboard.text().splitlines()) == len(d.layer("detections")) + 1


@pytest.mark.parametrize("kind", ["png", "svg", "json"])
def test_a_full_disk_keeps_the_export_before_and_is_said(d: Any, small_disk: Path, kind: str) -> None:
    """The picture and its recipe that were there stay as they are, and nobody is told that they were exported."""
    (small_disk / f"out.{kind}").write_bytes(b"good")
    (small_disk / "out.recipe.json").write_bytes(b"recipe")
    (small_disk / "rest").touch()
    with contextlib.suppress(OSError), (small_disk / "rest").open("wb", buffering=0) as rest:
        while True:
            rest.write(bytes(4096))
    assert not file_menu.export_to(d.window, small_disk / f"out.{kind}", kind)
    assert (small_disk / f"out.{kind}").read_bytes() == b"good"
    assert (small_disk / "out.recipe.json").read_bytes() == b"recipe"
    assert {path.name for path in small_disk.iterdir()} == {f"out.{kind}", "out.recipe.json", "rest"}
    assert any(f"out.{kind} cannot be written (No space left" in text for text in d.messages)
    assert not any("Exported" in text for text in d.messages)


@pytest.mark.parametrize("kind", ["png", "svg", "json"])
def test_a_pipe_is_no_place_for_an_export(d: Any, tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / f"out.{kind}")
    (tmp_path / "out.recipe.json").symlink_to("out.recipe.json")
    assert not file_menu.export_to(d.window, tmp_path / f"out.{kind}", kind)
    assert any("named pipe" in text for text in d.messages)
    (tmp_path / f"out.{kind}").unlink()
    assert not file_menu.export_to(d.window, tmp_path / f"out.{kind}", kind)
    assert any("symbolic links" in text for text in d.messages)
    assert {path.name for path in tmp_path.iterdir()} == {"out.recipe.json"}
