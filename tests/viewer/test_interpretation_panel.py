"""The Interpretation panel over a network that nobody knows: readings as pictures, flips, a card, an adapter file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from red_detector import CODE

from models.cards import interpretation_file
from models.engine import registry
from models.user_code import consent, helpers
from viewer.menus import interpretation as menu
from viewer.panels.interpretation import InterpretationPanel
from viewer.presenters import interpretation
from viewer.presenters.interpretation import Choice

Make = Callable[..., Any]


@pytest.fixture
def red(tmp_path: Path) -> Path:
    pixels = np.full((320, 320, 3), 90, np.uint8)
    pixels[100:190, 60:150] = (230, 20, 20)
    Image.fromarray(pixels).save(tmp_path / "red.png")
    (tmp_path / "net.py").write_text(CODE, encoding="utf-8")
    return tmp_path / "red.png"


def opened(desk: Make, red: Path, *, more: str = "") -> tuple[Any, InterpretationPanel]:
    file = red.with_name("net.py")
    helpers.allow(file)
    d = desk(red, model=f"{file}:build{more}")
    d.window.docks.show("interpretation")
    d.settle()
    panel = d.window.panels["interpretation"]
    assert isinstance(panel, InterpretationPanel)
    return d, panel


def test_what_it_finds_is_listed_drawn_flipped_by_key_and_kept(desk: Make, red: Path, qtbot: Any) -> None:
    d, panel = opened(desk, red)
    shown = panel.readings.tiles
    assert shown[0].choice.chosen and "class 0 1.00" in shown[0].choice.finds
    assert "boxes" in panel.headline.text() and panel.evidence.text().count("•") >= 2
    assert [layer.id for layer in shown[0].choice.layers] == ["interpretation boxes"]
    assert panel.text.startswith(panel.headline.text()) and "output" in panel.text.lower()
    assert "1 × 6 × 2,100" in panel.text

    # A picture is painted in each tile: what the network found is where it is on the picture.
    seen = shown[0].grab().toImage()
    assert len({seen.pixelColor(x, 20).rgb() for x in range(0, seen.width(), 3)}) > 1

    # By keyboard: along the tiles, and press.
    features = next(tile for tile in shown if "features" in tile.choice.title)
    shown[0].setFocus()
    for _ in shown:
        if not features.hasFocus():
            d.key(Qt.Key.Key_Right)
    assert features.hasFocus()
    d.key(Qt.Key.Key_Space)
    d.settle()
    assert "reading=features" in d.document.model, d.messages
    assert next(tile for tile in panel.readings.tiles if tile.choice.chosen).choice.title == features.choice.title
    d.run("undo")
    d.settle()
    assert "reading" not in d.document.model
    assert panel.readings.tiles[0].choice.chosen


def test_it_opens_by_itself_once_where_the_numbers_leave_a_doubt(desk: Make, red: Path) -> None:
    file = red.with_name("net.py")
    helpers.allow(file)
    d = desk(red, model=f"{file}:build")
    assert d.window.docks.shown("interpretation")  # its boxes all have one size, which no sure detector gives
    assert any("Press the reading that is right" in text for text in d.messages)
    d.window.docks.by_id["interpretation"].hide()
    d.run("again")
    d.settle()
    assert not d.window.docks.shown("interpretation")


def test_preparations_are_tried_on_request_and_one_is_taken(desk: Make, red: Path) -> None:
    d, panel = opened(desk, red)
    assert not panel.preparations.tiles
    panel.try_others.click()
    d.settle()
    tiles = panel.preparations.tiles
    assert len(tiles) >= 6 and sum(tile.choice.chosen for tile in tiles) == 1
    wrong = next(tile for tile in tiles if "no box" in tile.choice.finds)  # what is red is blue in BGR
    assert dict(wrong.choice.assume)["colours"] == "bgr"
    wrong.click()
    d.settle()
    assert "colours=bgr" in d.document.model
    assert dict(next(tile for tile in panel.preparations.tiles if tile.choice.chosen).choice.assume)["colours"] == "bgr"
    assert "BGR" in panel.about_input.text()


def test_a_card_keeps_the_choices_and_leaves_them_open(desk: Make, red: Path) -> None:
    d, panel = opened(desk, red, more="?colours=bgr")
    d.run("interpretation-card")
    d.settle()
    file = red.with_name("net.py")
    said = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    assert said["assume"]["colours"] == "bgr"
    assert said["assume"]["reading"] == panel.readings.tiles[0].choice.assume[0][1]
    assert d.document.model == f"{file}:build"
    assert "BGR" in panel.about_input.text()  # by the card alone
    about = d.session.description.about["assumptions"]["colours"]
    assert (about["value"], about["choices"][0], about["known"]) == ("bgr", "bgr", True)
    # And the user's word goes before the card's.
    model = registry.open_model(f"{file}:build?colours=rgb")
    assert model.preprocess.order == "rgb"


def test_an_adapter_file_opens_the_same_way(desk: Make, red: Path) -> None:
    d, _ = opened(desk, red, more="?colours=bgr&padding=black")
    file = menu.export_adapter(d.window, red.with_name("mine"))
    assert file is not None and file.name == "mine.py"
    source = file.read_text(encoding="utf-8")
    assert len(source.splitlines()) < 25
    assert "'net.py:build'" in source or '"net.py:build"' in source
    wanted = d.direct("detect")
    consent.allow(file, helpers.files.sha256(file))
    made = d.direct("detect", model=str(file))
    np.testing.assert_array_equal(made.arrays["boxes"], wanted.arrays["boxes"])
    model = registry.open_model(str(file))
    assert (model.preprocess.order, model.preprocess.fill) == ("bgr", 0.0)
    assert model.interpretation.reading.id == registry.open_model(d.document.model).interpretation.reading.id
    again = registry.open_model(f"{file}?colours=rgb")  # still open to choice
    assert again.preprocess.order == "rgb"


def test_without_a_picture_it_says_what_to_do(desk: Make, red: Path) -> None:
    file = red.with_name("net.py")
    helpers.allow(file)
    d = desk(model=f"{file}:build", settle=False)
    d.until(lambda: d.session.description is not None)
    d.window.docks.show("interpretation")
    panel = d.window.panels["interpretation"]
    assert "Open a picture" in panel.empty.text() and not panel.empty.isHidden()
    assert not panel.readings.isVisible()


def test_a_flip_leaves_out_what_depends_on_the_reading() -> None:
    choice = Choice("r", "features", "", "", (("reading", "features"),), chosen=False)
    model = "net.onnx?colours=bgr&reading=values&scores=values&weights=w.pt"
    assert (
        interpretation.flipped(model, choice, ("scores", "unit"))
        == "net.onnx?colours=bgr&reading=features&weights=w.pt"
    )
    way = Choice("p", "BGR", "", "", (("colours", "rgb"),), chosen=False)
    assert "scores=values" in interpretation.flipped(model, way, ("scores",))


def test_an_adapter_files_text_is_python_that_says_all_of_it(tmp_path: Path) -> None:
    names = tuple(f"na\"me' {number}\\" for number in range(40))
    text = interpretation_file.text('a"b.onnx', title="x'y", assume={"reading": "boxes-1"}, classes=names)
    space: dict[str, Any] = {}
    source = text.replace("from vitrine import Interpretation", "Interpretation = object")
    exec(compile(source, "mine.py", "exec"), space)
    made = space["ADAPTER"]
    assert (made.file, made.title, made.assume, made.classes) == ('a"b.onnx', "x'y", {"reading": "boxes-1"}, names)
    assert all(len(line) <= 120 for line in text.splitlines())
    assert "classes" not in interpretation_file.text("a", title="", assume={}, classes=("class 0", "class 1"))
