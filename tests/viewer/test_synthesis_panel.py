"""The Class visualization panel: what it asks for, shows and offers; channels chosen in Activations; a second model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.viewer.explained import classifier, picture
from viewer.panels.synthesis import SynthesisPanel

Make = Callable[..., Any]


def test_it_makes_the_class_that_is_chosen_and_asks_a_second_model(desk: Make, tmp_path: Path) -> None:
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    d.settle()
    d.store.update(d.document.with_value("synthesise", steps=3, kept=2, starts=2).explaining(target="dog"))
    assert "synthesise" not in d.session.wanted, "only while the panel is in view"
    d.window.docks.show("synthesise")
    d.settle()
    panel = d.panel(SynthesisPanel)
    request, result = d.session.results["synthesise"]
    assert request.settings["target"] == "dog" and result.meta["target"] == "dog"
    assert panel.words.text() == result.meta["text"] and "second model" in panel.words.text()
    panel.pictures.picked.emit(1)
    assert panel.readout.text().startswith("Start 2: value") and "the network itself" in panel.readout.text()
    panel.strip.picked.emit(1)
    assert panel.readout.text() == f"After 3 steps: value {result.arrays['objective'][3, 0]:.3g}"
    wanted: list[str] = []
    panel.command_wanted.connect(wanted.append)
    assert panel.second.isVisibleTo(panel) and "beside-file" in d.window.commands
    d.store.update(d.document.with_beside("photos-resnet"))
    d.settle()
    assert not panel.second.isVisibleTo(panel)
    assert d.session.results["synthesise"][1].meta["other"]["name"] == "photos-resnet"
    assert "photos-resnet sees" in panel.words.text()
    # A channel, by default the one chosen in Activations.
    d.store.update(d.document.with_value("activations", chosen=2).with_value("synthesise", objective="channel"))
    d.settle()
    assert d.session.results["synthesise"][0].settings["channel"] == 2
    assert "channel 2 of" in panel.words.text()
    d.store.update(d.document.with_value("synthesise", channel=100_000))
    d.until(lambda: "there is no channel 100,000" in panel.words.text())


def test_without_a_picture_a_classifier_makes_the_chosen_class(desk: Make, tmp_path: Path) -> None:
    d = desk(model=classifier(tmp_path))
    d.store.update(d.document.with_value("synthesise", steps=3, kept=2, start="picture"))
    d.window.docks.show("synthesise")
    d.settle()
    panel = d.panel(SynthesisPanel)
    request, result = d.session.results["synthesise"]
    assert request.source is None and result.meta["start_from"] == "noise"
    assert result.meta["target"] == d.session.description.classes[0] and panel.words.text() == result.meta["text"]
    panel.target.picked.emit("dog")
    d.settle()
    assert d.document.target == "dog" and d.session.results["synthesise"][1].meta["target"] == "dog"
    assert not panel.picture.isHidden() and panel.target.currentText() == "dog"


def test_without_a_picture_a_detector_says_what_it_is_for(desk: Make) -> None:
    d = desk(model="digits-ssd")
    d.window.docks.show("synthesise")
    panel = d.panel(SynthesisPanel)
    d.until(lambda: "typical member of a class" in panel.words.text())
    assert not panel.second.isVisibleTo(panel) and not panel.target.isVisibleTo(panel)
