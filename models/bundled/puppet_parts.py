"""The bundled network for all that covers puppets' pictures: boxes with masks, classes of pixels, parts and charts."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.bundled.hourglass import PuppetsHourglass, Residual
from models.bundled.yolo import BOX, NONE_YET, OBJECTNESS, STRIDES, conv, decoded

CLASSES = ("puppet",)
STUFF = ("sky", "ground", "water")
SEMANTIC = (*STUFF, *CLASSES)
PARTS = (
    *("head", "torso", "right upper arm", "left upper arm", "right forearm", "left forearm"),
    *("right thigh", "left thigh", "right shank", "left shank"),
)
SIZE_PX = (128, 160)
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
PROTOTYPES = 16
TYPICAL_STRIDES = 1.0  # the logarithm of a box's side in strides where the network says 0


class PuppetsParts(nn.Module):
    """Map pictures (N, 3, H, W) to `rows` (N, R, 4 + 1 + C + M) and to maps of H/2 x W/2 cells, by two hourglasses.

    A row for each cell of strides 8, 16 and 32: centre x, centre y, width, height in px, objectness, the class
    probability and the coefficients of the `prototypes` (N, M, h, w), whose sum's sigmoid is the row's mask (Bolya et
    al. 2019). `semantic` (N, 4, h, w) are logits of sky, ground, water and puppet; `parts` (N, 11, h, w) of no part and
    each part; `chart` (N, 20, h, w) each part's own u and v, as in DensePose (Guler et al. 2018). With `raw` set, rows
    hold what the head says before it is decoded.
    """

    def __init__(self, *, width: int = 64, depth: int = 3) -> None:
        super().__init__()
        self.raw = False
        self.classes = len(CLASSES)
        self.sizes = {"semantic": len(SEMANTIC), "parts": 1 + len(PARTS), "chart": 2 * len(PARTS)}
        self.trunk = PuppetsHourglass(width=width, depth=depth)
        self.down = nn.ModuleList(conv(width, width, 3, stride=2) for _ in STRIDES)
        self.heads = nn.ModuleList(nn.Conv2d(width, BOX + OBJECTNESS + self.classes + PROTOTYPES, 1) for _ in STRIDES)
        self.dense, self.masks = _finer(width), _finer(width, 2)
        self.maps = nn.Conv2d(width, 4 * sum(self.sizes.values()), 1)
        self.prototypes = nn.Conv2d(width + 2, 4 * PROTOTYPES, 1)  # also sees where a cell lies
        for head in self.heads:
            with torch.no_grad():
                head.bias[2:4] = TYPICAL_STRIDES  # pyright: ignore[reportIndexIssue]
                head.bias[4] = NONE_YET  # pyright: ignore[reportIndexIssue]

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        level = quarter = self.trunk.seen(x)[0]
        maps = []
        for down, head in zip(self.down, self.heads, strict=True):
            level = down(level)
            maps.append(head(level))
        rows = torch.cat([m.flatten(2).transpose(1, 2) for m in maps], 1)
        made = rows if self.raw else decoded(rows, [(m.shape[2], m.shape[3]) for m in maps], self.classes)
        masks = self.masks(quarter)
        maps = functional.pixel_shuffle(self.maps(self.dense(quarter)), 2).split(list(self.sizes.values()), 1)
        found = dict(zip(self.sizes, maps, strict=True))
        return {
            "rows": made,
            "prototypes": functional.pixel_shuffle(self.prototypes(torch.cat([masks, _where(masks)], 1)), 2),
            **found,
            "chart": found["chart"].sigmoid(),
        }


def _finer(width: int, count: int = 1) -> nn.Sequential:
    return nn.Sequential(*(Residual(width, width) for _ in range(count)), nn.BatchNorm2d(width), nn.ReLU())


def _where(like: Tensor) -> Tensor:
    """Return x and y of each cell from -1 to 1 (N, 2, h, w), Liu et al. 2018's coordinate channels."""
    count, _, height, width = like.shape
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height, device=like.device, dtype=like.dtype),
        torch.linspace(-1, 1, width, device=like.device, dtype=like.dtype),
        indexing="ij",
    )
    return torch.stack([x, y]).expand(count, -1, -1, -1)


def puppets_parts() -> PuppetsParts:
    """Build the bundled network without weights."""
    return PuppetsParts()
