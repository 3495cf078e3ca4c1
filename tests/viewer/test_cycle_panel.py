"""The Cycle panel: the board of a bundled CycleGAN, its curve, the second model as the way back, files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.cards import card as cards
from models.user_code import helpers
from tests.viewer.test_translation_panel import BLUR
from viewer.canvas.layers import Heat, Overlay
from viewer.menus import picture_files
from viewer.panels.cycle import CyclePanel
from viewer.presenters import cycle

Make = Callable[..., Any]
NOISE_255 = [0, 1, 2, 4, 8]


def test_a_picture_goes_there_and_back_and_the_curve_says_what_the_way_back_reads(desk: Make, tmp_path: Path) -> None:
    d = desk(cards.DIGITS / "3.png", model="digits-cyclegan")
    d.store.update(d.document.with_value("cycle", draws=1))
    assert "cycle" not in d.session.wanted, "only while the panel is in view"
    d.window.docks.show("cycle")
    d.settle()
    panel = d.panel(CyclePanel)
    request, result = d.session.results["cycle"]
    assert "back" not in request.settings and panel.words.text() == result.meta["text"]
    assert panel.verdict.text() == cycle.VERDICTS[result.meta["curve"]]
    assert [name for name, (tile, _) in panel.tiles.items() if tile.isVisibleTo(panel.board)] == [
        *cycle.CAPTIONS, *cycle.CRITICS
    ]  # fmt: skip
    assert panel.curve.sigma.tolist() == NOISE_255
    np.testing.assert_allclose(panel.curve.error[0], 255 * result.meta["cycle"], rtol=1e-3)
    assert f"{255 * result.meta['cycle']:.2f}" in panel.errors.text and "Critic" in panel.losses.text
    assert "JPEG 75" in panel.disturbed.text and not panel.second.isVisibleTo(panel)
    # Over the picture: the difference in its own colours, what was made as it is.
    for name, kind in (("difference", Heat), ("made", Overlay)):
        panel.over.setCurrentIndex(panel.over.findData(name))
        panel.over.activated.emit(panel.over.currentIndex())
        assert isinstance(panel.layers(d.document)[0], kind)
    # The cycle of the other world adds its pictures and terms.
    made = tmp_path / "paper.png"
    Image.fromarray(result.arrays["made"]).save(made)
    d.store.update(d.document.with_value("cycle", other=str(made)))
    d.settle()
    assert panel.tiles["other_returned"][0].isVisibleTo(panel.board) and "Cycle from B" in panel.losses.text
    # Files.
    written = picture_files.export(d.window, "cycle", tmp_path / "board.png")
    assert {path.name for path in written} == {"board.png", "board.json", "board.recipe.json"}
    told = json.loads((tmp_path / "board.json").read_text())
    assert told["cycle"] == d.session.results["cycle"][1].meta["cycle"]
    with Image.open(tmp_path / "board.png") as board:
        assert board.width >= 3 * result.arrays["input"].shape[1]


def test_a_network_without_a_way_back_asks_for_a_second_model(desk: Make, tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(BLUR, encoding="utf-8")
    helpers.allow(file)
    d = desk(cards.DIGITS / "3.png", model=f"{file}:build")
    d.store.update(d.document.with_value("cycle", draws=1))
    d.window.docks.show("cycle")
    d.settle()
    panel = d.panel(CyclePanel)
    assert "no way back of its own" in panel.words.text() and panel.second.isVisibleTo(panel)
    d.store.update(d.document.with_beside("digits-cyclegan"))
    d.settle()
    assert d.session.results["cycle"][0].settings["back"] == "digits-cyclegan"
    assert "by digits-cyclegan" in panel.words.text() and not panel.second.isVisibleTo(panel)
    assert not panel.tiles["critic_input"][0].isHidden(), "the critic of the way back"
