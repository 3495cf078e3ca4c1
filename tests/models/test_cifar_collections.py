"""Classifiers of the best-known collections for CIFAR, rebuilt from their tensors: the same scores to 1e-6."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cifar100_networks as hundred
import cifar_networks as ten
import pytest
import small_networks as small
import torch

from models.engine import registry
from models.families.find import find

NETWORKS: dict[str, Callable[[], Any]] = {
    "SimpleDLA": lambda: ten.Aggregation(ten.SimpleTree),
    "DLA": lambda: ten.Aggregation(ten.Tree),
    "dual path": ten.DualPathNet,
    "PNASNet-A": lambda: ten.ProgressiveNet(ten.CellA),
    "PNASNet-B": lambda: ten.ProgressiveNet(ten.CellB),
    "ShuffleNet": ten.ShuffleNet,
    "ShuffleNet V2": ten.ShuffleNetV2,
    "ShuffleNet V2 in branches": ten.BranchNet,
    "ShuffleNet V2 for 100 classes": lambda: ten.BranchNet(("shortcut", "residual")),
    "RepVGG": ten.RepVGG,
    "RepVGG as one convolution each": lambda: ten.RepVGG(fused=True),
    "wide residual": ten.WideResNet,
    "wide residual, other shortcuts": ten.RawWideNet,
    "MobileNetV2 by torchvision's names": ten.FeaturesNet,
    **{f"numbered, {kind}": (lambda kind=kind: ten.NumberedNet(kind)) for kind in ten.KINDS},
    "Inception V3": hundred.InceptionV3,
    "Inception V4": hundred.InceptionV4,
    "GoogLeNet": hundred.GoogLeNet,
    "Xception": hundred.Xception,
    "SqueezeNet": hundred.SqueezeNet,
    "DenseNet": hundred.DenseNet,
    "MobileNet": hundred.MobileNet,
    "MobileNetV2": hundred.MobileNetV2,
    "NASNet-A": hundred.NASNet,
}


def shapes_of(net: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_rebuilt_network_gives_the_scores_of_the_one_that_was_saved(name: str) -> None:
    net = small.settled(NETWORKS[name](), side=32, channels=3)
    proposal = find(net.state_dict())
    assert proposal is not None and proposal.task == "classification" and proposal.channels == 3
    made = proposal.build({key: item["choices"][0] for key, item in proposal.offered.items()})
    made.load_state_dict(proposal.renamed(net.state_dict()))
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        torch.testing.assert_close(made.eval().double()(x), net.double()(x), rtol=1e-6, atol=1e-6)
    assert len(proposal.classes) == net(x).shape[1]


@pytest.mark.parametrize("name", ["numbered, stochastic", "wide residual, other shortcuts"])
def test_a_file_opens_with_its_classes_and_what_is_assumed(name: str, tmp_path: Path) -> None:
    net = small.settled(NETWORKS[name](), side=32, channels=3)
    torch.save({"net": net.state_dict(), "acc": 77.0, "epoch": 200}, tmp_path / "ckpt.pth")
    model = registry.open_model(str(tmp_path / "ckpt.pth"))
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x), rtol=1e-4, atol=1e-4)
    assert model.card.classes[0] == ("apple" if len(model.card.classes) == 100 else "airplane")
    assert "depth" in model.card.about["assumptions"] or "beside" in model.card.about["assumptions"]
    assert "nats" in model.card.about["note"]


def test_statistics_tell_whether_blocks_were_left_out_in_training(tmp_path: Path) -> None:
    """The names of a network with stochastic depth on one whose blocks all count."""
    net = ten.NumberedNet("stochastic")
    for block in net.modules():
        if isinstance(block, ten.Residual):
            block.kept, block.after = 1.0, torch.nn.functional.relu
    small.settled(net, side=32, channels=3)
    torch.save(net.state_dict(), tmp_path / "w.pth")
    model = registry.open_model(str(tmp_path / "w.pth"))
    assert model.card.about["assumptions"]["depth"]["value"] == "whole"


def test_a_layer_that_no_part_of_the_network_uses_is_not_taken_for_its_own() -> None:
    net = ten.ShuffleNet()
    net.extra = torch.nn.Conv2d(3, 4, 3)
    assert find(net.state_dict()) is None
