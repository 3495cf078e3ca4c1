"""The bundled digit detector on heat maps: centres with offsets and sizes, and corners with embeddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.bundled.digits import CLASSES as WITH_BACKGROUND
from models.bundled.digits import MEAN, SIZE_PX, STD
from models.bundled.pyramid import Pyramid, conv

CLASSES = WITH_BACKGROUND[1:]
STRIDE = 4
LARGEST_LOG = 4.0
USUAL_CELLS = 8.0  # a box's side where the network says 0
NONE_YET = -2.19  # before training a cell is an object with probability 0.1 (Lin et al. 2017)

__all__ = ["CLASSES", "MEAN", "SIZE_PX", "STD", "STRIDE", "DigitsCenterNet", "digits_centernet"]


class CornerPool(nn.Module):
    """Pool each cell with all cells to the right of it and below, or to the left and above (Law, Deng 2018)."""

    def __init__(self, *, forward_looking: bool) -> None:
        super().__init__()
        self.forward_looking = forward_looking

    def forward(self, x: Tensor) -> Tensor:
        if not self.forward_looking:
            return x.cummax(3).values + x.cummax(2).values
        return x.flip(3).cummax(3).values.flip(3) + x.flip(2).cummax(2).values.flip(2)


class DigitsCenterNet(nn.Module):
    """Map pictures (N, 3, H, W) to maps of H/4 x W/4 cells (Zhou et al. 2019; corners of Law, Deng 2018).

    `hm` (N, C, h, w) logits of centres, `wh` (N, 2, h, w) width and height in cells, `reg` (N, 2, h, w) the offset of
    a centre within its cell; `tl` and `br` logits of upper left and lower right corners, `tl_tag` and `br_tag`
    (N, 1, h, w) embeddings that are alike for the two corners of one object, `tl_reg` and `br_reg` their offsets.
    `size_px` is the side of the pictures that the network is given.
    """

    def __init__(
        self, *, width: int = 64, classes: int = len(CLASSES), levels: int = 96, size_px: int = SIZE_PX
    ) -> None:
        super().__init__()
        self.size_px = size_px
        self.backbone = Pyramid(out_channels=levels, extra_level=True)
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in (48, levels, levels, levels, levels))
        self.merge = conv(width, width)
        self.centre = conv(width, width)
        self.hm = nn.Conv2d(width, classes, 1)
        self.wh, self.reg = nn.Conv2d(width, 2, 1), nn.Conv2d(width, 2, 1)
        half = width // 2
        self.corner = conv(width, 2 * half)
        self.pools = nn.ModuleList(CornerPool(forward_looking=first) for first in (True, False))
        self.after = nn.ModuleList(conv(half, half) for _ in range(2))
        self.corner_maps = nn.ModuleList(nn.Conv2d(half, classes + 3, 1) for _ in range(2))
        self.classes = classes
        for head in (self.hm, *self.corner_maps):
            assert isinstance(head, nn.Conv2d) and head.bias is not None
            nn.init.constant_(head.bias[:classes], NONE_YET)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        near = self.backbone.stem(x)
        maps = [near, *self.backbone.from_stem(near).values()]
        size = near.shape[-2:]
        joined = [functional.interpolate(layer(m), size=size) for layer, m in zip(self.lateral, maps, strict=True)]
        merged = self.merge(torch.stack(joined).sum(0).relu())
        centre = self.centre(merged)
        found = {
            "hm": self.hm(centre),
            "wh": self.wh(centre).clamp_max(LARGEST_LOG).exp() * USUAL_CELLS,
            "reg": self.reg(centre),
        }
        halves = self.corner(merged).chunk(2, 1)
        for name, half, pool, after, head in zip(
            ("tl", "br"), halves, self.pools, self.after, self.corner_maps, strict=True
        ):
            maps = head(after(half + pool(half)))
            found |= {
                name: maps[:, : self.classes],
                f"{name}_tag": maps[:, self.classes : self.classes + 1],
                f"{name}_reg": maps[:, self.classes + 1 :],
            }
        return found


def digits_centernet() -> DigitsCenterNet:
    """Build the heat-map digit detector on the pyramid of `digits-ssd`, with maps at stride 4."""
    return DigitsCenterNet()
