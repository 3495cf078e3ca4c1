"""Segmentation networks told by their names, rebuilt from their tensors: the same scores of pixels to 1e-6."""

from __future__ import annotations

from pathlib import Path

import pytest
import segmentation_networks as nets
import torch
from small_networks import settled

from models.cards.card import PHOTOS
from models.engine.engine import Engine
from models.families.find import find
from models.requests import Request
from models.types import Result, Source


@pytest.mark.parametrize("name", nets.NETWORKS)
def test_the_scores_of_pixels_are_those_of_the_network_that_was_saved(name: str) -> None:
    net = settled(nets.NETWORKS[name](), side=64, channels=3)
    proposal = find(net.state_dict())
    assert proposal is not None and proposal.task == "segmentation"
    made = proposal.build({key: item["choices"][0] for key, item in proposal.offered.items()})
    made.load_state_dict(proposal.renamed(net.state_dict()))
    x = torch.rand(1, 3, 96, 64, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        right = net.double()(x)
        torch.testing.assert_close(made.eval().double()(x), right, rtol=1e-6, atol=1e-6)
        assert made(x[..., :90, :50]).shape == (1, right.shape[1], 90, 50)  # any size of picture
    assert len(proposal.classes) == max(2, right.shape[1])


def test_a_file_labels_pixels_of_a_photograph(tmp_path: Path) -> None:
    net = settled(nets.NestedUNet(nested=False), side=64, channels=3)
    name = str(tmp_path / "w.pth")
    torch.save({"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}}, name)
    engine = Engine(threads=1)
    result = engine.run(Request.make("segment", name, Source.file(PHOTOS / "cat.jpg")))
    assert isinstance(result, Result)
    about = engine.model(name).card.about
    assert about["assumptions"]["enlarged"]["value"] == "aligned" and "nats" in about["note"]
