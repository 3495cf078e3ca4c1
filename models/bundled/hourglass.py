"""The bundled network for key points of puppets: a stacked hourglass with a heat map for each point."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

POINTS = (
    *("head", "right shoulder", "left shoulder", "right elbow", "left elbow", "right wrist", "left wrist"),
    *("right hip", "left hip", "right knee", "left knee", "right ankle", "left ankle"),
)
CLASSES = POINTS
SIZE_PX = 96
STRIDE = 4
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


class Residual(nn.Module):
    """A bottleneck with normalisation before each convolution (He et al. 2016) beside the identity or a 1x1."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        half = outward // 2
        self.path = nn.Sequential(
            *(nn.BatchNorm2d(inward), nn.ReLU(), nn.Conv2d(inward, half, 1, bias=False)),
            *(nn.BatchNorm2d(half), nn.ReLU(), nn.Conv2d(half, half, 3, padding=1, bias=False)),
            *(nn.BatchNorm2d(half), nn.ReLU(), nn.Conv2d(half, outward, 1)),
        )
        self.beside = nn.Identity() if inward == outward else nn.Conv2d(inward, outward, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.beside(x) + self.path(x)


class Hourglass(nn.Module):
    """Halve maps (N, C, h, w) `depth` times and double them again, adding at each size what went in (Newell 2016)."""

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        self.up1 = Residual(width, width)
        self.low1 = Residual(width, width)
        self.low2 = Hourglass(depth - 1, width) if depth > 1 else Residual(width, width)
        self.low3 = Residual(width, width)

    def forward(self, x: Tensor) -> Tensor:
        low = self.low3(self.low2(self.low1(functional.max_pool2d(x, 2))))
        return self.up1(x) + functional.interpolate(low, size=x.shape[-2:])


class PuppetsHourglass(nn.Module):
    """Map pictures (N, 3, H, W) to the heat maps (N, S, P, H/4, W/4) of S stacks (Newell, Yang, Deng 2016).

    A point's map has a peak of height 1 where the point is. Each stack is trained on the same maps and hands its own
    on to the next; the last stack's are the answer.
    """

    def __init__(self, *, points: int = len(POINTS), stacks: int = 2, width: int = 64, depth: int = 3) -> None:
        super().__init__()
        half = width // 2
        self.stem = nn.Sequential(
            *(nn.Conv2d(3, half, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(half), nn.ReLU()),
            *(Residual(half, half), nn.MaxPool2d(2), Residual(half, width)),
        )
        self.hourglasses = nn.ModuleList(Hourglass(depth, width) for _ in range(stacks))
        self.features = nn.ModuleList(
            nn.Sequential(
                Residual(width, width), nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
            )
            for _ in range(stacks)
        )
        self.maps = nn.ModuleList(nn.Conv2d(width, points, 1) for _ in range(stacks))
        self.features_on = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(stacks - 1))
        self.maps_on = nn.ModuleList(nn.Conv2d(points, width, 1) for _ in range(stacks - 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack(self.seen(x)[1], 1)

    def seen(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the last stack's features (N, width, H/4, W/4), and the heat maps of each stack."""
        x = seen = self.stem(x)
        made = []
        for stack, (hourglass, feature, to_maps) in enumerate(
            zip(self.hourglasses, self.features, self.maps, strict=True)
        ):
            seen = feature(hourglass(x))
            made.append(to_maps(seen))
            if stack + 1 == len(self.hourglasses):
                break
            x = x + self.features_on[stack](seen) + self.maps_on[stack](made[-1])
        return seen, made


def puppets_hourglass() -> PuppetsHourglass:
    """Build the bundled network without weights."""
    return PuppetsHourglass()
