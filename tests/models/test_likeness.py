"""Weights of an architecture under other names: it is found by likeness, and loaded by order once it is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import get_model

from models.engine import registry
from models.types import Refusal


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
