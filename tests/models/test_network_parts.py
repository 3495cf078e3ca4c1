"""Parts of networks: each is recognised by its form, with what passes by and what a cell sees before and after."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adapters.yolo import ADAPTER
from models.bundled.yolo import CSP, SPP
from models.features import function_graph, network_parts
from models.features.network_parts import Part


def parts(net: nn.Module, shape: tuple[int, ...] = (1, 3, 64, 64)) -> list[Part]:
    """The parts of a network in one pass."""
    subject: Any = SimpleNamespace(net=net.eval(), input=torch.rand(shape), scores=net)
    return network_parts.find(function_graph.of(subject))


class Blocks(nn.Module):
    """A convolution, then something."""

    def __init__(self, after: nn.Module) -> None:
        super().__init__()
        self.stem, self.after = nn.Conv2d(3, 8, 3, 2, 1), after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.stem(x))


class Chained(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        found = [x]
        for _ in range(3):
            found.append(functional.max_pool2d(found[-1], 5, 1, 2))
        return torch.cat(found, 1)


class Dense(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(8, 4, 3, 1, 1), nn.Conv2d(12, 4, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat([x, self.one(x)], 1)
        return torch.cat([y, self.two(y)], 1)


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.conv(x.mean((2, 3), keepdim=True)).sigmoid()


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.thin = nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = (x + self.two(self.one(x).relu_())).relu_()
        return self.thin(x) + self.two(self.one(x).relu())


def test_csp_and_the_shortcut_inside_it() -> None:
    inner, outer = parts(Blocks(CSP(8, 12)))
    assert (inner.kind, inner.past, inner.channels) == (network_parts.SHORTCUT, 6, 6)
    assert (outer.kind, outer.past, outer.channels, outer.branches) == (network_parts.CSP, 6, 12, 2)
    assert (outer.joined, outer.begins, outer.size) == ("after", "stem", (32, 32))
    assert (outer.before, outer.after) == (3, 7), "a 3x3 at stride 2 sees 3 px, another 3x3 on its cells 4 px more"


@pytest.mark.parametrize(("net", "kind", "sees"), [(SPP(8, 8), "spp", 13), (Chained(), "sppf", 13)])
def test_pools_side_by_side_and_in_a_chain(net: nn.Module, kind: str, sees: int) -> None:
    (part,) = parts(Blocks(net))
    assert part.kind == kind and part.branches == 4 and part.past == part.channels // 4
    assert part.after - part.before == (sees - 1) * 2, "both see 13 cells of 2 px"


def test_dense_connections_and_gates() -> None:
    first, second = parts(Blocks(Dense()))
    assert (first.kind, first.past, first.channels) == ("dense", 8, 12)
    assert (second.kind, second.past, second.channels) == ("dense", 12, 16)
    (gate,) = parts(Blocks(Gated()))
    assert (gate.kind, gate.past) == ("gate", 8) and gate.after == float("inf")


def test_shortcuts_through_values_changed_in_place_and_through_a_projection() -> None:
    assert [(p.kind, p.past) for p in parts(Blocks(Residual()))] == [("shortcut", 8), ("projected shortcut", 0)]


def test_the_bundled_detector_has_every_part_of_its_kind() -> None:
    found = parts(ADAPTER.tiny(), (1, 3, 96, 96))
    counts = Counter(part.kind for part in found)
    assert counts == {"shortcut": 9, "fpn": 2, "csp": 3, "pan": 2, "spp": 1, "top-down": 2}
    assert all(part.after >= part.before for part in found)


def test_a_plain_chain_has_none() -> None:
    assert not parts(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)))
