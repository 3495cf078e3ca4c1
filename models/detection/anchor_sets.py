"""Anchor sets that decode box offsets a network leaves undecoded: known sets, and those described in a card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.types import Refusal

LARGEST_LOG = math.log(1000 / 16)  # the bound that torchvision's BoxCoder uses


@dataclass(frozen=True)
class AnchorSet:
    """Square anchors of `sizes` px in every cell of each level; cells are `strides` px wide.

    Boxes are encoded as in Liu et al. 2016, equation 2: the centre's offset in anchor sizes and the logarithm of the
    scale, each divided by its entry of `variances`. With `clip`, anchors are cut to the input's size. `plain` sets
    give centre and size in px, from the anchor's centre, as MediaPipe's do.
    """

    strides: tuple[int, ...]
    sizes: tuple[tuple[float, ...], ...]
    variances: tuple[float, float] = (0.1, 0.2)
    clip: bool = False
    plain: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> AnchorSet:
        """Read the set from a card's `anchors`. Raises Refusal for a malformed entry."""
        try:
            sizes = tuple(tuple(float(v) for v in level) for level in given["sizes"])
            centre, scale = (float(v) for v in given.get("variances", (0.1, 0.2)))
            strides = tuple(int(v) for v in given["strides"])
            if len(strides) != len(sizes) or min(*strides, centre, scale, *(min(level) for level in sizes)) <= 0:
                raise ValueError("strides and sizes must be above 0, one list of sizes for each stride")
            return cls(strides, sizes, (centre, scale), bool(given.get("clip", False)))
        except (KeyError, TypeError, ValueError) as error:
            raise Refusal(
                f"The card's anchors cannot be read ({error}).",
                advice='Write them like {"strides": [8, 16], "sizes": [[10, 16], [32, 48]], "variances": [0.1, 0.2]}.',
            ) from error

    def grids(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """Return (rows, columns) of each level for an input of `size` (h, w)."""
        return [(math.ceil(size[0] / stride), math.ceil(size[1] / stride)) for stride in self.strides]

    def count(self, size: tuple[int, int]) -> int:
        """Return the number of anchors for an input of `size` (h, w)."""
        return sum(h * w * len(sizes) for (h, w), sizes in zip(self.grids(size), self.sizes, strict=True))

    def centred(self, size: tuple[int, int]) -> Tensor:
        """Return the anchors (R, 4) as centre, width, height in input pixels, ordered by level, row, column, size."""
        made = []
        for stride, (rows, columns), sizes in zip(self.strides, self.grids(size), self.sizes, strict=True):
            y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
            cells = (torch.stack([x, y], -1).reshape(-1, 1, 2) + 0.5) * stride
            sides = torch.tensor(sizes)[None, :, None].expand(len(cells), len(sizes), 2)
            made.append(torch.cat([cells.expand(-1, len(sizes), 2), sides], -1).reshape(-1, 4))
        found = torch.cat(made).float()
        return found.minimum(found.new_tensor((*size[::-1], *size[::-1]))) if self.clip else found

    def decode(self, offsets: Tensor, size: tuple[int, int]) -> Tensor:
        """Decode offsets (..., R, 4) to boxes x0 y0 x1 y1 in input pixels."""
        return self.decode_rows(offsets, self.centred(size).to(offsets))

    def decode_rows(self, offsets: Tensor, anchors: Tensor) -> Tensor:
        """Decode offsets (..., 4) from anchors (..., 4), given as centre and size, to x0 y0 x1 y1."""
        if self.plain:
            middle, side = anchors[..., :2] + offsets[..., :2], offsets[..., 2:] / 2
            return torch.cat([middle - side, middle + side], -1)
        centre = anchors[..., :2] + offsets[..., :2] * self.variances[0] * anchors[..., 2:]
        half = anchors[..., 2:] * (offsets[..., 2:] * self.variances[1]).clamp_max(LARGEST_LOG).exp() / 2
        return torch.cat([centre - half, centre + half], -1)

    def points(self, offsets: Tensor, size: tuple[int, int]) -> Tensor:
        """Decode points (..., R, P, 2) to input pixels: from the anchors' centres, in their sizes unless `plain`."""
        anchors = self.centred(size).to(offsets)[:, None]
        return anchors[..., :2] + offsets * (1 if self.plain else self.variances[0] * anchors[..., 2:])


KNOWN = {
    "ultra_light": AnchorSet((8, 16, 32, 64), ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256)), clip=True),
    "retinaface": AnchorSet((8, 16, 32), ((16, 32), (64, 128), (256, 512))),
    "retinaface_small": AnchorSet((8, 16, 32), ((10, 20), (32, 64), (128, 256))),
    # MediaPipe's faces and palms, its people, and its faces from afar.
    "mediapipe": AnchorSet((8, 16), ((8.0,) * 2, (16.0,) * 6), plain=True),
    "mediapipe_pose": AnchorSet((8, 16, 32), ((8.0,) * 2, (16.0,) * 2, (32.0,) * 6), plain=True),
    "mediapipe_far": AnchorSet((4,), ((4.0,),), plain=True),
}


def fitting(count: int, size: tuple[int, int], given: Mapping[str, Any] | None) -> dict[str, AnchorSet]:
    """Return by name the sets that have `count` anchors on an input of `size` (h, w); `given` is the card's own.

    With `given`, return only that. Raises Refusal where the card's anchors do not fit.
    """
    if given is not None:
        own = AnchorSet.of(given)
        if own.count(size) != count:
            raise Refusal(
                f"The card's anchors are {own.count(size):,} on an input of {size[1]} x {size[0]}, "
                f"the network gives {count:,} boxes.",
                advice="Correct the strides and sizes in the card.",
            )
        return {"card": own}
    return {name: known for name, known in KNOWN.items() if known.count(size) == count}
