"""Discriminator, inversion, nearest real pictures: they show the engine's own answers, ask only while looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.images import save_png
from models.latent.space import write
from models.requests import Request
from models.types import Result
from tests.models.generators import gan
from tests.viewer.test_window import Make
from viewer import reals
from viewer.panels.critic import CriticPanel
from viewer.panels.inversion import InversionPanel
from viewer.panels.neighbours import NeighboursPanel


@pytest.fixture
def opened(desk: Make, tmp_path: Path) -> Any:
    rng = np.random.default_rng(4)
    folder = tmp_path / "real"
    folder.mkdir()
    for number in range(6):
        save_png(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8), folder / f"{number}.png")
    d = desk(folder / "0.png", model=gan(tmp_path))
    d.until(lambda: d.canvas.pixels is not None)
    return d


def asked(d: Any, inspection: str, **params: Any) -> Result:
    answer = d.engine.run(Request.make(inspection, d.document.model, None, params))
    assert isinstance(answer, Result)
    return answer


def test_the_opened_picture_does_not_take_the_generated_ones_place(opened: Any) -> None:
    assert np.array_equal(opened.canvas.pixels, asked(opened, "decode").arrays["picture"])
    assert len(opened.document.sources) == 1


def test_the_discriminator_ranks_the_picture_on_the_canvas(opened: Any) -> None:
    assert "critic" not in opened.session.wanted
    opened.run("panel-critic")
    opened.settle()
    panel = opened.panel(CriticPanel)
    folder = reals.folder(opened.document)
    assert Path(folder).name == "real" and "real" in panel.folder.text()
    wanted = asked(opened, "critic", code="seed:0", folder=folder)
    assert f"{wanted.meta['percentile']:.0f} % of the samples" in panel.words.text()
    assert "6 real pictures" in panel.words.text()
    assert np.isclose(panel.spread.mark, wanted.arrays["score"][0], atol=1e-5)
    before = panel.words.text()
    opened.run("latent-next")
    opened.settle()
    assert panel.words.text() != before
    opened.run("panel-critic")
    opened.settle()
    assert "critic" not in opened.session.wanted


def test_the_nearest_real_pictures_follow_the_code_and_the_space(opened: Any) -> None:
    opened.run("panel-neighbours")
    opened.settle()
    panel = opened.panel(NeighboursPanel)
    wanted = asked(opened, "neighbours", code="seed:0", folder=reals.folder(opened.document))
    assert f"{wanted.meta['ratio']:.2f} times" in panel.words.text()
    panel.grid.picked.emit(0)
    assert Path(wanted.meta["paths"][0]).name in panel.words.text()
    panel.space.setCurrentIndex(panel.space.findData("photos-resnet"))
    panel.space.activated.emit(panel.space.currentIndex())
    opened.settle()
    assert opened.session.results["neighbours"][1].meta["features"] == "photos-resnet"
    opened.run("undo")
    opened.settle()
    assert opened.session.results["neighbours"][1].meta["features"] == "pixels"


def test_without_real_pictures_it_says_what_to_do(desk: Make, tmp_path: Path) -> None:
    d = desk(model=gan(tmp_path))
    d.run("panel-neighbours")
    d.settle()
    assert d.panel(NeighboursPanel).words.text() == reals.NONE and "neighbours" not in d.session.wanted
    (tmp_path / "empty").mkdir()
    d.store.update(d.document.with_latent(reals=str(tmp_path / "empty")), title="Compare")
    d.until(lambda: "no picture" in d.panel(NeighboursPanel).words.text().lower())


def test_a_code_is_sought_only_when_told_to_and_can_be_gone_to(opened: Any) -> None:
    opened.run("panel-inversion")
    opened.settle()
    panel = opened.panel(InversionPanel)
    assert "inversion" not in opened.session.wanted and "0.png" in panel.words.text()
    opened.store.update(opened.document.with_value("invert", steps=40, starts=4), title="Fewer steps")
    panel.start.click()
    opened.settle()
    found = opened.session.results["inversion"][1]
    assert f"{found.meta['error']:.4f}" in panel.words.text() and f"{found.meta['control']:.4f}" in panel.words.text()
    panel.go.click()
    opened.settle()
    assert opened.document.latent.code == write(found.arrays["code"])
    assert np.array_equal(opened.canvas.pixels, found.arrays["picture"])


def test_another_setting_waits_to_be_told_again(opened: Any) -> None:
    opened.run("panel-inversion")
    opened.settle()
    panel = opened.panel(InversionPanel)
    opened.store.update(opened.document.with_value("invert", steps=20, starts=2, control=False), title="Fewer")
    panel.start.click()
    opened.settle()
    assert not panel.start.isEnabled()
    panel.form.rows["steps"].reported.emit("steps", 30, True)
    opened.settle()
    assert panel.start.isEnabled() and "inversion" not in opened.session.wanted
