"""From a channel in one panel to the same channel in the others: filters, activations, top patches."""

from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from models.requests import Request
from models.types import Result
from viewer.panels.activations import ActivationPanel
from viewer.panels.filters import FilterPanel
from viewer.panels.patches import PatchesPanel
from viewer.session.document import Document
from viewer.session.history import Store


@pytest.mark.parametrize(("title", "command"), [("Top patches", "show-patches"), ("Activations", "show-activations")])
def test_a_filter_leads_to_its_channel(qtbot: QtBot, title: str, command: str) -> None:
    panel = FilterPanel(Store(Document()))
    qtbot.addWidget(panel)
    panel._result = Result({}, {"layer": "layer1.0.conv2"})
    with qtbot.waitSignal(panel.command_wanted) as wanted:
        dict(panel._offers(3))[title]()
    document = panel.store.document
    assert wanted.args == [command] and document.layer == "layer1.0.conv2"
    assert document.values("activations")["chosen"] == document.values("neuron_conductance")["channel"] == 3
    panel._result = None  # a later event would paint it


def test_a_channel_of_the_activations_leads_to_its_patches(qtbot: QtBot) -> None:
    panel = ActivationPanel(Store(Document()))
    qtbot.addWidget(panel)
    with qtbot.waitSignal(panel.command_wanted) as wanted:
        dict(panel._offers(5))["Top patches"]()
    assert wanted.args == ["show-patches"] and panel.store.document.values("activations")["chosen"] == 5


def test_patches_lead_back_to_activations_and_filters(qtbot: QtBot) -> None:
    panel = PatchesPanel(Store(Document()))
    qtbot.addWidget(panel)
    with qtbot.assertNotEmitted(panel.command_wanted):
        panel.to_filters.click()  # there are no patches yet
    meta = {"layer": "layer2.0.conv1", "channel": 7}
    panel._answer = Request.make("patches", "photos-resnet"), Result({"value": np.zeros(0)}, meta)
    for button, name in ((panel.to_filters, "filters"), (panel.to_activations, "activations")):
        with qtbot.waitSignal(panel.command_wanted) as wanted:
            button.click()
        assert wanted.args == [f"show-{name}"]
    document = panel.store.document
    assert document.values("filters") == {"layer": "layer2.0.conv1", "channel": 7}
    assert document.layer == "layer2.0.conv1" and document.values("activations")["chosen"] == 7
    panel._answer = None
