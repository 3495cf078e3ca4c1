"""CenterNet and CRAFT, rebuilt from their tensors: the same maps to 1e-6."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import heat_map_networks as nets
import pytest
import torch
from small_networks import settled

from models.engine import registry
from models.families.find import find

NETWORKS: dict[str, Any] = {
    "CenterNet": nets.CenterNet,
    "CenterNet with deformable convolutions": lambda: nets.CenterNet(moved=True),
    "CRAFT": nets.TextMaps,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_maps_are_those_of_the_network_that_was_saved(name: str) -> None:
    net = settled(NETWORKS[name](), side=128, channels=3)
    proposal = find(net.state_dict())
    assert proposal is not None
    made = proposal.build({})
    made.load_state_dict(net.state_dict())
    x = torch.rand(1, 3, 128, 160, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        torch.testing.assert_close(made.eval().double()(x), net.double()(x), rtol=1e-6, atol=1e-6)


def test_centers_open_with_the_preparation_of_their_code(tmp_path: Path) -> None:
    net = settled(nets.CenterNet(), side=128, channels=3)
    torch.save({"epoch": 140, "state_dict": net.state_dict()}, tmp_path / "model_best.pth")
    model = registry.open_model(str(tmp_path / "model_best.pth"))
    assert model.card.task == "detection" and "CenterNet" in model.card.about["note"]
    assert model.preprocess.order == "bgr" and model.preprocess.mean == pytest.approx((0.408, 0.447, 0.470))


def test_a_network_for_text_opens_with_its_maps(tmp_path: Path) -> None:
    net = settled(nets.TextMaps(), side=128, channels=3)
    torch.save({f"module.{k}": v for k, v in net.state_dict().items()}, tmp_path / "craft.pth")
    model = registry.open_model(str(tmp_path / "craft.pth"))
    assert not model.card.about.get("unknown") and "CRAFT" in model.card.about["note"]
