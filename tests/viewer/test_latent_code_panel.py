"""Explore and Samples: what is set is what the canvas shows; going there, undo, other models, what is no code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from models.latent.space import write
from models.pictures.images import save_png
from models.requests import Request
from models.types import Result, Source
from tests.models.generators import gan, vae
from tests.viewer.test_window import SAMPLES, SSD, Make
from viewer.menus import file as file_menu
from viewer.panels.latent_code import ExplorePanel
from viewer.panels.samples import SamplesPanel
from viewer.presenters import latent_code


def made(d: Any, code: str) -> Any:
    """The engine's own picture of a code."""
    answer = d.engine.run(Request.make("decode", d.document.model, None, {"code": code}))
    assert isinstance(answer, Result)
    return answer.arrays["picture"]


@pytest.fixture
def opened(desk: Make, tmp_path: Path) -> Any:
    d = desk(model=vae(tmp_path))
    d.until(lambda: d.canvas.pixels is not None)
    return d


def explore(d: Any) -> ExplorePanel:
    return d.panel(ExplorePanel)


def test_a_model_alone_shows_a_picture_and_no_welcome(opened: Any) -> None:
    assert opened.window.centre.currentWidget() is opened.window.panes
    assert np.array_equal(opened.canvas.pixels, made(opened, "seed:0"))
    assert "vae.pt" in opened.window.windowTitle()
    docks = opened.window.docks.by_id
    assert not docks["explore"].isHidden() and not docks["samples"].isHidden()
    assert docks["detect"].isHidden() and docks["anchors"].isHidden()


def test_a_slider_moves_one_number_and_the_picture_follows(opened: Any) -> None:
    panel, before = explore(opened), opened.canvas.pixels.copy()
    row = panel.form.rows["z2"]
    start = np.random.default_rng([0, 0]).standard_normal(4).astype(np.float32)
    row.entry.setValue(2.5)
    opened.settle()
    expected = start.copy()
    expected[2] = 2.5
    assert opened.document.latent.code == write(expected)
    assert np.array_equal(opened.canvas.pixels, made(opened, write(expected)))
    assert not np.array_equal(opened.canvas.pixels, before)
    opened.run("undo")
    opened.settle()
    assert np.array_equal(opened.canvas.pixels, before) and abs(row.value - start[2]) < 1e-4
    panel.form.reset.click()
    opened.settle()
    assert np.array_equal(opened.canvas.pixels, made(opened, "0,0,0,0"))


def test_seeds_by_number_button_and_key(opened: Any) -> None:
    panel = explore(opened)
    panel.seed.setValue(41)
    opened.settle()
    assert opened.document.latent.code == "seed:41"
    panel.fresh.click()
    opened.settle()
    assert opened.document.latent.code == "seed:42" and panel.seed.value() == 42
    opened.run("latent-previous")
    opened.settle()
    assert np.array_equal(opened.canvas.pixels, made(opened, "seed:41"))
    length = np.linalg.norm(np.random.default_rng([41, 0]).standard_normal(4))
    assert f"{length:.2f}" in panel.remark.text()


def test_a_code_can_be_pasted_and_what_is_none_is_said_where_it_was_typed(opened: Any) -> None:
    panel = explore(opened)
    panel.code.setText("0.5,-1,0,2")
    panel.code.editingFinished.emit()
    opened.settle()
    assert np.array_equal(opened.canvas.pixels, made(opened, "0.5,-1,0,2"))
    assert [round(float(panel.form.rows[f"z{i}"].value), 3) for i in range(4)] == [0.5, -1, 0, 2]
    shown = opened.canvas.pixels.copy()
    panel.code.setText("1,2")
    panel.code.editingFinished.emit()
    assert "2 numbers" in panel.remark.text() and opened.document.latent.code == "0.5,-1,0,2"
    assert np.array_equal(opened.canvas.pixels, shown)


def test_a_click_on_a_sample_goes_there(opened: Any) -> None:
    panel = opened.panel(SamplesPanel)
    opened.until(lambda: panel._result is not None)
    opened.settle()
    place = panel.grid.rect_of(5).center()
    QTest.mouseClick(panel.grid.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place))
    opened.settle()
    assert opened.document.latent.code == "seed:5" and panel.grid.chosen == 5
    sampled = panel._result.arrays["pictures"][5].astype(int)
    assert abs(opened.canvas.pixels.astype(int) - sampled).max() <= 1


