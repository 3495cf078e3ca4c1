"""Small classifiers of convolutions by channel: MobileNet, MobileNetV2, EfficientNet, as for CIFAR.

A block is a convolution by channel between two across channels, or before one; it may weigh its channels (squeeze and
excitation) and have a shortcut. Blocks lie in one numbered container of any name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families import heads
from models.families.proposal import (
    ACTIVATION,
    ACTIVATIONS,
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

BLOCK = re.compile(r"^(\w+)\.0\.conv1\.weight$")
EFFICIENT = (1, 2, 2, 2, 1, 2, 1)  # strides of EfficientNet's stages after the first layer (Tan and Le 2019)
STEMS = {"1": "keeps the size", "2": "halves the size"}


class Block(nn.Module):
    """A convolution by channel with those beside it, at the names of the file."""

    def __init__(self, shapes: Shapes, *, stride: int, activation: str) -> None:
        super().__init__()
        self.names = [name for name in ("conv1", "conv2", "conv3") if f"{name}.weight" in shapes]
        sizes = [shapes[f"{name}.weight"] for name in self.names]
        self.activation = ACTIVATIONS[activation]()
        width = sizes[0][1] if len(sizes) == 3 else sizes[0][0]
        self.width, self.out = width, sizes[-1][0]
        for at, (name, (out, inside, side, _)) in enumerate(zip(self.names, sizes, strict=True), 1):
            own = (len(sizes) == 3 and at == 2) or (len(sizes) == 2 and at == 1)
            conv = nn.Conv2d(
                width, out, side, stride if own else 1, side // 2, groups=width // inside, bias=f"{name}.bias" in shapes
            )
            self.add_module(name, conv)
            self.add_module(f"bn{at}", nn.BatchNorm2d(out))
            width = out
        self.squeezes = "se.se1.weight" in shapes
        if self.squeezes:
            for name in ("se.se1", "se.se2"):
                out, inside = shapes[f"{name}.weight"][:2]
                place(self, name, nn.Conv2d(inside, out, 1, bias=f"{name}.bias" in shapes))
        self.side = "shortcut.0.weight" in shapes
        if self.side:
            out, inside = shapes["shortcut.0.weight"][:2]
            parts: list[nn.Module] = [nn.Conv2d(inside, out, 1, bias="shortcut.0.bias" in shapes)]
            parts += [nn.BatchNorm2d(out)] if "shortcut.1.weight" in shapes else []
            self.shortcut = nn.Sequential(*parts)
        self.added = len(sizes) == 3 and stride == 1 and (self.side or self.width == self.out)
        # EfficientNet's first block does not widen: its first convolution is stored, and never used.
        self.bare = self.squeezes and sizes[0][0] == sizes[0][1]

    def forward(self, x: Tensor) -> Tensor:
        out, last = x, len(self.names)
        for at, name in enumerate(self.names, 1):
            if at == 1 and self.bare:
                continue
            if at == last and self.squeezes:
                share = self.activation(self.get_submodule("se.se1")(functional.adaptive_avg_pool2d(out, 1)))
                out = out * self.get_submodule("se.se2")(share).sigmoid()
            out = self.get_submodule(f"bn{at}")(self.get_submodule(name)(out))
            out = self.activation(out) if at < last or last == 2 else out
        if not self.added:
            return out
        return out + (self.shortcut(x) if self.side else x)


class InvertedNet(RebuiltClassifier):
    """A stem, blocks, at most one more convolution, the mean over all pixels, and the head."""

    def __init__(self, shapes: Shapes, container: str, strides: Sequence[int], assumed: Mapping[str, str]) -> None:
        super().__init__()
        out, self.channels, side, _ = shapes["conv1.weight"]
        activation = assumed.get("activation", "relu")
        step = int(assumed.get("stem", "1"))
        self.conv1 = nn.Conv2d(self.channels, out, side, step, side // 2, bias="conv1.bias" in shapes)
        self.bn1 = nn.BatchNorm2d(out)
        self.activation = ACTIVATIONS[activation]()
        blocks = [
            Block(under(shapes, f"{container}.{number}."), stride=stride, activation=activation)
            for number, stride in zip(indices(shapes, f"{container}."), strides, strict=True)
        ]
        self.container = container
        self.add_module(container, nn.Sequential(*blocks))
        self.widened = "conv2.weight" in shapes
        if self.widened:
            out, inside = shapes["conv2.weight"][:2]
            self.conv2, self.bn2 = nn.Conv2d(inside, out, 1, bias="conv2.bias" in shapes), nn.BatchNorm2d(out)
        self.head = heads.name_of(shapes)
        self.add_module(self.head, heads.build(shapes, self.head, activation))

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self.get_submodule(self.container)(self.activation(self.bn1(self.conv1(x))))
        x = self.activation(self.bn2(self.conv2(x))) if self.widened else x
        return self.get_submodule(self.head)(pooled(x))


def propose(shapes: Shapes) -> Proposal | None:
    """Return the network that has these tensors, None if it is none."""
    container = next((found[1] for name in shapes if (found := BLOCK.match(name))), "")
    if not container or "conv1.weight" not in shapes or not heads.name_of(shapes):
        return None
    numbers = indices(shapes, f"{container}.")
    blocks = [under(shapes, f"{container}.{number}.") for number in numbers]
    try:
        strides, kind = _strides(blocks)
        build = partial(InvertedNet, shapes, container, strides)
        first = "silu" if "se.se1.weight" in blocks[0] else "relu"
        with torch.device("meta"):
            net = build({"activation": first})
    except (KeyError, IndexError, ValueError, RuntimeError, ZeroDivisionError):
        return None
    if not same(shapes, net):
        return None
    count, channels = heads.outputs(shapes, net.head), net.channels
    ways = (first, *(way for way in ("relu", "silu", "leaky_relu_01", "elu") if way != first))
    offered: dict[str, dict[str, Any]] = {
        "stem": choice("First layer", "What the first convolution does to the size.", tuple(STEMS), STEMS),
        "activation": {**ACTIVATION, "choices": ways},
    }
    return Proposal(
        title=f"{kind} of {len(blocks)} blocks for small pictures",
        task="classification",
        build=build,
        channels=channels,
        classes=CIFAR_10 if count == len(CIFAR_10) and channels == 3 else numbered(count),
        inputs=("cifar10", "cifar100", "imagenet", "minus_one_one", "zero_one"),
        offered=offered,
        judged=tuple(offered),
    )


def _strides(blocks: Sequence[Shapes]) -> tuple[list[int], str]:
    """Return the stride of each block and the name of the kind. Raises ValueError for blocks of another kind.

    Where blocks have shortcuts, one that changes width without a convolution on its shortcut has none, because it
    halves the size. MobileNet halves where it gets wider, but for the first time.
    """
    found, stage = [], -1
    deep = "conv3.weight" in blocks[0]
    beside = any("shortcut.0.weight" in block for block in blocks)
    kind = "EfficientNet" if "se.se1.weight" in blocks[0] else "MobileNetV2" if deep else "MobileNet"
    for at, block in enumerate(blocks):
        middle = block["conv2.weight" if deep else "conv1.weight"]
        if middle[1] != 1 or middle[2] == 1:
            raise ValueError("no convolution by channel")
        given = block["conv1.weight"][1 if deep else 0]
        made = block["conv3.weight" if deep else "conv2.weight"][0]
        if kind == "EfficientNet":
            stage += made != given
            found.append(EFFICIENT[min(stage, 6)] if made != given else 1)
        elif deep and beside:
            found.append(2 if made != given and "shortcut.0.weight" not in block else 1)
        else:
            found.append(2 if made != given and at else 1)
    return found, kind
