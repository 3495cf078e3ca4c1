"""Classifiers for small pictures that put maps side by side: DenseNet and GoogLeNet, as for CIFAR."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families import heads
from models.families.proposal import (
    CIFAR_10,
    Proposal,
    RebuiltClassifier,
    Shapes,
    choice,
    indices,
    numbered,
    place,
    pooled,
    same,
    under,
)

INCEPTION = re.compile(r"^([a-e][2-9])\.b1\.0\.weight$")
ORDERS = {"new": "a layer's own maps come first", "old": "what a layer was given comes first"}


class _Dense(nn.Module):
    """A layer that adds maps to what it was given; `order` says which of them come first."""

    def __init__(self, shapes: Shapes, order: str) -> None:
        super().__init__()
        self.order = order
        self.names = [name for name in ("conv1", "conv2") if f"{name}.weight" in shapes]
        for at, name in enumerate(self.names, 1):
            out, inside, side, _ = shapes[f"{name}.weight"]
            self.add_module(f"bn{at}", nn.BatchNorm2d(inside))
            self.add_module(name, nn.Conv2d(inside, out, side, padding=side // 2, bias=f"{name}.bias" in shapes))

    def forward(self, x: Tensor) -> Tensor:
        out = x
        for at, name in enumerate(self.names, 1):
            out = self.get_submodule(name)(functional.relu(self.get_submodule(f"bn{at}")(out)))
        return torch.cat([out, x] if self.order == "new" else [x, out], 1)


class DenseNet(RebuiltClassifier):
    """Stages of dense layers, halved between (Huang et al. 2017)."""

    def __init__(self, shapes: Shapes, assumed: Mapping[str, str]) -> None:
        super().__init__()
        out, self.channels, side, _ = shapes["conv1.weight"]
        self.conv1 = nn.Conv2d(self.channels, out, side, padding=side // 2, bias="conv1.bias" in shapes)
        self.count = len({name.partition(".")[0] for name in shapes if re.match(r"dense\d+\.", name)})
        for at in range(1, self.count + 1):
            own = [under(shapes, f"dense{at}.{n}.") for n in indices(shapes, f"dense{at}.")]
            self.add_module(f"dense{at}", nn.Sequential(*(_Dense(one, assumed.get("order", "new")) for one in own)))
            if f"trans{at}.conv.weight" in shapes:
                out, inside = shapes[f"trans{at}.conv.weight"][:2]
                place(self, f"trans{at}.bn", nn.BatchNorm2d(inside))
                place(self, f"trans{at}.conv", nn.Conv2d(inside, out, 1, bias=f"trans{at}.conv.bias" in shapes))
        self.bn = nn.BatchNorm2d(shapes["bn.weight"][0])
        self.head = heads.name_of(shapes)
        self.add_module(self.head, heads.build(shapes, self.head))

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self.conv1(x)
        for at in range(1, self.count + 1):
            x = self.get_submodule(f"dense{at}")(x)
            if hasattr(self, f"trans{at}"):
                x = self.get_submodule(f"trans{at}.conv")(functional.relu(self.get_submodule(f"trans{at}.bn")(x)))
                x = functional.avg_pool2d(x, 2)
        return self.get_submodule(self.head)(pooled(functional.relu(self.bn(x))))


class _Inception(nn.Module):
    """Four branches side by side: convolutions with norms, and one after a pooling that keeps the size."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        for branch in ("b1", "b2", "b3", "b4"):
            own = under(shapes, f"{branch}.")
            first = indices(own, "")
            parts: list[nn.Module] = []
            for number in range(first[-1] + 2):
                weight = own.get(f"{number}.weight")
                if weight is not None and len(weight) == 4:
                    bias = f"{number}.bias" in own
                    parts.append(nn.Conv2d(weight[1], weight[0], weight[2], padding=weight[2] // 2, bias=bias))
                elif weight is not None:
                    parts.append(nn.BatchNorm2d(weight[0]))
                else:
                    parts.append(nn.MaxPool2d(3, 1, 1) if number == 0 else nn.ReLU())
            self.add_module(branch, nn.Sequential(*parts))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.get_submodule(branch)(x) for branch in ("b1", "b2", "b3", "b4")], 1)


class GoogLeNet(RebuiltClassifier):
    """Inception modules with norms (Szegedy et al. 2015), halved where their letters begin again."""

    def __init__(self, shapes: Shapes, assumed: Mapping[str, str]) -> None:
        super().__init__()
        stem = under(shapes, "pre_layers.")
        out, self.channels, side, _ = stem["0.weight"]
        conv = nn.Conv2d(self.channels, out, side, padding=side // 2, bias="0.bias" in stem)
        self.pre_layers = nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU())
        self.names = [found[1] for name in shapes if (found := INCEPTION.match(name))]
        for name in self.names:
            self.add_module(name, _Inception(under(shapes, f"{name}.")))
        self.head = heads.name_of(shapes)
        self.add_module(self.head, heads.build(shapes, self.head))

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x, stage = self.pre_layers(x), self.names[0][1]
        for name in self.names:
            if name[1] != stage:
                x, stage = functional.max_pool2d(x, 3, 2, 1), name[1]
            x = self.get_submodule(name)(x)
        return self.get_submodule(self.head)(pooled(x))


def propose(shapes: Shapes) -> Proposal | None:
    """Return the network that has these tensors, None if it is none."""
    offered: dict[str, dict[str, Any]] = {}
    if "dense1.0.conv1.weight" in shapes and "conv1.weight" in shapes:
        build, title = partial(DenseNet, shapes), "DenseNet for small pictures"
        offered["order"] = choice("Side by side", "Which maps come first.", tuple(ORDERS), ORDERS)
    elif "pre_layers.0.weight" in shapes and any(INCEPTION.match(name) for name in shapes):
        build, title = partial(GoogLeNet, shapes), "GoogLeNet for small pictures"
    else:
        return None
    try:
        with torch.device("meta"):
            net = build({})
    except (KeyError, IndexError, ValueError, RuntimeError):
        return None
    if not same(shapes, net):
        return None
    count = heads.outputs(shapes, net.head)
    return Proposal(
        title=title,
        task="classification",
        build=build,
        channels=net.channels,
        classes=CIFAR_10 if count == len(CIFAR_10) and net.channels == 3 else numbered(count),
        inputs=("cifar10", "cifar100", "imagenet", "minus_one_one", "zero_one"),
        offered=offered,
        judged=tuple(offered),
    )
