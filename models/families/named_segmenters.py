"""Segmentation networks told by the names of well-known code: U-Nets of several kinds, nested ones, and U2-Net.

Among them are those of Segmentation Models with a ResNet before them, those whose way up enlarges before it convolves,
with attention gates too (Oktay et al. 2018), UNet++ (Zhou et al. 2018), and U2-Net (Qin et al. 2020).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.families.named_layers import NamedLayers, fitting
from models.families.proposal import ACTIVATION, Proposal, RebuiltSegmenter, Shapes, choice, numbered

STEP = 32  # what sides are made a multiple of
ENLARGED = {
    "aligned": "bilinear, corners on corners",
    "centred": "bilinear, pixels by area",
    "nearest": "nearest pixel",
}
PLAIN = {"resize": 256, "fit": "whole", "mean": [0.0] * 3, "std": [1.0] * 3}
IMAGENET = {"resize": 320, "fit": "whole"}


class NamedSegmenter(NamedLayers, RebuiltSegmenter):
    """A network that returns scores of every pixel; a family defines `scores` for sides that are multiples of STEP.

    `way` is how it usually enlarges: "nearest", or bilinear with corners "aligned" or not ("centred").
    """

    way = "aligned"

    def run(self, x: Tensor) -> Tensor:
        """Return the scores (N, K, h, w) of every pixel."""
        high, wide = x.shape[-2:]
        if high % STEP or wide % STEP:
            x = functional.pad(x, (0, -wide % STEP, 0, -high % STEP), mode="replicate")
        return self.scores(x)[..., :high, :wide]

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        raise NotImplementedError

    def larger(self, x: Tensor) -> Tensor:
        """Return maps with sides of twice the length."""
        return self.like(x, (2 * x.shape[2], 2 * x.shape[3]))

    def like(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Return maps enlarged to a height and a width."""
        if self._making:
            return x.new_empty(*x.shape[:2], *size)
        way = self.assumed.get("enlarged", self.way)
        if way == "nearest":
            return functional.interpolate(x, size=tuple(size), mode="nearest")
        return functional.interpolate(x, size=tuple(size), mode="bilinear", align_corners=way == "aligned")

    def stage(self, path: str, x: Tensor, stride: int) -> Tensor:
        """Return the map of a stage of such blocks."""
        for at in self.numbers(path):
            x = self.residual(f"{path}.{at}", x, stride if at == 0 else 1)
        return x


class EncodedUNet(NamedSegmenter):
    """A ResNet in `encoder`, blocks in `decoder.blocks`, and a convolution in `segmentation_head`."""

    way = "nearest"

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        first = self.unit("encoder.conv1", "encoder.bn1", x, 2)
        maps = [first]
        x = functional.max_pool2d(first, 3, 2, 1)
        for at in (1, 2, 3, 4):
            x = self.stage(f"encoder.layer{at}", x, 1 if at == 1 else 2)
            maps.append(x)
        maps.pop()
        for at in self.numbers("decoder.blocks"):
            path = f"decoder.blocks.{at}"
            x = torch.cat([self.larger(x), maps.pop()], 1) if maps else self.larger(x)
            for name in ("conv1", "conv2"):
                x = self.through(f"{path}.{name}", x, ends=True)
        return self.convolve("segmentation_head.0", x)


class NestedUNet(NamedSegmenter):
    """Nodes `conv0_0` to `conv0_4`: each sees those of its row before it and the enlarged one below."""

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        found = [re.match(r"conv(\d)_(\d)\.", name) for name in self.shapes]
        nodes = sorted({(int(one[2]), int(one[1])) for one in found if one})
        maps: dict[tuple[int, int], Tensor] = {}
        for column, row in nodes:
            if column == 0:
                given = x if row == 0 else functional.max_pool2d(maps[0, row - 1], 2)
            else:
                before = [maps[at, row] for at in range(column) if (at, row) in maps]
                given = torch.cat([*before, self.larger(maps[column - 1, row + 1])], 1)
            path = f"conv{row}_{column}"
            given = self.unit(f"{path}.conv1", f"{path}.bn1", given)
            maps[column, row] = self.unit(f"{path}.conv2", f"{path}.bn2", given)
        last = maps[max(column for column, row in maps if row == 0), 0]
        if self.has("final"):
            return self.convolve("final", last)
        for at in range(1, max(column for column, _ in maps)):  # the other outputs of deep supervision
            self.convolve(f"final{at}", maps[at, 0]) if self._making else None
        return self.convolve(f"final{max(column for column, _ in maps)}", last)


