"""The model's panel: facts, choices that open it anew, its card edited and saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import get_model

from models.cards import card as cards
from models.cards import class_names
from viewer.panels.model import NO_FILE, ModelPanel

from .conftest import SAMPLES

Make = Callable[..., Any]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    net = get_model("squeezenet1_1", weights=None, num_classes=10)
    states = {f"model.{k}": v for k, v in net.state_dict().items()}
    average = {f"ema_model.{k}": v * 0.5 for k, v in net.state_dict().items()}
    torch.save({"state_dict": {**states, **average}}, tmp_path / "mine.ckpt")
    return tmp_path / "mine.ckpt"


def opened(desk: Make, model: str) -> tuple[Any, ModelPanel]:
    d = desk(SAMPLES[0], model=model)
    d.until(lambda: d.session.description is not None)
    d.run("panel-model")
    d.settle()
    panel = d.window.panels["model"]
    assert isinstance(panel, ModelPanel)
    return d, panel


def test_facts_and_a_message_tell_how_the_file_was_recognised(desk: Make, weights: Path) -> None:
    d, panel = opened(desk, str(weights))
    assert "Network: squeezenet1_1 · SqueezeNet" in panel.facts.text and "Classes: 10" in panel.facts.text
    assert panel.note.text() == "Recognised by its tensors."
    assert any("Assumed: " in m.text and "weights in the file model" in m.text for m in d.window.toasts.messages)


def test_the_average_is_chosen_undone_and_left_again(desk: Make, weights: Path) -> None:
    d, panel = opened(desk, str(weights))
    first = d.session.results["classify"][1].arrays["scores"].copy()
    panel.choices.rows["entry"].reported.emit("entry", "ema_model", True)
    d.settle()
    assert d.document.model == f"{weights}?entry=ema_model"
    assert not (d.session.results["classify"][1].arrays["scores"] == first).all()
    panel.choices.rows["precision"].reported.emit("precision", "bfloat16", True)
    d.settle()
    assert d.document.model == f"{weights}?entry=ema_model&precision=bfloat16"
    panel.choices.rows["entry"].reported.emit("entry", "model", True)
    d.settle()
    assert d.document.model == f"{weights}?precision=bfloat16", "what opens by itself is not written down"
    d.run("undo")
    d.settle()
    assert panel.choices.rows["entry"].value == "ema_model"
    panel.choices.reset.click()
    d.settle()
    assert d.document.model == str(weights)
    assert (d.session.results["classify"][1].arrays["scores"] == first).all()


def test_a_saved_card_takes_hold_at_once_and_is_read_next_time(desk: Make, weights: Path) -> None:
    d, panel = opened(desk, str(weights))
    before = d.session.results["classify"][1].arrays["scores"].copy()
    panel.names.set_names(class_names.names("cifar-10"))
    panel.preprocessing.set_values({"mean": "0.5, 0.5, 0.5", "std": "0.5, 0.5, 0.5"})
    panel.save.click()
    d.settle()
    card = json.loads((weights.parent / "mine.json").read_text())
    assert card["classes"] == list(class_names.names("cifar-10")) and card["preprocessing"]["mean"] == [0.5] * 3
    assert d.session.description.classes[3] == "cat"
    assert not (d.session.results["classify"][1].arrays["scores"] == before).all()
    assert panel.said.text() == "Saved as mine.json beside the weights."
    assert cards.of_file(weights).classes[3] == "cat"


def test_what_makes_no_picture_is_not_saved(desk: Make, weights: Path) -> None:
    _, panel = opened(desk, str(weights))
    for name, value, words in (
        ("std", "0.5, 0, 0.5", "none 0"),
        ("mean", "a, b", "not three numbers"),
        ("resize", 100, "cannot be cut to 224 x 224"),
    ):
        panel.revert.click()
        panel.preprocessing.set_values({name: value})
        panel.save.click()
        assert words in panel.said.text()
        assert not (weights.parent / "mine.json").exists()


def test_a_card_in_a_folder_that_cannot_be_written_to_is_kept_elsewhere(
    desk: Make, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    d, panel = opened(desk, str(weights))
    whole = cards.write_whole

    def refused(path: Path, content: bytes) -> None:
        if path.parent == weights.parent:
            raise PermissionError("read-only")
        whole(path, content)

    monkeypatch.setattr(cards, "write_whole", refused)
    panel.names.set_names([f"n{i}" for i in range(10)])
    panel.save.click()
    d.settle()
    assert d.session.description.classes[9] == "n9" and not (weights.parent / "mine.json").exists()
    monkeypatch.setattr(cards, "write_whole", whole)
    panel.names.set_names([f"m{i}" for i in range(10)])
    panel.save.click()
    d.settle()
    assert d.session.description.classes[9] == "m9", "the newer one is read, not the one kept elsewhere"


def test_names_of_another_number_are_left_out_and_told(desk: Make, weights: Path) -> None:
    d, panel = opened(desk, str(weights))
    panel.names.set_names(["a", "b"])
    assert panel.names.count.text() == "2 names, the network has 10 classes"
    panel.save.click()
    d.settle()
    assert d.session.description.classes[1] == "class 1"
    assert "names 2 classes, the network has 10" in panel.note.text()


def test_a_bundled_models_card_is_shown_and_not_edited(desk: Make) -> None:
    _, panel = opened(desk, "photos-resnet")
    assert panel.said.text() == NO_FILE and not panel.save.isEnabled()
    assert panel.preprocessing.values["width"] == 32 or panel.preprocessing.values["width"] > 0
    assert "CIFAR-10 (fits)" in [panel.names.sets.itemText(i) for i in range(panel.names.sets.count())]


def test_a_file_of_names_is_read_or_its_fault_told(desk: Make, weights: Path, tmp_path: Path) -> None:
    _, panel = opened(desk, str(weights))
    (tmp_path / "names.txt").write_text("\ufeffone\ntwo\n\n", encoding="utf-8")
    panel.names.load(tmp_path / "names.txt")
    assert panel.names.names == ("one", "two")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00")
    panel.names.load(tmp_path / "bad.txt")
    assert "cannot be read as text" in panel.names.count.text() and panel.names.names == ("one", "two")


def test_choices_that_cannot_be_keep_the_model_that_was(desk: Make, weights: Path) -> None:
    d, _ = opened(desk, str(weights))
    d.store.update(d.document.with_model(f"{weights}?device=cuda:9"), title="Elsewhere")
    d.settle()
    assert d.document.model == str(weights)
    told = next(m for m in d.window.toasts.messages if "no device 'cuda:9'" in m.text)
    assert "mine.ckpt stays open instead" in told.text and told.stays


def test_a_model_named_at_the_start_is_among_the_recent_ones(desk: Make, weights: Path) -> None:
    d, _ = opened(desk, str(weights))
    assert d.window.settings.recent_models[0] == str(weights)


def test_weights_that_nearly_fit_are_listed_tensor_by_tensor(desk: Make, weights: Path) -> None:
    state = torch.load(weights, weights_only=True)["state_dict"]
    del state["model.features.0.bias"], state["ema_model.features.0.bias"]
    torch.save({"state_dict": state}, weights)
    d = desk(SAMPLES[0])
    d.session.open_model(str(weights))
    d.settle()
    told = d.window.toasts.messages[-1]
    assert (
        told.text.startswith("mine.ckpt: Vitrine knows no network with these tensors") and "squeezenet1_1" in told.text
    )
    assert "features.0.bias: 64" in told.details


def test_weights_of_no_known_network_offer_three_ways_on(desk: Make, weights: Path) -> None:
    state = torch.load(weights, weights_only=True)["state_dict"]
    plain = {name: tensor for name, tensor in state.items() if name.startswith("model.")}
    # No name tells the family, so that opening the file compares the common architectures only.
    torch.save({f"own{at}.{name.rpartition('.')[2]}": t for at, (name, t) in enumerate(plain.items())}, weights)
    d = desk(SAMPLES[0], model=str(weights))
    d.until(lambda: d.session.description is not None)
    d.settle()
    panel = d.window.panels["model"]
    assert isinstance(panel, ModelPanel) and panel.isVisible(), "the window leads there by itself"
    told = d.window.toasts.messages[-1]
    assert told.action is not None and told.action[0] == "Say what it is"
    ways = panel.unknown
    assert ways.isVisibleTo(panel) and "Vitrine knows no network" in panel.note.text()
    wanted: list[str] = []
    panel.command_wanted.connect(wanted.append)
    ways.card.click()
    assert panel.section.opened
    ways.code.click()
    assert wanted == ["open-code"]
    assert "squeezenet1_1" not in dict(d.session.description.about["alike"])
    found = ways.architectures.itemData(1), ways.architectures.itemText(1)
    assert found == ("squeezenet1_1", "squeezenet1_1 (100% of the tensors)"), "all published ones have been compared"
    ways.architectures.setCurrentIndex(1)
    ways.architectures.activated.emit(1)
    d.settle()
    assert d.document.model == f"{weights}?architecture=squeezenet1_1"
    assert not ways.isVisibleTo(panel) and "Classifies" in d.session.description.capabilities
    d.run("undo")
    d.settle()
    assert ways.isVisibleTo(panel) and ways.architectures.itemData(1) == "squeezenet1_1", "what was found stays"
