"""Adapter for detectors of no known family that output boxes of no place: decoded, suppressed or queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.adapters.base.row_outputs import Rows


class DecodedAdapter(Rows):
    """An opened detector whose output boxes are already decoded."""

    serves: ClassVar[str] = "boxes"
    stages: Mapping[str, str] = {
        **Rows.stages,
        "HasAnchors": "{name} gives boxes that are decoded already: it shows no anchors.",
    }

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return _Tiny()


class _Tiny(nn.Module):
    """A miniature with the scores and boxes of a grid of cells, each box around its cell."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 5, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(6))
        self.score, self.box = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.body(x)
        side = torch.arange(6, device=x.device) / 6 + 1 / 12
        cells = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1).reshape(36, 2)
        deltas = self.box(maps).flatten(2).transpose(1, 2).tanh() / 8
        corners = torch.cat([cells - 0.2 + deltas[..., :2], cells + 0.2 + deltas[..., 2:]], -1)
        return self.score(maps).flatten(2).transpose(1, 2).softmax(-1), corners


ADAPTER = DecodedAdapter
