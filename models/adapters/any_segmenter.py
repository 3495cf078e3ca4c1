"""Adapter for networks of no known family whose output is read as a class for each pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.adapters.base.class_maps import ClassMaps
from models.adapters.base.interpreted import Interpreted
from models.interpretation.map_codes import SegmentCode
from models.runtime.forward_passes import through

NO_BOXES = "{name} gives classes of pixels: it finds no boxes."


class AnySegmenterAdapter(Interpreted, ClassMaps):
    """An opened network whose maps are classes of pixels."""

    serves: ClassVar[str] = "segments"
    stages: Mapping[str, str] = {
        "Detects": NO_BOXES,
        "Classifies": "{name} gives the class of each pixel, not of a picture as a whole.",
    }

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return _Tiny()

    def _coarse(self, x: Tensor) -> Tensor:
        code: SegmentCode = self._found.reading.how
        made = through(self.behaviour, self._found.runner(self.net))(x)
        return code.scores([tensor.float() for tensor in made])


class _Tiny(nn.Module):
    """A miniature with a softmax over four classes of pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 5, stride=4, padding=2), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).softmax(1)


ADAPTER = AnySegmenterAdapter
