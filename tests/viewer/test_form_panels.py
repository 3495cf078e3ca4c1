"""Likelihood, sampling, causality, class grid and prior match with real widgets, and what their settings do to each."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect

from models.cards.card import DIGITS
from models.requests import Request
from models.types import Failure, Result
from tests.viewer.test_window import Make
from viewer.presenters import likelihood

PIXELCNN = "digits-pixelcnn"
QUICK: dict[str, dict[str, Any]] = {
    "causality": {"changed": 4},
    "class_grid": {"columns": 3, "judged": 4},
    "prior_match": {"side": 12, "count": 20},
}
Show = Callable[[str, str], Any]


@pytest.fixture
def show(desk: Make) -> Show:
    """Open a digit with a model and bring a panel to the front, with settings that are answered soon."""

    def shown(model: str, panel: str) -> Any:
        d = desk(DIGITS / "3.png", model=model)
        d.store.update(d.document.with_value(panel, **QUICK.get(panel, {})))
        d.window.docks.show(panel)
        d.settle()
        return d

    return shown


def answered(d: Any, slot: str) -> Result:
    return d.session.results[slot][1]


def set_one(d: Any, panel: str, name: str, value: Any) -> None:
    """Set a parameter: one step back undoes it, the button gives back the model's own, a failure keeps the answer."""
    own = d.window.panels[panel]
    before, was = answered(d, panel), d.document.values(panel)
    own.form.changed.emit(name, value)
    own.form.committed.emit(name, value)
    d.settle()
    assert dict(answered(d, panel).meta["parameters"])[name] == value and answered(d, panel) is not before
    assert d.store.undo_title == f"{own.entry.title}: {name}"
    d.store.undo()
    assert d.document.values(panel) == was
    d.store.redo()
    own.form.reset_requested.emit()
    assert not d.document.values(panel) and d.store.undo_title.startswith("Own settings")
    d.store.undo()
    d.settle()
    assert own.show_failure(panel, Failure("No such thing.")) and own.words.text() == "No such thing."
    assert own.show_failure(panel, Failure("Stopped.", cancelled=True)) is None
    assert own.show_failure("another", Failure("No.")) is None and own.words.text() == "No such thing."
    d.window.docks.show("log")
    own.view_changed(False)
    assert panel not in d.document.view.inside


def test_the_likelihood_is_painted_and_told(show: Show) -> None:
    d = show(PIXELCNN, "pixel_likelihood")
    panel, found = d.window.panels["pixel_likelihood"], answered(d, "pixel_likelihood")
    layer = d.layer("likelihood")
    assert np.array_equal(layer.values, found.arrays["map"])
    assert all(value in panel.text for _, value in likelihood.facts(found))
    x0, y0, x1, y1 = found.meta["extent"]
    d.hover((x0 + x1) / 2, (y0 + y1) / 2)
    assert panel.here.text() == likelihood.expectation(found, (14, 14))
    panel.painted.committed.emit("mask_opacity", 0.25)
    assert d.layer("likelihood").opacity == 0.25 and d.document.view.mask_opacity == 0.25
    name, value = next((p.name, p.choices[-1]) for p in d.session.description.offers[panel.id].parameters if p.choices)
    d.window.docks.show("pixel_likelihood")
    panel.form.committed.emit(name, value)
    d.settle()
    assert dict(answered(d, panel.id).meta["parameters"])[name] == value


def test_the_film_is_stepped_and_a_drawn_pixel_overruled(show: Show) -> None:
    d = show(PIXELCNN, "pixel_film")
    panel, found = d.window.panels["pixel_film"], answered(d, "pixel_film")
    most = int(found.arrays["ranks"].size)
    assert panel.known == most and np.array_equal(found.arrays["picture"], likelihood.film_frame(found, most))
    panel.step(-1)
    assert panel.known == most - 1 and f"{most - 1:,} of {most:,}" in panel.words.text()
    row, column = 20, 11
    panel.picture.picked.emit(row, column)
    d.settle()
    changed = answered(d, "pixel_film")
    before = found.arrays["ranks"] < found.arrays["ranks"][0, row, column]
    assert np.array_equal(changed.arrays["values"][before], found.arrays["values"][before])
    assert changed.arrays["values"][0, row, column] == 1 - found.arrays["values"][0, row, column]
    panel.again.click()
    d.settle()
    assert "overruled" not in d.document.values("pixel_film") and "overruled" not in panel.form.rows
    set_one(d, "pixel_film", "seed", 5)


def test_causality_is_asked_about_the_pixel_that_is_clicked(show: Show) -> None:
    d = show(PIXELCNN, "causality")
    panel = d.window.panels["causality"]
    panel.picture.picked.emit(9, 4)
    d.settle()
    found = answered(d, "causality")
    assert (found.meta["row"], found.meta["column"]) == (9, 4) and panel.picture.mark == (9, 4)
    assert f"{found.meta['used_past']:,} of {found.meta['of_past']:,}" in panel.counts.text()
    set_one(d, "causality", "seed", 5)


def test_the_class_grid_scrolls_and_a_click_goes_to_its_code(show: Show) -> None:
    d = show("digits-infogan", "class_grid")
    panel, found = d.window.panels["class_grid"], answered(d, "class_grid")
    panel.settings.set_open(True)
    parts = (panel.grid, panel.bars, panel.settings)

    def apart() -> bool:
        """Whether the settings are unfolded and no part lies over another."""
        places = [QRect(part.mapTo(panel, QPoint()), part.size()) for part in parts]
        below = all(first.bottom() < second.top() for first, second in pairwise(places))
        return below and panel.form.height() >= panel.form.minimumSizeHint().height() > 100

    d.until(apart)
    columns = found.arrays["pictures"].shape[1]
    panel.grid.picked.emit(2 * columns + 1)
    d.settle()
    picture = d.engine.run(Request.make("decode", d.document.model, None, {"code": d.document.latent.code}))
    assert isinstance(picture, Result) and panel.grid.chosen == 2 * columns + 1
    assert np.array_equal(picture.arrays["picture"], found.arrays["pictures"][2, 1])
    set_one(d, "class_grid", "seed", 5)


def test_the_prior_is_matched_and_another_model_stands_beside(show: Show) -> None:
    d = show("digits-aae", "prior_match")
    panel, found = d.window.panels["prior_match"], answered(d, "prior_match")
    assert panel.map.plane is not None and found.arrays["density"].shape == (12, 12)
    beside = answered(d, "prior_match.beside")
    assert beside.arrays["density"].shape == (12, 12) and panel.other.isVisibleTo(panel)
    assert panel.show_failure("prior_match.beside", Failure("Not that one.")) and "Not that" in panel.words.text()
    panel.beside.setCurrentIndex(panel.beside.findData(""))
    panel.beside.activated.emit(0)
    d.settle()
    assert "prior_match.beside" not in d.session.wanted and not panel.other.isVisibleTo(panel)
    set_one(d, "prior_match", "side", 9)
