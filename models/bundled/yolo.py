"""The bundled digit detector of YOLO's kind: CSP, SPP and PAN with SiLU, one tensor of rows, prototypes of masks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.bundled.digits import CLASSES as WITH_BACKGROUND
from models.bundled.digits import MEAN, SIZE_PX, STD
from models.bundled.pyramid import Pyramid

CLASSES = WITH_BACKGROUND[1:]
STRIDES = (8, 16, 32)
PROTOTYPES = 8
BOX, OBJECTNESS = 4, 1
NONE_YET = -4.6  # before training a row is an object with probability 0.01
LARGEST_LOG = 8.0

__all__ = ["CLASSES", "MEAN", "PROTOTYPES", "SIZE_PX", "STD", "STRIDES", "DigitsYolo", "digits_yolo"]


def conv(inputs: int, outputs: int, side: int = 1, *, stride: int = 1) -> nn.Sequential:
    """Return a convolution with batch normalisation and SiLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False), nn.BatchNorm2d(outputs), nn.SiLU(inplace=True)
    )


class Bottleneck(nn.Module):
    """A 1x1 and a 3x3 convolution with an identity shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = conv(channels, channels), conv(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


class CSP(nn.Module):
    """Split the channels, send one half through a bottleneck and the other past it (Wang et al. 2020, CSPNet)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.through, self.past = conv(inputs, half), conv(inputs, half)
        self.block = Bottleneck(half)
        self.join = conv(2 * half, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(torch.cat([self.block(self.through(x)), self.past(x)], 1))


class SPP(nn.Module):
    """Pool a map with windows of several sizes at stride 1 and stack the results (He et al. 2015; YOLOv4)."""

    def __init__(self, inputs: int, outputs: int, sides: tuple[int, ...] = (5, 9, 13)) -> None:
        super().__init__()
        half = outputs // 2
        self.before = conv(inputs, half)
        self.pools = nn.ModuleList(nn.MaxPool2d(side, 1, side // 2) for side in sides)
        self.after = conv(half * (1 + len(sides)), outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x)
        return self.after(torch.cat([x, *(pool(x) for pool in self.pools)], 1))


def decoded(rows: Tensor, shapes: list[tuple[int, int]], classes: int) -> Tensor:
    """Return raw rows (N, R, K) with boxes in px and probabilities; `shapes` are rows and columns of each level."""
    cells, strides = places(shapes, rows)
    scores = BOX + OBJECTNESS + classes
    return torch.cat(
        [
            (rows[..., :2] + cells) * strides,
            rows[..., 2:4].clamp_max(LARGEST_LOG).exp() * strides,
            rows[..., 4:scores].sigmoid(),
            rows[..., scores:],
        ],
        -1,
    )


class DigitsYolo(nn.Module):
    """Map pictures (N, 3, H, W) to `rows` (N, R, 4 + 1 + C + P) and `prototypes` (N, P, H/2, W/2).

    There is a row for each cell of strides 8, 16 and 32: centre x, centre y, width, height in px, objectness, the
    class probabilities, and the coefficients of the prototypes; the mask of a row is the sigmoid of their sum. With
    `raw` set rows hold what the head says before it is decoded, as YOLOX exports do by default: centre and size in
    strides from the cell, the size as a logarithm. `size_px` is the side of the pictures that the network is given.
    """

    def __init__(self, *, classes: int = len(CLASSES), size_px: int = SIZE_PX) -> None:
        super().__init__()
        self.raw = False
        self.size_px = size_px
        self.classes = classes
        self.backbone = Pyramid(out_channels=96)
        self.spp = SPP(96, 96)
        self.first = CSP(96, 64)
        self.stride = nn.ModuleList([conv(64, 64, 3, stride=2), conv(96, 64, 3, stride=2)])
        self.up = nn.ModuleList([CSP(64 + 96, 96), CSP(64 + 96, 96)])
        width = BOX + OBJECTNESS + classes + PROTOTYPES
        self.stems = nn.ModuleList(conv(c, 64, 3) for c in (64, 96, 96))
        self.heads = nn.ModuleList(nn.Conv2d(64, width, 1) for _ in STRIDES)
        self.mask4, self.mask2 = conv(64 + 48, 32), conv(32 + 24, 16)
        self.prototypes = nn.Sequential(conv(16, 16, 3), nn.Conv2d(16, PROTOTYPES, 1), nn.SiLU())
        for head in self.heads:
            with torch.no_grad():
                head.bias[2:4] = 1.0  # pyright: ignore[reportIndexIssue]
                head.bias[4] = NONE_YET  # pyright: ignore[reportIndexIssue]

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        half = self.backbone.stem[0](x)
        quarter = self.backbone.stem[2](self.backbone.stem[1](half))
        p3, p4, p5 = self.backbone.from_stem(quarter).values()
        n3 = self.first(p3)
        n4 = self.up[0](torch.cat([self.stride[0](n3), p4], 1))
        n5 = self.up[1](torch.cat([self.stride[1](n4), self.spp(p5)], 1))
        maps = [head(stem(m)) for head, stem, m in zip(self.heads, self.stems, (n3, n4, n5), strict=True)]
        rows = torch.cat([m.flatten(2).transpose(1, 2) for m in maps], 1)
        near = self.mask4(torch.cat([_larger(n3, quarter), quarter], 1))
        prototypes = self.prototypes(self.mask2(torch.cat([_larger(near, half), half], 1)))
        made = rows if self.raw else self.decoded(rows, [(m.shape[2], m.shape[3]) for m in maps])
        return {"rows": made, "prototypes": prototypes}

    def decoded(self, rows: Tensor, shapes: list[tuple[int, int]]) -> Tensor:
        """Return raw rows (N, R, K) with boxes in px and probabilities; `shapes` are rows and columns of each level."""
        return decoded(rows, shapes, self.classes)


def places(shapes: list[tuple[int, int]], like: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cell (R, 2) x, y and the stride (R, 1) of each row of levels with these `shapes`."""
    cells, strides = [], []
    for (height, width), stride in zip(shapes, STRIDES, strict=True):
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        cells.append(torch.stack([x, y], -1).reshape(-1, 2))
        strides.append(torch.full((height * width, 1), stride))
    return torch.cat(cells).to(like), torch.cat(strides).to(like)


def _larger(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:])


def digits_yolo() -> DigitsYolo:
    """Build the one-tensor digit detector: SPP, CSP and a bottom-up path (PAN) over the pyramid of `digits-ssd`."""
    return DigitsYolo()
