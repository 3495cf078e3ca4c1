"""The Growth panel: the slider through every fade-in, the complete levels, the critic's numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from models.bundled.progressive import digits_progan, scaled_start
from models.cards import card as cards
from models.training.store import save_weights

Make = Callable[..., Any]


def test_the_slider_leads_through_every_fade_in(desk: Make, tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_weights(scaled_start(digits_progan()), tmp_path / "w.safetensors")
    card = {"name": "growing", "weights": "w.safetensors", "architecture": "digits_progan", "task": "generation"}
    (tmp_path / "w.json").write_text(json.dumps(card), encoding="utf-8")
    d = desk(cards.DIGITS / "3.png", model=str(tmp_path / "w.safetensors"))
    d.window.docks.show("growth")
    d.settle()
    panel = d.window.panels["growth"]
    shown = [name for name, (tile, _) in panel.tiles.items() if tile.isVisibleTo(panel)]
    assert shown == ["before", "picture", "own", "difference", "halved"]
    assert "The level of 32 px is faded in: 50% of its own branch" in panel.words.text()
    assert [button.text() for button in panel.levels.buttons] == ["4 px", "8 px", "16 px", "32 px"]
    assert not any(button.isChecked() for button in panel.levels.buttons)
    assert "Its branch of the level before" in panel.facts.text and "16 to 32 px" in panel.facts.text
    panel.levels.buttons[1].click()
    d.settle()
    assert d.document.values("growth")["position"] == 1.0 and panel.form.values["position"] == 1.0
    assert [button.isChecked() for button in panel.levels.buttons] == [False, True, False, False]
    assert [name for name, (tile, _) in panel.tiles.items() if tile.isVisibleTo(panel)] == ["picture"]
    assert "complete" in panel.words.text() and "Its branch of the level before" not in panel.facts.text
    panel._grow(0.4, final=True)
    d.settle()
    assert "8 px is faded in: 40%" in panel.words.text()
