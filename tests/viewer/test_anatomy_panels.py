"""Discriminator, inversion, nearest real pictures: they show the engine's own answers, ask only while looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.latent.space import write
from models.pictures.images import save_png
from models.requests import Request
from models.types import Result
from tests.models.generators import gan, vae
from tests.viewer.test_window import Make
from viewer.panels.activations import ActivationPanel
from viewer.panels.anatomy import AnatomyPanel
from viewer.panels.discriminator import CriticPanel
from viewer.panels.inversion import InversionPanel
from viewer.panels.latent_code import ExplorePanel
from viewer.panels.real_neighbours import RealNeighboursPanel
from viewer.presenters import latent_code


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
    folder = latent_code.real_folder(opened.document)
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
    opened.run("panel-real_neighbours")
    opened.settle()
    panel = opened.panel(RealNeighboursPanel)
    wanted = asked(opened, "real_neighbours", code="seed:0", folder=latent_code.real_folder(opened.document))
    assert f"{wanted.meta['ratio']:.2f} times" in panel.words.text()
    panel.grid.picked.emit(0)
    assert Path(wanted.meta["paths"][0]).name in panel.words.text()
    panel.space.setCurrentIndex(panel.space.findData("photos-resnet"))
    panel.space.activated.emit(panel.space.currentIndex())
    opened.settle()
    assert opened.session.results["real_neighbours"][1].meta["features"] == "photos-resnet"
    opened.run("undo")
    opened.settle()
    assert opened.session.results["real_neighbours"][1].meta["features"] == "pixels"


def test_without_real_pictures_it_says_what_to_do(desk: Make, tmp_path: Path) -> None:
    d = desk(model=gan(tmp_path))
    d.run("panel-real_neighbours")
    d.settle()
    assert (
        d.panel(RealNeighboursPanel).words.text() == latent_code.NO_REAL_PICTURES
        and "real_neighbours" not in d.session.wanted
    )
    (tmp_path / "empty").mkdir()
    d.store.update(d.document.with_latent(reals=str(tmp_path / "empty")), title="Compare")
    d.until(lambda: "no picture" in d.panel(RealNeighboursPanel).words.text().lower())


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


# of a VAE


@pytest.fixture
def encoded(desk: Make, tmp_path: Path) -> Any:
    rng = np.random.default_rng(5)
    folder = tmp_path / "digits"
    folder.mkdir()
    for number in range(3):
        save_png(rng.integers(0, 255, (28, 28, 3), dtype=np.uint8), folder / f"{number}.png")
    d = desk(model=vae(tmp_path))
    d.until(lambda: d.canvas.pixels is not None)
    d.open(folder / "0.png", folder / "1.png")
    d.settle()
    return d


def anatomy(d: Any) -> AnatomyPanel:
    return d.panel(AnatomyPanel)


def test_an_opened_picture_is_encoded_and_its_code_gone_to_once(encoded: Any) -> None:
    told = encoded.engine.run(Request("elbo", encoded.document.model, encoded.document.source))
    assert isinstance(told, Result)
    assert encoded.document.latent.code == write(told.arrays["mu"])
    assert np.array_equal(encoded.canvas.pixels, told.arrays["picture"])
    facts = {name.text(): value.text() for name, value in anatomy(encoded).reading._rows}
    assert facts["ELBO"] == f"{told.meta['elbo']:.1f} nats" and facts["IWAE"] == f"{told.meta['iwae']:.1f} nats"
    assert facts["Likelihood"] == "Bernoulli" and "28 × 28 to 32 × 32" in anatomy(encoded).words.text()
    assert not encoded.window.docks.by_id["anatomy"].visibleRegion().isEmpty()
    encoded.run("latent-next")
    encoded.settle()
    encoded.store.update(encoded.document.with_value("elbo", samples=8), title="Fewer samples")
    encoded.settle()
    assert encoded.document.latent.code.startswith("seed:"), "another answer about the same picture moves nothing"
    encoded.session.step(1)
    encoded.settle()
    second = encoded.engine.run(Request("reconstruct", encoded.document.model, encoded.document.source))
    assert isinstance(second, Result) and encoded.document.latent.code == write(second.arrays["mu"])


def test_the_posterior_is_drawn_on_the_sliders(encoded: Any) -> None:
    told = encoded.session.results["anatomy"][1].arrays
    for number, (mean, sd) in enumerate(zip(told["mu"], told["sigma"], strict=True)):
        row = encoded.panel(ExplorePanel).form.rows[f"z{number}"]
        low, high = (row.low + end * row.step for end in row.slider.band)
        assert abs(low - max(row.low, mean - sd)) < 0.02 and abs(high - min(row.high, mean + sd)) < 0.02


def test_the_likelihood_can_be_another(encoded: Any) -> None:
    encoded.store.update(encoded.document.with_value("elbo", likelihood="gaussian", sigma=0.5), title="Gaussian")
    encoded.settle()
    facts = {name.text(): value.text() for name, value in anatomy(encoded).reading._rows}
    assert facts["Likelihood"] == "Gaussian (sigma 0.5)"


def test_the_folder_is_encoded_only_when_asked_for(encoded: Any) -> None:
    panel = anatomy(encoded)
    assert "anatomy.folder" not in encoded.session.wanted
    panel.over.setChecked(True)
    encoded.settle()
    folder = latent_code.real_folder(encoded.document)
    told = encoded.engine.run(Request.make("posterior", encoded.document.model, None, {"folder": folder}))
    assert (
        isinstance(told, Result)
        and told.meta["verdict"] in panel.verdict.text()
        and "3 pictures" in panel.verdict.text()
    )


# the generator's units


def test_a_unit_of_the_generator_is_silenced_and_comes_back(desk: Make, tmp_path: Path) -> None:
    d = desk(model=vae(tmp_path))
    d.until(lambda: d.canvas.pixels is not None)
    d.run("panel-activations")
    d.settle()
    panel, plain = d.panel(ActivationPanel), d.canvas.pixels.copy()
    assert not panel.view.text_shown and panel._result.meta["layer"] == "decoder.convT2"
    panel.grid.picked.emit(2)
    d.settle()
    assert d.canvas.layers, "the channel lies over the generated picture"
    panel.silence.click()
    d.settle()
    assert d.document.values("decode")["silent"] == "decoder.convT2#2"
    without = d.engine.run(Request.make("decode", d.document.model, None, {"silent": "decoder.convT2#2"}))
    assert isinstance(without, Result) and np.array_equal(d.canvas.pixels, without.arrays["picture"])
    assert not np.array_equal(d.canvas.pixels, plain) and panel.silence.isChecked()
    panel.restore.click()
    d.settle()
    assert np.array_equal(d.canvas.pixels, plain) and not panel.silence.isChecked()
    panel.layer.setCurrentIndex(panel.layer.findData("decoder.convT1"))
    panel.layer.activated.emit(panel.layer.currentIndex())
    d.settle()
    assert panel._result.meta["layer"] == "decoder.convT1"
