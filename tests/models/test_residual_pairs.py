"""A tutorial's nine-layer residual network, which is no chain of layers though each fits the one before."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.engine import registry
from models.families import chain
from models.families.find import find


def _block(a: int, b: int, pool: int = 0) -> nn.Sequential:
    layers = [nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU()]
    return nn.Sequential(*layers, *([nn.MaxPool2d(pool)] if pool else []))


class Nine(nn.Module):
    def __init__(self, pool: int = 2, classes: int = 10, wide: int = 1) -> None:
        super().__init__()
        self.conv1, self.conv2 = _block(3, 16), _block(16, 32, pool)
        self.res1 = nn.Sequential(_block(32, 32), _block(32, 32))
        self.conv3, self.conv4 = _block(32, 48, pool), _block(48, 64, pool)
        self.res2 = nn.Sequential(_block(64, 64), _block(64, 64))
        last = nn.Linear(64 * wide**2, classes)
        self.classifier = nn.Sequential(nn.MaxPool2d(4), nn.Flatten(), nn.Dropout(0.2), last)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2(self.conv1(x))
        x = self.res1(x) + x
        x = self.conv4(self.conv3(x))
        return self.classifier(self.res2(x) + x)


@pytest.mark.parametrize(
    ("pool", "side", "wide", "given"),
    [(2, 32, 1, "smaller=halved"), (4, 256, 1, "smaller=quartered"), (2, 64, 2, "activation=relu")],
)
def test_its_scores_are_those_of_the_network_that_was_saved(
    pool: int, side: int, wide: int, given: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    net = Nine(pool, wide=wide).eval()
    torch.save(net.state_dict(), tmp_path / "resnet9.pth")
    model = registry.open_model(f"{tmp_path / 'resnet9.pth'}?{given}")
    x = torch.rand(2, 3, side, side)
    with torch.no_grad():
        torch.testing.assert_close(model.net(x), net(x), rtol=1e-4, atol=1e-5)
    assert model.preprocess.size == (side, side)


@pytest.mark.parametrize(
    "name", ["res1", "residual", "res_block2", "shortcut", "skip_connection", "attention", "se_layer"]
)
def test_layers_whose_module_says_that_its_input_goes_on_are_no_chain(name: str) -> None:
    plain = {"conv1.weight": (8, 3, 3, 3), "MIDDLE.0.weight": (8, 8, 3, 3), "fc.weight": (10, 8)}
    assert chain.parse({key.replace("MIDDLE", "conv2"): shape for key, shape in plain.items()})
    assert not chain.parse({key.replace("MIDDLE", name): shape for key, shape in plain.items()})
    assert find({key.replace("MIDDLE", name): torch.zeros(shape) for key, shape in plain.items()}) is None