class EnlargingUNet(NamedSegmenter):
    """`Conv1` to `Conv5`, `Up5` to `Up2`, which enlarge and convolve, `Up_conv5` to `Up_conv2`, and attention gates."""

    way = "nearest"

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        maps: list[Tensor] = []
        for at in range(1, 6):
            x = self.through(f"Conv{at}.conv", functional.max_pool2d(x, 2) if at > 1 else x, ends=True)
            maps.append(x)
        for at in range(5, 1, -1):
            x = self.activate(self.through(f"Up{at}.up", self.larger(x)))
            other = maps[at - 2]
            other = self._gated(f"Att{at}", x, other) if self.has(f"Att{at}") else other
            x = self.through(f"Up_conv{at}.conv", torch.cat([other, x], 1), ends=True)
        return self.convolve("Conv_1x1", x)

    def _gated(self, path: str, gate: Tensor, x: Tensor) -> Tensor:
        both = self.activate(self.through(f"{path}.W_g", gate) + self.through(f"{path}.W_x", x))
        return x * self.through(f"{path}.psi", both).sigmoid()


class ListedUNet(NamedSegmenter):
    """A tutorial's lists: `downs`, and `ups` of transposed convolutions and pairs in turn; `bottleneck` between."""

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        maps: list[Tensor] = []
        for at in self.numbers("downs"):
            x = self.through(f"downs.{at}.conv", x, ends=True)
            maps.append(x)
            x = functional.max_pool2d(x, 2)
        x = self.through("bottleneck.conv", x, ends=True)
        for at in self.numbers("ups")[::2]:
            x = torch.cat([maps.pop(), self.enlarge(f"ups.{at}", x)], 1)
            x = self.through(f"ups.{at + 1}.conv", x, ends=True)
        return self.convolve("final_conv", x)


class ResNetUNet(NamedSegmenter):
    """A ResNet's stages `layer0` to `layer4`, each with a 1 x 1 convolution, and a way up beside the whole picture."""

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        whole = x
        for name in ("conv_original_size0", "conv_original_size1"):
            whole = self.activate(self.convolve(f"{name}.0", whole))
        x = self.unit("layer0.0", "layer0.1", x, 2)
        maps = [x]
        for at in (1, 2, 3, 4):
            x = (
                self.stage("layer1.1", functional.max_pool2d(x, 3, 2, 1), 1)
                if at == 1
                else self.stage(f"layer{at}", x, 2)
            )
            maps.append(x)
        maps = [self.activate(self.convolve(f"layer{at}_1x1.0", one)) for at, one in enumerate(maps)]
        x = maps.pop()
        for at in (3, 2, 1, 0):
            x = torch.cat([self.larger(x), maps.pop()], 1)
            x = self.activate(self.convolve(f"conv_up{at}.0", x))
        x = self.activate(self.convolve("conv_original_size2.0", torch.cat([self.larger(x), whole], 1)))
        return self.convolve("conv_last", x)


