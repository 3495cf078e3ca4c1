"""RetinaFace (Deng et al. 2020) as its best-known PyTorch code names its layers: faces with five landmarks.

The body is MobileNet of a quarter of its width, or ResNet-50; then come a feature pyramid, context modules (SSH) and
one head each for classes, boxes and landmarks on three levels.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet50

from models.families.proposal import Proposal, Rebuilt, Shapes, choice, indices, same

SIDE = 640
NARROW = 64  # the widest pyramid whose activation may be a Leaky ReLU
SLOPES = {"leaky_relu": 0.1, "relu": 0.0}
LEVELS = (1, 2, 3)
POINTS = 5
ANCHORS = {
    "leaky_relu": {"strides": [8, 16, 32], "sizes": [[16, 32], [64, 128], [256, 512]], "variances": [0.1, 0.2]},
    "relu": {"strides": [8, 16, 32], "sizes": [[10, 20], [32, 64], [128, 256]], "variances": [0.1, 0.2]},
}
VARIANT = choice(
    "Variant",
    "Two detectors have the same tensors: with Leaky ReLU and anchors of 16 to 512 px, or ReLU and 10 to 256 px.",
    tuple(ANCHORS),
    {"leaky_relu": "Leaky ReLU, anchors 16 to 512 px", "relu": "ReLU, anchors 10 to 256 px"},
)
PREPROCESSING = {
    "crop": [SIDE, SIDE],
    "fit": "pad",
    "order": "bgr",
    "range": 255.0,
    "mean": [104.0, 117.0, 123.0],
    "std": [1.0, 1.0, 1.0],
}


class RetinaFace(Rebuilt):
    """Returns for pictures (N, 3, h, w) probabilities (N, R, 2), offsets of boxes (N, R, 4) and points (N, R, 10)."""

    def __init__(self, shapes: Shapes, assumed: Mapping[str, str]) -> None:
        super().__init__()
        width = shapes["fpn.output1.0.weight"][0]
        slope = SLOPES[assumed.get("variant", "leaky_relu")] if width <= NARROW else 0.0
        self.body = _MobileBody(shapes, slope) if "body.stage1.0.0.weight" in shapes else _DeepBody()
        self.fpn = _Pyramid([shapes[f"fpn.output{at}.0.weight"][1] for at in LEVELS], width, slope)
        for at in LEVELS:
            self.add_module(f"ssh{at}", _Context(width, slope))
        for name, columns in (("ClassHead", 2), ("BboxHead", 4), ("LandmarkHead", 2 * POINTS)):
            per_cell = [shapes[f"{name}.{at}.conv1x1.weight"][0] // columns for at in range(len(LEVELS))]
            self.add_module(name, nn.ModuleList(_Head(width, count, columns) for count in per_cell))

    def run(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return probabilities, offsets of boxes and of landmarks of all cells."""
        maps = self.fpn(self.body(x))
        maps = [self.get_submodule(f"ssh{at}")(one) for at, one in zip(LEVELS, maps, strict=True)]

        def rows(name: str) -> Tensor:
            heads: nn.ModuleList = self.get_submodule(name)  # type: ignore[assignment]
            return torch.cat([head(one) for head, one in zip(heads, maps, strict=True)], 1)

        return rows("ClassHead").softmax(-1), rows("BboxHead"), rows("LandmarkHead")


