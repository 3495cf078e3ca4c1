"""Plain U-Nets (Ronneberger et al. 2015) as their best-known PyTorch code names the layers: inc, down, up, outc.

The widths and the number of levels are those of the tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families.proposal import (
    ACTIVATIONS,
    Proposal,
    RebuiltSegmenter,
    Shapes,
    choice,
    indices,
    same,
    under,
)


class _Double(nn.Module):
    """Two convolutions of 3 x 3, each with a norm and ReLU."""

    def __init__(self, shapes: Shapes, activation: str) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for at in indices(shapes, "double_conv."):
            shape = shapes[f"double_conv.{at}.weight"]
            while len(layers) < at:
                layers.append(ACTIVATIONS[activation]())
            if len(shape) == 4:
                bias = f"double_conv.{at}.bias" in shapes
                layers.append(nn.Conv2d(shape[1], shape[0], shape[2], padding=shape[2] // 2, bias=bias))
            else:
                layers.append(nn.BatchNorm2d(shape[0]))
        self.double_conv = nn.Sequential(*layers, ACTIVATIONS[activation]())

    def forward(self, x: Tensor) -> Tensor:
        return self.double_conv(x)


class _Down(nn.Module):
    def __init__(self, shapes: Shapes, activation: str) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), _Double(under(shapes, "maxpool_conv.1."), activation))

    def forward(self, x: Tensor) -> Tensor:
        return self.maxpool_conv(x)


class _Up(nn.Module):
    """Enlarges a map, pads it to the size of the other, and convolves both."""

    def __init__(self, shapes: Shapes, activation: str, aligned: bool) -> None:
        super().__init__()
        if "up.weight" in shapes:
            inside, out = shapes["up.weight"][:2]
            self.up: nn.Module = nn.ConvTranspose2d(inside, out, 2, 2, bias="up.bias" in shapes)
        else:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=aligned)
        self.conv = _Double(under(shapes, "conv."), activation)

    def forward(self, x: Tensor, beside: Tensor) -> Tensor:
        x = self.up(x)
        tall, wide = (beside.shape[at] - x.shape[at] for at in (2, 3))
        x = functional.pad(x, (wide // 2, wide - wide // 2, tall // 2, tall - tall // 2))
        return self.conv(torch.cat([beside, x], 1))


class UNet(RebuiltSegmenter):
    """Returns scores (N, K, h, w) of every pixel."""

    def __init__(self, shapes: Shapes, assumed: Mapping[str, str]) -> None:
        super().__init__()
        activation, aligned = assumed.get("activation", "relu"), assumed.get("enlarged", "aligned") == "aligned"
        self.inc = _Double(under(shapes, "inc."), activation)
        self.channels = shapes[f"inc.double_conv.{indices(shapes, 'inc.double_conv.')[0]}.weight"][1]
        self._depth = len([at for at in range(1, 9) if any(name.startswith(f"down{at}.") for name in shapes)])
        for at in range(1, self._depth + 1):
            self.add_module(f"down{at}", _Down(under(shapes, f"down{at}."), activation))
        for at in range(1, self._depth + 1):
            self.add_module(f"up{at}", _Up(under(shapes, f"up{at}."), activation, aligned))
        self.outc = nn.Module()
        self.count, inside = shapes["outc.conv.weight"][:2]
        self.outc.conv = nn.Conv2d(inside, self.count, 1, bias="outc.conv.bias" in shapes)

    def features(self, x: Tensor) -> Tensor:
        """Return the map (N, C, h, w) before the last convolution."""
        maps = [self.inc(x)]
        for at in range(1, self._depth + 1):
            maps.append(self.get_submodule(f"down{at}")(maps[-1]))
        x = maps.pop()
        for at in range(1, self._depth + 1):
            x = self.get_submodule(f"up{at}")(x, maps.pop())
        return x

    def run(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        return self.outc.get_submodule("conv")(self.features(x))


def propose(shapes: Shapes) -> Proposal | None:
    """Return the U-Net that has these tensors, None if it is none."""
    if "outc.conv.weight" not in shapes or not any(name.startswith("inc.double_conv.") for name in shapes):
        return None
    # The best-known code stores the values of its masks beside the tensors.
    own = {name: shape for name, shape in shapes.items() if name != "mask_values"}
    build = partial(UNet, own)
    try:
        with torch.device("meta"):
            net = build({})
    except (KeyError, IndexError, ValueError, RuntimeError):
        return None
    if not same(own, net):
        return None
    way = "transposed convolutions" if "up1.up.weight" in own else "bilinear enlargement"
    offered = {}
    if "up1.up.weight" not in own:
        offered["enlarged"] = choice(
            "Enlarged", "How bilinear enlargement places the corners.", ("aligned", "centred"), {}
        )
    preprocessing = {"resize": 320, "fit": "whole", "mean": [0.0] * 3, "std": [1.0] * 3}
    return Proposal(
        title=f"U-Net with {way}",
        task="segmentation",
        build=build,
        side=320,
        channels=net.channels,
        classes=net.classes,
        renamed=lambda state: {name: tensor for name, tensor in state.items() if name != "mask_values"},
        offered=offered,
        judged=tuple(offered),
        about={"preprocessing": preprocessing},
    )
