"""Adapter for detectors of no known family whose boxes start from anchors of a known set or of their card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models.adapters.base.row_outputs import ONE_STAGE, Rows
from models.detection.anchor_sets import KNOWN, AnchorSet
from models.types import Anchors, Pixels


class OffsetsAdapter(Rows):
    """An opened one-stage detector whose anchors are known separately from the network."""

    serves: ClassVar[str] = "offsets"
    stages: Mapping[str, str] = {"rpn": ONE_STAGE}
    origin: ClassVar[str] = "anchor"

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests, with the anchors of a known set."""
        torch.manual_seed(0)
        return _Tiny(KNOWN["retinaface"])

    def anchors(self, pixels: Pixels, stages: Any) -> Anchors:
        """Return the anchors in pixels of the original image."""
        return self.origins(pixels, stages)

    def _origins(self) -> tuple[Tensor, list[tuple[int, int]], list[int]]:
        if self._found.origins is not None:
            return super()._origins()
        known, size = self.kind.anchors, self.preprocess.size
        assert known is not None
        centred = known.centred(size)
        half = centred[:, 2:] / 2
        boxes = torch.cat([centred[:, :2] - half, centred[:, :2] + half], 1)
        return boxes, known.grids(size), [len(sizes) for sizes in known.sizes]


class _Tiny(nn.Module):
    """A miniature with scores and offsets of two anchors in every cell of three levels."""

    def __init__(self, anchors: AnchorSet) -> None:
        super().__init__()
        self.anchors = anchors
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4, padding=1), nn.ReLU())
        self.heads = nn.ModuleList(nn.Conv2d(8, 2 * 8, 3, padding=1) for _ in anchors.strides)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.body(x)
        grids = self.anchors.grids((int(x.shape[-2]), int(x.shape[-1])))
        made = [
            head(nn.functional.adaptive_avg_pool2d(maps, grid)) for head, grid in zip(self.heads, grids, strict=True)
        ]
        rows = torch.cat([one.permute(0, 2, 3, 1).reshape(len(x), -1, 8) for one in made], 1)
        return rows[..., :4].softmax(-1), rows[..., 4:]


ADAPTER = OffsetsAdapter
