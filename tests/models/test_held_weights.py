"""What training scripts store beside a network's tensors, and around their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.engine import registry
from models.loading import checkpoint, weights


class Small(nn.Module):
    """A tutorial's network with three classes."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, classes)


def _state(prefix: str = "", seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return {prefix + name: tensor for name, tensor in Small().state_dict().items()}


NAMES = ("cat", "dog", "fox")
STATED: tuple[dict[str, Any], ...] = (
    {"hyper_parameters": {"lr": 1e-3, "class_names": [*NAMES]}, "pytorch-lightning_version": "2.1.0", "epoch": 3},
    {"class_to_idx": {"fox": 2, "cat": 0, "dog": 1}, "epoch": 3},
    {"idx_to_class": {"0": "cat", "1": "dog", "2": "fox"}},
    {"meta": {"dataset_meta": {"CLASSES": NAMES}}},
    {"config": {"data": {"id2label": {0: "cat", 1: "dog", 2: "fox"}}}},
)


@pytest.mark.parametrize("stated", STATED, ids=lambda one: next(iter(one)))
def test_names_of_classes_that_a_file_states_are_used(stated: dict[str, Any], tmp_path: Path) -> None:
    torch.save({"state_dict": _state("model."), **stated}, tmp_path / "last.ckpt")
    card = registry.open_model(str(tmp_path / "last.ckpt")).card
    assert card.classes == NAMES
    assert "in the file" in card.about["note"]


@pytest.mark.parametrize(
    "stated",
    [
        {"classes": ["cat", "dog"]},
        {"classes": ["cat", "dog", 3]},
        {"class_to_idx": {"cat": 0, "dog": 1, "fox": 1}},
        {"class_to_idx": {"cat": 0, "dog": 1, "fox": 5}},
        {"labels": "fox"},
        {"classes": 3},
    ],
)
def test_what_names_no_class_or_too_few_is_not_used(stated: dict[str, Any], tmp_path: Path) -> None:
    torch.save({"state_dict": _state(), **stated}, tmp_path / "last.pth")
    assert registry.open_model(str(tmp_path / "last.pth")).card.classes == ("class 0", "class 1", "class 2")


def test_a_cards_own_names_stay(tmp_path: Path) -> None:
    torch.save({"state_dict": _state(), "classes": [*NAMES]}, tmp_path / "last.pth")
    (tmp_path / "last.json").write_text('{"name": "own", "weights": "last.pth", "classes": ["a", "b", "c"]}')
    assert registry.open_model(str(tmp_path / "last.pth")).card.classes == ("a", "b", "c")


def test_names_are_read_without_the_tensors(tmp_path: Path) -> None:
    torch.save({"state_dict": _state(), "classes": [*NAMES]}, tmp_path / "last.pth")
    assert weights.stated_classes(tmp_path / "last.pth") == NAMES
    torch.save({"model": _state(), "classes": [*NAMES]}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert weights.stated_classes(tmp_path / "old.pth") == NAMES


@pytest.mark.parametrize("pair", [("encoder_q", "encoder_k"), ("online_model", "ema_model"), ("teacher", "student")])
def test_of_two_networks_that_learn_from_one_another_the_first_opens(pair: tuple[str, str], tmp_path: Path) -> None:
    one, other = (_state(f"module.{name}.", seed) for seed, name in enumerate(pair))
    beside = {"module.queue": torch.zeros(8, 16), "module.queue_ptr": torch.zeros(1)}
    torch.save({"state_dict": {**one, **other, **beside}, "epoch": 200}, tmp_path / "moco.pth.tar")
    for choice, state in (("", one), (f"?entry={pair[1]}", other)):
        net = registry.open_model(f"{tmp_path / 'moco.pth.tar'}{choice}").net
        wanted = next(tensor for name, tensor in state.items() if name.endswith("conv1.weight"))
        torch.testing.assert_close(net.get_parameter("conv1.weight"), wanted)


def test_an_attribute_of_any_name_around_a_network_is_left_out(tmp_path: Path) -> None:
    torch.save(_state("my_lenet.inner."), tmp_path / "w.pth")
    model = registry.open_model(str(tmp_path / "w.pth"))
    assert model.card.task == "classification"
    assert checkpoint.without_holder(_state()) is None
    assert checkpoint.without_holder({"0.weight": torch.zeros(2, 2)}) is None