def test_truncation_of_the_sample_is_that_of_the_picture_gone_to(opened: Any) -> None:
    panel = opened.panel(SamplesPanel)
    opened.until(lambda: panel.form is not None)
    panel.form.rows["truncation"].entry.setValue(0.5)
    opened.settle()
    panel.grid.picked.emit(3)
    opened.settle()
    code = latent_code.code_of(opened.document, latent_code.space_of(opened.session.description))
    assert code is not None and abs(code).max() <= 0.5
    assert abs(opened.canvas.pixels.astype(int) - panel._result.arrays["pictures"][3].astype(int)).max() <= 1
    assert panel.grid.chosen == 3
    space = latent_code.space_of(opened.session.description)
    plain = space.parse(opened.document.latent.code)[0]
    assert np.array_equal(plain, panel._result.arrays["codes"][3]), "whoever knows of no truncation is asked alike"
    assert np.array_equal(opened.session.results["generated"][1].arrays["code"], panel._result.arrays["codes"][3])


def test_the_sample_is_asked_for_only_while_it_is_looked_at(opened: Any) -> None:
    opened.run("panel-samples")
    opened.settle()
    assert opened.window.docks.by_id["samples"].isHidden() and "samples" not in opened.session.wanted
    opened.run("panel-samples")
    opened.settle()
    assert "samples" in opened.session.wanted


def test_a_flipped_assumption_keeps_the_code_and_can_be_undone(desk: Make, tmp_path: Path) -> None:
    d = desk(model=gan(tmp_path))
    d.until(lambda: d.canvas.pixels is not None)
    panel, before = explore(d), d.canvas.pixels.copy()
    panel.seed.setValue(9)
    d.settle()
    before = d.canvas.pixels.copy()
    d.run("panel-model")
    d.settle()
    choices = d.window.panels["model"].choices
    choices.rows["activation"].reported.emit("activation", "tanh", True)
    d.settle()
    assert "activation=tanh" in d.document.model and d.document.latent.code == "seed:9"
    assert not np.array_equal(d.canvas.pixels, before)
    assert d.window.panels["model"].choices.rows["activation"].value == "tanh"
    d.run("undo")
    d.settle()
    assert np.array_equal(d.canvas.pixels, before)


def test_back_to_a_detector_its_picture_is_shown_again(desk: Make, tmp_path: Path) -> None:
    d = desk(SAMPLES[0])
    picture = d.canvas.pixels.copy()
    d.session.open_model(vae(tmp_path))
    d.until(lambda: d.document.model.endswith("vae.pt"))
    d.settle()
    d.until(lambda: d.canvas.pixels.shape == (32, 32, 3))
    assert not d.canvas.layers
    d.session.open_model(SSD)
    d.until(lambda: d.document.model == SSD)
    d.settle()
    assert np.array_equal(d.canvas.pixels, picture) and d.canvas.layers


def test_without_a_picture_a_detector_bids_welcome_again(desk: Make, tmp_path: Path) -> None:
    d = desk(model=vae(tmp_path))
    d.until(lambda: d.canvas.pixels is not None)
    d.session.open_model(SSD)
    d.until(lambda: d.document.model == SSD)
    d.settle()
    assert d.window.centre.currentWidget() is d.window.welcome and d.canvas.pixels is None


def test_what_is_on_the_canvas_can_be_exported(opened: Any, tmp_path: Path) -> None:
    explore(opened).seed.setValue(3)
    opened.settle()
    written = file_menu.export_to(opened.window, tmp_path / "out" / "code.npy", "npy")
    assert np.array_equal(np.load(written[0]), opened.session.results["generated"][1].arrays["code"])
    assert (tmp_path / "out" / "code.recipe.json").exists()
    assert file_menu.export_to(opened.window, tmp_path / "out" / "code.png", "png")


def test_infogans_codes_are_named_controls(desk: Make, tmp_path: Path) -> None:
    d = desk(model="digits-infogan")
    d.until(lambda: d.canvas.pixels is not None)
    form = explore(d).form
    assert form is not None
    choice, *styles = (row for name, row in form.rows.items() if form._of.get(name) is None)
    assert choice.title == "Category" and [row.title for row in styles] == ["Style 1", "Style 2"]
    names = d.session.description.about["categories"]
    seven = names.index("7")
    choice.reported.emit(choice.key, str(seven), True)
    d.settle()
    code = latent_code.code_of(d.document, latent_code.space_of(d.session.description))
    assert code is not None and code[:10].tolist() == np.eye(10)[seven].tolist()
    save_png(d.canvas.pixels, tmp_path / "made.png")
    seen = d.engine.run(Request("classify", "digits-lenet", Source.file(tmp_path / "made.png")))
    assert isinstance(seen, Result) and seen.meta["classes"][seen.arrays["labels"][0]] == "7"


def test_controls_reach_as_far_as_the_code(opened: Any) -> None:
    panel = explore(opened)
    assert panel.form.rows["z1"].high == 4
    panel.code.setText("0.5,-7.25,0,2")
    panel.code.editingFinished.emit()
    opened.settle()
    row = panel.form.rows["z1"]
    assert (row.low, row.high) == (-8, 8) and row.entry.value() == -7.25
    opened.run("undo")
    opened.settle()
    assert panel.form.rows["z1"].high == 4
