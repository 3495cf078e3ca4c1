"""An anchor generator with given strides and cell-centred anchors.

torchvision's AnchorGenerator derives strides from the feature maps, starts at the cells' corners and rounds anchors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

Size = tuple[int, int]


class GridAnchors(AnchorGenerator):
    """Generator of anchors on a grid of `strides[l]` network pixels for level l: one anchor per cell for each of its
    ratios (height over width) and sizes (side of a square of the same area), in that order.

    Centres are at `offset` of a cell; with `clip`, anchors are cut to the input.
    """

    def __init__(
        self,
        strides: Sequence[int],
        sizes: Sequence[Sequence[float]],
        ratios: Sequence[Sequence[float]],
        *,
        offset: float = 0.5,
        clip: bool = False,
    ) -> None:
        given: Any = tuple(map(tuple, sizes)), tuple(map(tuple, ratios))
        super().__init__(*given)
        self.strides, self.offset, self.clip = tuple(strides), offset, clip

    def generate_anchors(
        self, scales: Any, aspect_ratios: Any, dtype: torch.dtype = torch.float32, device: Any = "cpu"
    ) -> Tensor:
        """Return the anchors (k, 4) of a cell around its centre, in network pixels."""
        sides = [(s / math.sqrt(r), s * math.sqrt(r)) for r in aspect_ratios for s in scales]
        return torch.tensor([(-w / 2, -h / 2, w / 2, h / 2) for w, h in sides], dtype=dtype, device=device)

    def with_design(self, sizes: Any, ratios: Any) -> GridAnchors:
        """Return a generator on the same grids with other sizes and ratios."""
        return GridAnchors(self.strides, sizes, ratios, offset=self.offset, clip=self.clip)

    def grids(self, size: Size) -> list[Size]:
        """Return (rows, columns) of each level for an input of (height, width)."""
        return [(math.ceil(size[0] / stride), math.ceil(size[1] / stride)) for stride in self.strides]

    def forward(self, image_list: ImageList, feature_maps: Any) -> list[Tensor]:
        """Return the anchors (N, 4) by level, row, column, anchor, once for each image of the batch (all the same)."""
        height, width = (int(v) for v in image_list.tensors.shape[-2:])
        device, found = image_list.tensors.device, []
        for cell, stride, (rows, columns) in zip(
            self.cell_anchors, self.strides, self.grids((height, width)), strict=True
        ):
            y, x = (((torch.arange(n, device=device) + self.offset) * stride).float() for n in (rows, columns))
            at = torch.stack([x.repeat(rows), y.repeat_interleave(columns)] * 2, 1)
            found.append((at[:, None] + cell.to(device)[None]).reshape(-1, 4))
        boxes = torch.cat(found)
        if self.clip:
            boxes = boxes.clamp(min=0).minimum(boxes.new_tensor([width, height, width, height]))
        return [boxes] * len(image_list.image_sizes)
