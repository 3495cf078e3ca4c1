"""The first minutes: what the model knows stands under the picture, and models that know more are one click away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt

from models.cards import packaged
from models.cards.card import DIGITS, PHOTOS
from models.cards.samples import SAMPLES as GALLERY
from tests.viewer.test_window import RCNN, SAMPLES, Make
from viewer.widgets.controls.model_picker import DETAIL

VAE, LENET = "digits-vae-2d", "digits-lenet"


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """A photograph of the user's own."""
    path = tmp_path / "holiday.png"
    Image.open(PHOTOS / "coffee.jpg").resize((300, 200)).save(path)
    return path


def words(d: Any) -> str:
    line = d.window.knowledge.line
    return line.words if not line.isHidden() else ""


def test_a_photograph_in_a_detector_of_digits_is_one_click_from_a_model_that_knows_it(
    desk: Make, photograph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packaged, "installed", lambda name: False)  # whether or not they are here
    d = desk(SAMPLES[0], model=RCNN)
    assert words(d) == "Finds handwritten digits, 0 to 9.", "nothing more of a picture it knows"
    d.open(photograph)
    assert words(d).startswith("Finds handwritten digits, 0 to 9. For everyday photographs choose another model:")
    assert "download, 14 MB" in words(d) and "photos-resnet, 10 classes" in words(d)
    d.window.knowledge.line.text.linkActivated.emit("photos-resnet")
    d.settle()
    assert d.document.model == "photos-resnet" and d.document.source.path == str(photograph)
    assert "classify" in d.session.results and words(d).startswith("Tells apart ten kinds of things")

    d.window.knowledge.line.close_button.click()
    assert words(d) == ""
    d.run("knowledge")
    assert words(d)


def test_pictures_out_of_a_models_domain_are_said_to_be(desk: Make, photograph: Path, tmp_path: Path) -> None:
    d = desk(DIGITS / "3.png", model=LENET)
    assert words(d) == "Tells apart single handwritten digits, 0 to 9."
    d.open(photograph)
    assert "in colour, and the model was made for grey ones" in words(d)

    small = tmp_path / "tiny.png"
    Image.fromarray(np.full((20, 24, 3), 90, np.uint8)).save(small)
    d.session.open_model(RCNN)
    d.open(small)
    assert "24 × 20 pixels and is enlarged 13 times" in words(d)


def test_a_photograph_in_a_vae_is_measured_against_what_the_vae_draws(desk: Make, photograph: Path) -> None:
    d = desk(model=VAE)
    d.open(DIGITS / "3.png")
    meta = d.session.results["anatomy"][1].meta
    assert "95 % are 0.2 to 2.7 long" in meta["typical"] and "unlike" not in words(d)
    d.open(photograph)
    assert "unlike those the model was made for" in words(d) and "100 % of 128 pictures" in words(d)
    assert "100 % of 128 pictures" in d.window.panels["anatomy"].words.text()


def test_a_sample_opens_its_picture_and_the_fitting_model_together(desk: Make) -> None:
    d = desk(model="digits-ssd")
    welcome = d.window.welcome
    assert d.window.centre.currentWidget() is welcome and [tile.text() for tile in welcome.gallery]
    cells = next(tile for tile in welcome.gallery if "cells" in tile.text())
    d.qtbot.mouseClick(cells, Qt.MouseButton.LeftButton)
    d.settle()
    found = [d.session.description.classes[int(label)] for label in d.result.arrays["labels"]]
    assert d.document.model == "cells-faster-rcnn" and {"RBC", "WBC"} <= {*found}
    assert words(d).startswith("Finds red and white blood cells") and "choose another" not in words(d)
    assert all(sample.face.is_file() and all(path.exists() for path in sample.pictures) for sample in GALLERY)


def test_the_selector_shows_tasks_classes_and_sizes_and_leads_to_more(desk: Make) -> None:
    d = desk(SAMPLES[0])
    box = d.window.model_box
    rows = {box.itemText(i): (box.itemData(i), box.itemData(i, DETAIL)) for i in range(box.count())}
    assert rows["Find things"][0] is None and "Tell apart" in rows and "Generate" in rows
    assert rows["digits-lenet"][1] == "10 classes · 0.2 MB" and rows["efficientnet-lite0"][1].startswith(
        "1,000 classes"
    )
    heading = box.model().flags(box.model().index(box.findText("Generate"), 0))
    assert not heading & Qt.ItemFlag.ItemIsSelectable
    box.activated.emit(box.findText("More models…"))
    assert d.window.zoo.dialog.isVisible() and box.currentData() == "digits-ssd"
    d.window.zoo.dialog.dismiss()
