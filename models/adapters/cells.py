"""Adapter for recognised detectors of no known family in which each cell of a grid gives one box, without anchors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.adapters.base.row_outputs import ONE_STAGE, Rows


class CellsAdapter(Rows):
    """An opened one-stage detector whose rows lie on the cells of pyramid levels."""

    serves: ClassVar[str] = "cells"
    stages: Mapping[str, str] = {
        "rpn": ONE_STAGE,
        "HasAnchors": "{name} is anchor-free: each cell of its grids gives one box.",
    }
    origin: ClassVar[str] = "cell"

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a miniature for contract tests, laid out as YOLOX: what is bright is an object of its cell."""
        torch.manual_seed(0)
        return _Tiny()


class _Tiny(nn.Module):
    """A miniature with objectness and four classes in every cell of strides 8, 16 and 32: (N, R, 4 + 1 + 4)."""

    def __init__(self, side: int = 96) -> None:
        super().__init__()
        self.side = side
        self.body = nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.body.weight.copy_(torch.eye(3)[:, :, None, None])
            self.body.bias.zero_()  # pyright: ignore[reportOptionalMemberAccess]

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] != (self.side, self.side):
            raise RuntimeError(f"the input is {self.side} x {self.side}")
        made = []
        for stride in (8, 16, 32):
            seen = nn.functional.avg_pool2d(self.body(x), stride)
            y, column = torch.meshgrid(*[torch.arange(self.side // stride, device=x.device)] * 2, indexing="ij")
            centre = ((torch.stack([column, y]) + 0.5) * stride).to(x).expand(len(x), -1, -1, -1)
            size = torch.full_like(centre, 4.0 * stride) + seen[:, :2]
            light = (12 * (seen.mean(1, keepdim=True) - 0.6)).sigmoid()
            red = (4 * (seen[:, :1] - seen[:, 1:2])).sigmoid()
            classes = torch.cat([red, 1 - red, red * light, (1 - red) * light], 1)
            made.append(torch.cat([centre, size, light, classes], 1).flatten(2))
        return torch.cat(made, 2).transpose(1, 2)


ADAPTER = CellsAdapter
