"""The panels Activation functions and Gates: what they show, replace, switch off, and say where there is nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PySide6.QtWidgets import QFileDialog

from models.pictures.images import save_png
from tests.viewer.explained import classifier, picture
from viewer.panels.activation_functions import ActivationFunctionsPanel
from viewer.panels.gates import GatesPanel

Make = Callable[..., Any]


def test_every_activation_function_is_listed_and_one_is_replaced(
    desk: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    d.settle()
    assert "activation_functions" not in d.session.wanted, "only while the panel is in view"
    d.window.docks.show("activation_functions")
    d.settle()
    panel = d.panel(ActivationFunctionsPanel)
    result = d.session.results["activation_functions"][1]
    assert panel.words.text() == result.meta["text"] and len(panel.table.rows) == len(result.meta["calls"])
    assert panel.table.rows[0][:2] == (result.meta["calls"][0], "ReLU")
    panel.table.setCurrentItem(panel.table.topLevelItem(1))
    np.testing.assert_array_equal(panel.chart.counts, result.arrays["counts"][1])
    assert result.meta["calls"][1] in panel.about.text() and "below zero" in panel.about.text()
    assert panel.form is not None
    panel.form.committed.emit("by", "Mish")
    d.settle()
    assert "With Mish in place of every one" in panel.words.text()
    panel.only.click()
    d.settle()
    assert f"in place of {result.meta['calls'][1]}" in panel.words.text()
    panel.only.click()
    d.settle()
    assert "every one" in panel.words.text()
    more = tmp_path / "more"
    more.mkdir()
    for seed in range(2):
        picture(more, seed=seed)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *rest: str(more))
    panel.rows["folder"].choose.click()
    d.settle()
    assert d.session.results["activation_functions"][1].meta["pictures"] == 3


GATED = """
import torch
from torch import nn

class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 3, stride=2)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 6, 1), nn.Sigmoid())
        self.place = nn.Sequential(nn.Conv2d(6, 1, 3, padding=1), nn.Sigmoid())
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        x = self.conv(x)
        x = x * self.gate(x)
        x = x * self.place(x)
        return self.fc(x.mean((2, 3)))

def build():
    return Gated()
"""


def test_gates_are_chosen_painted_and_switched_off(desk: Make, tmp_path: Path) -> None:
    space: dict[str, Any] = {}
    exec(GATED, space)
    program = torch.export.export(space["build"]().eval(), (torch.zeros(1, 3, 32, 32),))
    torch.export.save(program, tmp_path / "gated.pt2")
    save_png(np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8), tmp_path / "a.png")
    d = desk(tmp_path / "a.png", model=str(tmp_path / "gated.pt2"))
    d.settle()
    d.window.docks.show("gates")
    d.settle()
    panel = d.panel(GatesPanel)
    result = d.session.results["gates"][1]
    assert [gate["kind"] for gate in result.meta["gates"]] == ["channel", "spatial"]
    assert panel.words.text() == result.meta["text"] and panel.chart.isVisibleTo(panel)
    assert len(panel.chart.layers) == 6 and not panel.layers(d.document)
    panel.table.setCurrentItem(panel.table.topLevelItem(1))
    d.settle()
    assert "not an explanation" in panel.about.text() and len(panel.layers(d.document)) == 1
    panel.one.click()
    d.settle()
    off = d.session.results["gates"][1].meta
    assert off["off"] == off["gate"] and "Without" in panel.words.text()
    panel.every.click()
    d.settle()
    assert "Without all gates" in panel.words.text()
    panel.on.click()
    d.settle()
    assert "Without" not in panel.words.text() and not panel.on.isEnabled()


def test_a_network_without_gates_says_what_one_would_be(desk: Make, tmp_path: Path) -> None:
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    d.settle()
    d.window.docks.show("gates")
    panel = d.panel(GatesPanel)
    d.until(lambda: "has no gates" in panel.words.text())
    assert not panel.table.isVisibleTo(panel)
