"""Segmentation networks by the names of two much-used codes: a U-Net on VGG or ResNet-50, and the plain nnU-Net.

nnU-Net (Isensee et al. 2021) takes each picture less its mean, divided by its spread. Its first layer's map is
normalised by picture anyway, so other scales change hardly anything but the border.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families.named_layers import fitting
from models.families.named_segmenters import ENLARGED, PLAIN, STEP, NamedSegmenter
from models.families.proposal import ACTIVATION, Proposal, Shapes, choice, numbered, place

TWICE = re.compile(r"decoder\.encoder\.|.*\.all_modules\.")  # the same tensors by other names
DOWN = (4, 9, 16, 23)  # of VGG's list: where a map for the way up is taken, before its pooling


class BackboneUNet(NamedSegmenter):
    """`vgg.features` or `resnet`, then `up_concat4` to `up_concat1`, and `final`."""

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        maps = self._vgg(x) if self.has("vgg.features") else self._resnet(x)
        x = maps.pop()
        for at in (4, 3, 2, 1):
            x = torch.cat([maps.pop(), self.larger(x)], 1)
            for conv in ("conv1", "conv2"):
                x = self.activate(self.convolve(f"up_concat{at}.{conv}", x))
        if self.has("up_conv"):
            x = self.larger(x)
            for number in (1, 3):
                x = self.activate(self.convolve(f"up_conv.{number}", x))
        return self.convolve("final", x)

    def _vgg(self, x: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        for at in self.numbers("vgg.features"):
            if at > DOWN[min(len(maps), 3)] and len(maps) < 4:
                maps.append(x)
                x = functional.max_pool2d(x, 2)
            x = self.activate(self.convolve(f"vgg.features.{at}", x))
        return [*maps, x]

    def _resnet(self, x: Tensor) -> list[Tensor]:
        maps = [self.unit("resnet.conv1", "resnet.bn1", x, 2)]
        x = functional.max_pool2d(maps[0], 3, 2, 0, ceil_mode=True)
        for at in (1, 2, 3, 4):
            x = self.stage(f"resnet.layer{at}", x, 1 if at == 1 else 2)
            maps.append(x)
        return maps


class PlainNNUNet(NamedSegmenter):
    """`encoder.stages`, `decoder.transpconvs`, `decoder.stages`, `decoder.seg_layers`; norms of each picture."""

    def scores(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        ups = self.numbers("decoder.transpconvs")
        maps: list[Tensor] = []
        for at in self.numbers("encoder.stages"):
            # A stage is undone by a transposed convolution whose kernel is as large as its stride.
            stride = self.shapes[f"decoder.transpconvs.{len(ups) - at}.weight"][2:] if at else (1, 1)
            x = self._stage(f"encoder.stages.{at}.0", x, (stride[0], stride[1]))
            maps.append(x)
        x = made = maps.pop()
        for at in ups:
            side = self.shapes[f"decoder.transpconvs.{at}.weight"][2:]
            x = self._stage(f"decoder.stages.{at}", torch.cat([self._turned(at, x, side), maps.pop()], 1), (1, 1))
            if at == ups[-1] or self._making:  # the others are of the training
                made = self.convolve(f"decoder.seg_layers.{at}", x)
        return made

    def _turned(self, at: int, x: Tensor, side: tuple[int, ...]) -> Tensor:
        path = f"decoder.transpconvs.{at}"
        if not self._making:
            return self.get_submodule(path)(x)
        inside, out = self.shapes[f"{path}.weight"][:2]
        if inside != x.shape[1]:
            raise ValueError(f"{path} takes other maps")
        if not self._made(path):
            kernel = (side[0], side[1])
            place(self, path, nn.ConvTranspose2d(inside, out, kernel, kernel, bias=f"{path}.bias" in self.shapes))
        return x.new_empty(len(x), out, x.shape[2] * side[0], x.shape[3] * side[1])

    def _stage(self, path: str, x: Tensor, stride: tuple[int, int]) -> Tensor:
        for at in self.numbers(f"{path}.convs"):
            here = f"{path}.convs.{at}"
            x = self.convolve(f"{here}.conv", x, stride if at == 0 else 1)
            if self._making and not self._made(f"{here}.norm"):
                width = self.shapes[f"{here}.norm.weight"][0]
                if width != x.shape[1] or f"{here}.norm.running_mean" in self.shapes:
                    raise ValueError(f"{here} has another norm")
                place(self, f"{here}.norm", nn.InstanceNorm2d(width, affine=True))
            x = self.activate(x if self._making else self.get_submodule(f"{here}.norm")(x))
        return x


KINDS: tuple[tuple[str, type[NamedSegmenter], str, str, str], ...] = (
    ("up_concat4.conv1.weight", BackboneUNet, "U-Net on a network for classes", "relu", ""),
    (
        "decoder.transpconvs.0.weight",
        PlainNNUNet,
        "nnU-Net, plain",
        "leaky_relu_01",
        "It was trained on pictures less their mean, divided by their spread.",
    ),
)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the segmentation network that has these tensors, None if it is none."""
    found = next((one for one in KINDS if one[0] in shapes), None)
    if found is None:
        return None
    _, kind, title, activation, note = found
    own = {name: shape for name, shape in shapes.items() if not TWICE.match(name)}
    build = partial(_counted, kind, own)
    net = fitting(own, build, {"activation": activation})
    if net is None:
        return None
    ways = (activation, *(way for way in ("relu", "leaky_relu_01", "leaky_relu", "elu", "silu") if way != activation))
    offered: dict[str, Mapping[str, Any]] = {"activation": {**ACTIVATION, "choices": ways}}
    enlarges = kind is BackboneUNet
    if enlarges:
        corners = (kind.way, *(way for way in ENLARGED if way != kind.way))
        offered["enlarged"] = choice("Enlarged", "How bilinear enlargement places the corners.", corners, ENLARGED)
    normed = enlarges and any(name.endswith("running_mean") for name in own)
    return Proposal(
        title=title,
        task="segmentation",
        build=build,
        side=256,
        channels=net.channels,
        classes=("background", "foreground") if net.count in (1, 2) else numbered(net.count),
        renamed=lambda state: {name: tensor for name, tensor in state.items() if name in own},
        offered=offered,
        judged=("enlarged",) if normed else (),
        about={
            "preprocessing": dict(PLAIN),
            **({"note": f"Recognised by its tensors: {title}. {note}"} if note else {}),
        },
    )


def _counted(kind: type[NamedSegmenter], shapes: Shapes, assumed: Mapping[str, str]) -> NamedSegmenter:
    first = next(shape for shape in shapes.values() if len(shape) == 4)
    net = kind(shapes, assumed, side=2 * STEP, channels=first[1])
    net.count = net.made.shape[1]
    return net
