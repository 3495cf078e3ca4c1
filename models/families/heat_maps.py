"""Networks that return heat maps: CenterNet on a ResNet (Zhou et al. 2019), and CRAFT for text (Baek et al. 2019).

CenterNet's way up may hold deformable convolutions (Zhu et al. 2019).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import deform_conv2d

from models.families.named_layers import NamedLayers, fitting
from models.families.proposal import Proposal, Shapes, numbered, place

CENTRES = {"mean": [0.408, 0.447, 0.470], "std": [0.289, 0.274, 0.278], "order": "bgr"}
HEADS = ("hm", "wh", "reg")
SLICES = ("slice1", "slice2", "slice3", "slice4")


class Deformable(nn.Module):
    """A convolution of 3 x 3 whose places and weights are moved by another one."""

    def __init__(self, inside: int, out: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(out, inside, 3, 3)), nn.Parameter(torch.empty(out))
        self.conv_offset_mask = nn.Conv2d(inside, 27, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        moved = self.conv_offset_mask(x)
        return deform_conv2d(x, moved[:, :18], self.weight, self.bias, (1, 1), (1, 1), mask=moved[:, 18:].sigmoid())


class CenterNet(NamedLayers):
    """Returns the probabilities of centres (N, K, h, w), sizes and offsets in cells, at a quarter of the picture."""

    def run(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the three maps."""
        x = functional.max_pool2d(self.unit("conv1", "bn1", x, 2), 3, 2, 1)
        for stage in (1, 2, 3, 4):
            for at in self.numbers(f"layer{stage}"):
                x = self.residual(f"layer{stage}.{at}", x, 2 if at == 0 and stage > 1 else 1)
        for at in self.numbers("deconv_layers"):
            path = f"deconv_layers.{at}"
            if f"{path}.running_mean" in self.shapes:
                x = self.activate(self.normalise(path, x))
            elif self.has(f"{path}.conv_offset_mask"):
                x = self._deformed(path, x)
            else:
                x = self.enlarge(path, x, padding=1)
        found = [self.through(name, x) for name in HEADS if self.has(name)]
        return (found[0].sigmoid(), *found[1:])

    def _deformed(self, path: str, x: Tensor) -> Tensor:
        if not self._making:
            return self.get_submodule(path)(x)
        out, inside = self.shapes[f"{path}.weight"][:2]
        if inside != x.shape[1]:
            raise ValueError(f"{path} takes other maps")
        place(self, path, Deformable(inside, out))
        return x.new_empty(len(x), out, *x.shape[2:])


class TextMaps(NamedLayers):
    """CRAFT: maps (N, 2, h / 2, w / 2) of characters and of what lies between those of one word."""

    def run(self, x: Tensor) -> Tensor:
        """Return the two maps."""
        maps: list[Tensor] = []
        last = 0
        for name in SLICES:
            for number in self.numbers(f"basenet.{name}"):
                path = f"basenet.{name}.{number}"
                x = self.activate(x) if number > last else x
                x = functional.max_pool2d(x, 2) if number > last + 1 else x
                x = self.normalise(path, x) if f"{path}.running_mean" in self.shapes else self.convolve(path, x)
                last = number + 1
            maps.append(x)
        x = self.convolve("basenet.slice5.1", functional.max_pool2d(x, 3, 1, 1), padding=6, dilation=6)
        x = self.convolve("basenet.slice5.2", x)
        for at in range(1, 5):
            other = maps.pop()
            x = x if at == 1 else self._like(x, other)
            x = self.through(f"upconv{at}.conv", torch.cat([x, other], 1), ends=True)
        return self.through("conv_cls", x)

    def _like(self, x: Tensor, other: Tensor) -> Tensor:
        if self._making:
            return x.new_empty(*x.shape[:2], *other.shape[2:])
        return functional.interpolate(x, size=other.shape[2:], mode="bilinear", align_corners=False)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the network that has these tensors, None if it is none."""
    about: dict[str, Any]
    if "deconv_layers.0.weight" in shapes and "hm.0.weight" in shapes:
        kind: type[NamedLayers] = CenterNet
        title, side = "CenterNet on a ResNet", 512
        about = {"preprocessing": {"crop": [side, side], "fit": "pad", **CENTRES}}
    elif "basenet.slice5.1.weight" in shapes and any(re.match(r"conv_cls\.\d", name) for name in shapes):
        kind, title, side = TextMaps, "CRAFT, which finds text", 640
        about = {"preprocessing": {"resize": side, "fit": "whole"}}
    else:
        return None

    def build(assumed: Mapping[str, str]) -> NamedLayers:
        return kind(shapes, assumed, side=128)

    net = fitting(shapes, build)
    if net is None:
        return None
    centres = kind is CenterNet
    return Proposal(
        title=title,
        task="detection" if centres else "features",
        build=build,
        side=side,
        classes=numbered(net.made[0].shape[1]) if centres else (),
        about=about,
    )
