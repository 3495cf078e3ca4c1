"""Weights of an architecture under other names: it is found by likeness, and loaded by order once it is chosen."""

from __future__ import annotations

from pathlib import Path

import cifar_networks
import pytest
import torch
from torch import nn
from torchvision.models import get_model

from models.engine import registry
from models.engine.engine import Engine
from models.requests import Request
from models.types import Refusal, Result


def test_renamed_weights_open_as_the_architecture_that_is_chosen(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = get_model("squeezenet1_1", weights=None, num_classes=4).eval()
    body = {f"part.{at}.{name.rpartition('.')[2]}": t for at, (name, t) in enumerate(net.state_dict().items())}
    torch.save(
        {"features.0.weight": net.state_dict()["features.0.weight"], **dict(list(body.items())[1:])}, tmp_path / "w.pt"
    )
    model = registry.open_model(str(tmp_path / "w.pt"))
    assert model.card.about["unknown"] and model.card.about["alike"][0] == ("squeezenet1_1", 1.0)
    model = registry.open_model(f"{tmp_path / 'w.pt'}?architecture=squeezenet1_1")
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x))
    assert "matched by their order" in model.card.about["note"] and len(model.card.classes) == 4


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    net = get_model("squeezenet1_1", weights=None, num_classes=4)
    state = {name: t for name, t in net.state_dict().items() if not name.startswith("classifier")}
    torch.save({**state, "own.weight": torch.ones(4, 9)}, tmp_path / "w.pt")
    model = registry.open_model(f"{tmp_path / 'w.pt'}?architecture=squeezenet1_1")
    assert "its answers mean nothing" in model.card.about["note"]
    with pytest.raises(Refusal, match="no architecture 'squeezenet9'"):
        registry.open_model(f"{tmp_path / 'w.pt'}?architecture=squeezenet9")
    torch.save(nn.Linear(3, 2).state_dict(), tmp_path / "other.pt")
    with pytest.raises(Refusal, match="No tensor of other"):
        registry.open_model(f"{tmp_path / 'other.pt'}?architecture=squeezenet1_1")


def test_timms_architectures_are_compared_and_can_be_chosen(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    torch.manual_seed(0)
    net = timm.create_model("repvgg_a0", pretrained=False, num_classes=5).eval()
    state = {f"own{at}.{name.rpartition('.')[2]}": t for at, (name, t) in enumerate(net.state_dict().items())}
    torch.save(state, tmp_path / "w.pt")
    engine = Engine(threads=1)
    answer = engine.run(Request.make("likeness", str(tmp_path / "w.pt")))
    assert isinstance(answer, Result), answer
    assert answer.meta["names"][0].startswith("timm:repvgg_a0") and answer.arrays["shares"][0] == 1
    assert not engine.model(str(tmp_path / "w.pt")).card.about.get("preprocessing")
    chosen = registry.open_model(f"{tmp_path / 'w.pt'}?architecture=timm:repvgg_a0")
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(chosen.net(x), net(x))
    assert "matched by their order" in chosen.card.about["note"] and len(chosen.card.classes) == 5


def test_weights_named_like_a_known_network_say_so(tmp_path: Path) -> None:
    """A known network with a layer more: it is not guessed, and said what it is like."""
    net = cifar_networks.RepVGG()
    net.extra = nn.Conv2d(3, 4, 3)
    torch.save(net.state_dict(), tmp_path / "w.pt")
    about = registry.open_model(str(tmp_path / "w.pt")).card.about
    assert about["unknown"] and "of its layers are named as those of RepVGG" in about["note"]


def test_numbers_of_a_tool_that_counts_operations_are_left_out(tmp_path: Path) -> None:
    net = cifar_networks.ShuffleNet().eval()
    for module in net.modules():
        module.register_buffer("total_ops", torch.zeros(1, dtype=torch.float64))
        module.register_buffer("total_params", torch.zeros(1, dtype=torch.float64))
    torch.save(net.state_dict(), tmp_path / "w.pt")
    assert registry.open_model(str(tmp_path / "w.pt")).card.architecture == "ShuffleNet for small pictures"
