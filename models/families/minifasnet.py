"""MiniFASNet (Silent-Face-Anti-Spoofing): small networks that tell a live face from a picture of one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families.proposal import Proposal, RebuiltClassifier, Shapes, indices, numbered, same, under

NAMES = ("spoof, first kind", "live face", "spoof, second kind")
STAGES = ("conv_23", "conv_3", "conv_34", "conv_4", "conv_45", "conv_5")
HALVED = 16


class _Block(nn.Module):
    """A convolution with a norm and, if it has tensors for one, a PReLU."""

    def __init__(self, shapes: Shapes, *, stride: int = 1, padding: int | None = None, width: int = 0) -> None:
        super().__init__()
        out, inside, side, _ = shapes["conv.weight"]
        groups = width // inside if width else 1
        padding = side // 2 if padding is None else padding
        self.conv = nn.Conv2d(inside * groups, out, side, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out)
        self.prelu = nn.PReLU(out) if "prelu.weight" in shapes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.prelu(self.bn(self.conv(x)))


class _Squeeze(nn.Module):
    """Squeeze and excitation with norms."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        for at in (1, 2):
            out, inside = shapes[f"fc{at}.weight"][:2]
            self.add_module(f"fc{at}", nn.Conv2d(inside, out, 1, bias=False))
            self.add_module(f"bn{at}", nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        share = functional.adaptive_avg_pool2d(x, 1)
        for at, after in ((1, functional.relu), (2, torch.sigmoid)):
            share = after(self.get_submodule(f"bn{at}")(self.get_submodule(f"fc{at}")(share)))
        return x * share


class _ByChannel(nn.Module):
    """A 1 x 1 convolution, one by channel, and a projection; `residual` adds the input."""

    def __init__(self, shapes: Shapes, *, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        width = shapes["conv.conv.weight"][0]
        self.conv = _Block(under(shapes, "conv."))
        self.conv_dw = _Block(under(shapes, "conv_dw."), stride=1 if residual else 2, width=width)
        self.project = _Block(under(shapes, "project."))
        if "se_module.fc1.weight" in shapes:
            self.se_module = _Squeeze(under(shapes, "se_module."))

    def forward(self, x: Tensor) -> Tensor:
        out = self.project(self.conv_dw(self.conv(x)))
        if hasattr(self, "se_module"):
            out = self.se_module(out)
        return x + out if self.residual else out


class _Repeated(nn.Module):
    """Residual blocks one after another."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        blocks = [_ByChannel(under(shapes, f"model.{at}."), residual=True) for at in indices(shapes, "model.")]
        self.model = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class MiniFASNet(RebuiltClassifier):
    """The network for faces of 80 or 112 px, cut out with their surroundings."""

    def __init__(self, shapes: Shapes, assumed: Mapping[str, str]) -> None:
        super().__init__()
        self.conv1 = _Block(under(shapes, "conv1."), stride=2)
        self.channels = self.conv1.conv.in_channels
        self.conv2_dw = _Block(under(shapes, "conv2_dw."), width=shapes["conv1.conv.weight"][0])
        for name in STAGES:
            inner = under(shapes, f"{name}.")
            made = _Repeated(inner) if "model.0.conv.conv.weight" in inner else _ByChannel(inner, residual=False)
            self.add_module(name, made)
        self.conv_6_sep = _Block(under(shapes, "conv_6_sep."))
        width = shapes["conv_6_sep.conv.weight"][0]
        self.conv_6_dw = _Block(under(shapes, "conv_6_dw."), padding=0, width=width)
        embedded, inside = shapes["linear.weight"]
        self.linear = nn.Linear(inside, embedded, bias=False)
        self.bn = nn.BatchNorm1d(embedded)
        self.prob = nn.Linear(embedded, shapes["prob.weight"][0], bias=False)

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, 3, h, w)."""
        x = self.conv2_dw(self.conv1(x))
        for name in STAGES:
            x = self.get_submodule(name)(x)
        x = self.conv_6_dw(self.conv_6_sep(x)).flatten(1)
        return self.prob(self.bn(self.linear(x)))


def propose(shapes: Shapes) -> Proposal | None:
    """Return the network that has these tensors, None if it is none."""
    if not {"conv2_dw.conv.weight", "conv_6_dw.conv.weight", "prob.weight"} <= shapes.keys():
        return None
    build = partial(MiniFASNet, shapes)
    try:
        with torch.device("meta"):
            net = build({})
    except (KeyError, IndexError, ValueError, RuntimeError, ZeroDivisionError):
        return None
    if not same(shapes, net):
        return None
    side, count = HALVED * shapes["conv_6_dw.conv.weight"][2], shapes["prob.weight"][0]
    plain = {"order": "bgr", "range": 255.0, "mean": [0.0] * 3, "std": [1.0] * 3}
    return Proposal(
        title=f"MiniFASNet for {side} px",
        task="classification",
        build=build,
        side=side,
        channels=shapes["conv1.conv.weight"][1],
        classes=NAMES if count == len(NAMES) else numbered(count),
        about={"preprocessing": {"resize": side, "crop": side, "fit": "stretch", **plain}},
    )