class _MobileBody(nn.Module):
    """MobileNet's convolutions by channel and across channels, in three stages."""

    def __init__(self, shapes: Shapes, slope: float) -> None:
        super().__init__()
        width = shapes["body.stage1.0.0.weight"][1]
        for stage in LEVELS:
            prefix = f"body.stage{stage}."
            blocks: list[nn.Module] = []
            for at in indices(shapes, prefix):
                across = shapes.get(f"{prefix}{at}.3.weight")
                # Strides are those of MobileNet: each stage begins with one, the first stage has two more.
                stride = 2 if at == 0 or (stage == 1 and at in (2, 4)) else 1
                out = across[0] if across else shapes[f"{prefix}{at}.0.weight"][0]
                blocks.append((_by_channel if across else _full)(width, out, stride, slope))
                width = out
            self.add_module(f"stage{stage}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in LEVELS:
            x = self.get_submodule(f"stage{stage}")(x)
            maps.append(x)
        return maps


class _DeepBody(nn.Module):
    """ResNet-50 without its head; returns the maps of its last three stages."""

    def __init__(self) -> None:
        super().__init__()
        for name, module in resnet50(weights=None).named_children():
            if name not in ("avgpool", "fc"):
                self.add_module(name, module)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for name, module in self.named_children():
            x = module(x)
            if name in ("layer2", "layer3", "layer4"):
                maps.append(x)
        return maps


class _Pyramid(nn.Module):
    """A feature pyramid with nearest-neighbour enlargement."""

    def __init__(self, widths: list[int], out: int, slope: float) -> None:
        super().__init__()
        for at, width in zip(LEVELS, widths, strict=True):
            self.add_module(f"output{at}", _full(width, out, 1, slope, side=1))
        for at in LEVELS[:2]:
            self.add_module(f"merge{at}", _full(out, out, 1, slope))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        one, two, three = (self.get_submodule(f"output{at}")(x) for at, x in zip(LEVELS, maps, strict=True))
        two = self.get_submodule("merge2")(two + functional.interpolate(three, size=two.shape[2:], mode="nearest"))
        one = self.get_submodule("merge1")(one + functional.interpolate(two, size=one.shape[2:], mode="nearest"))
        return [one, two, three]


class _Context(nn.Module):
    """A context module: three receptive fields side by side (Najibi et al. 2017, SSH)."""

    def __init__(self, width: int, slope: float) -> None:
        super().__init__()
        half, quarter = width // 2, width // 4
        self.conv3X3 = _full(width, half, 1, None)
        self.conv5X5_1 = _full(width, quarter, 1, slope)
        self.conv5X5_2 = _full(quarter, quarter, 1, None)
        self.conv7X7_2 = _full(quarter, quarter, 1, slope)
        self.conv7x7_3 = _full(quarter, quarter, 1, None)

    def forward(self, x: Tensor) -> Tensor:
        five = self.conv5X5_1(x)
        seven = self.conv7x7_3(self.conv7X7_2(five))
        return functional.relu(torch.cat([self.conv3X3(x), self.conv5X5_2(five), seven], 1))


class _Head(nn.Module):
    """A 1 x 1 convolution with `columns` numbers for each anchor of a cell."""

    def __init__(self, width: int, per_cell: int, columns: int) -> None:
        super().__init__()
        self.columns = columns
        self.conv1x1 = nn.Conv2d(width, per_cell * columns, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1x1(x).permute(0, 2, 3, 1).reshape(len(x), -1, self.columns)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the detector that has these tensors, None if it is none."""
    if "fpn.merge1.0.weight" not in shapes or "LandmarkHead.0.conv1x1.weight" not in shapes:
        return None
    # Files from training may hold the body's own head, which detection does not use.
    shapes = {name: shape for name, shape in shapes.items() if not name.startswith("body.fc.")}
    build = partial(RetinaFace, shapes)
    try:
        with torch.device("meta"):
            net = build({})
    except (KeyError, IndexError, ValueError, RuntimeError):
        return None
    if not same(shapes, net):
        return None
    body = "MobileNet 0.25" if "body.stage1.0.0.weight" in shapes else "ResNet-50"
    offered = {"variant": VARIANT} if shapes["fpn.output1.0.weight"][0] <= NARROW else {}
    return Proposal(
        title=f"RetinaFace, {body}",
        task="detection",
        build=build,
        side=SIDE,
        classes=("face",),
        renamed=lambda state: OrderedDict((k, v) for k, v in state.items() if not k.startswith("body.fc.")),
        offered=offered,
        judged=tuple(offered),
        about={"preprocessing": PREPROCESSING},
        stated=lambda assumed: {"anchors": ANCHORS[assumed.get("variant", "leaky_relu")]},
    )


def _full(width: int, out: int, stride: int, slope: float | None, *, side: int = 3) -> nn.Sequential:
    """Return a convolution with a norm, and a Leaky ReLU unless `slope` is None."""
    layers = [nn.Conv2d(width, out, side, stride, side // 2, bias=False), nn.BatchNorm2d(out)]
    return nn.Sequential(*layers, *([] if slope is None else [nn.LeakyReLU(slope)]))


def _by_channel(width: int, out: int, stride: int, slope: float) -> nn.Sequential:
    """Return a convolution by channel and one across channels, each with norm and Leaky ReLU."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(slope),
        nn.Conv2d(width, out, 1, bias=False),
        nn.BatchNorm2d(out),
        nn.LeakyReLU(slope),
    )