class U2Net(NamedSegmenter):
    """Nested U-Nets; the scores of six sizes and their sum, of which the sum is returned."""

    way = "centred"

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        maps: list[Tensor] = []
        for at in range(1, 7):
            x = self._nested(f"stage{at}", self._smaller(x) if at > 1 else x)
            maps.append(x)
        ends = [maps[-1]]
        for at in range(5, 0, -1):
            ends.append(self._nested(f"stage{at}d", torch.cat([self._like(ends[-1], maps[at - 1]), maps[at - 1]], 1)))
        sides = [self.convolve(f"side{at}", one) for at, one in enumerate(reversed(ends), 1)]
        return self.convolve("outconv", torch.cat([sides[0], *(self._like(one, sides[0]) for one in sides[1:])], 1))

    def _nested(self, path: str, x: Tensor) -> Tensor:
        count = len({n.split(".")[1] for n in self.shapes if re.match(rf"{path}\.rebnconv\d\.", n)})
        flat = count == 4 and path in ("stage5", "stage6", "stage5d")  # dilated instead of halved
        first = self._unit(f"{path}.rebnconvin", x)
        maps: list[Tensor] = []
        out = first
        for at in range(1, count + 1):
            dilation = 2 ** (at - 1) if flat else 2 if at == count else 1
            out = self._smaller(out) if 1 < at < count and not flat else out
            out = self._unit(f"{path}.rebnconv{at}", out, dilation)
            maps.append(out)
        for at in range(count - 1, 0, -1):
            out = out if flat or at == count - 1 else self._like(out, maps[at - 1])
            dilation = 2 ** (at - 1) if flat else 1
            out = self._unit(f"{path}.rebnconv{at}d", torch.cat([out, maps[at - 1]], 1), dilation)
        return out + first

    def _unit(self, path: str, x: Tensor, dilation: int = 1) -> Tensor:
        return self.unit(f"{path}.conv_s1", f"{path}.bn_s1", x, dilation=dilation)

    def _smaller(self, x: Tensor) -> Tensor:
        return functional.max_pool2d(x, 2, 2, ceil_mode=True)

    def _like(self, x: Tensor, other: Tensor) -> Tensor:
        return self.like(x, other.shape[2:])


KINDS: tuple[tuple[str, type[NamedSegmenter], str, Mapping[str, Any]], ...] = (
    ("decoder.blocks.0.conv1.0.weight", EncodedUNet, "U-Net with a ResNet before it", IMAGENET),
    ("conv0_0.conv1.weight", NestedUNet, "U-Net of nodes, nested or plain", IMAGENET),
    ("Up_conv5.conv.0.weight", EnlargingUNet, "U-Net that enlarges before it convolves", PLAIN),
    ("ups.1.conv.0.weight", ListedUNet, "U-Net with lists of its parts", PLAIN),
    ("conv_original_size0.0.weight", ResNetUNet, "U-Net on a ResNet and the whole picture", IMAGENET),
    ("stage1.rebnconvin.conv_s1.weight", U2Net, "U2-Net", {**IMAGENET, "fit": "stretch"}),
)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the segmentation network that has these tensors, None if it is none."""
    found = next(((kind, title, prepared) for mark, kind, title, prepared in KINDS if mark in shapes), None)
    if found is None:
        return None
    kind, title, prepared = found
    # Some code keeps its ResNet twice: as a whole, and in the stages that run.
    own = {name: shape for name, shape in shapes.items() if not (kind is ResNetUNet and name.startswith("base_model."))}
    first = next(iter(shape for shape in own.values() if len(shape) == 4))
    if kind is ListedUNet:
        first = own["downs.0.conv.0.weight"]
    build = partial(_counted, kind, own, first[1])
    net = fitting(own, build)
    if net is None:
        return None
    count = net.count
    ways = (kind.way, *(way for way in ENLARGED if way != kind.way))
    offered: dict[str, Mapping[str, Any]] = {
        "activation": {**ACTIVATION, "choices": ("relu", "leaky_relu_01", "leaky_relu", "elu", "silu")}
    }
    if kind is not ListedUNet:
        offered["enlarged"] = choice("Enlarged", "How bilinear enlargement places the corners.", ways, ENLARGED)
    return Proposal(
        title=title,
        task="segmentation",
        build=build,
        side=256,
        channels=net.channels,
        classes=("background", "foreground") if count in (1, 2) else numbered(count),
        renamed=lambda state: {name: tensor for name, tensor in state.items() if name in own},
        offered=offered,
        # Not the activation: these networks are large, and each choice that is tried costs passes over photographs.
        judged=("enlarged",) if "enlarged" in offered and any(n.endswith("running_mean") for n in own) else (),
        about={"preprocessing": dict(prepared)},
    )


def _counted(kind: type[NamedSegmenter], shapes: Shapes, channels: int, assumed: Mapping[str, str]) -> NamedSegmenter:
    net = kind(shapes, assumed, side=2 * STEP, channels=channels)
    net.count = net.made.shape[1]
    return net
