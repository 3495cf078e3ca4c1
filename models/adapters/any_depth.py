"""Adapter for networks of no known family whose output is read as one number for each pixel, such as depth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models.adapters.base.interpreted import Interpreted
from models.adapters.base.scored import Seen
from models.interpretation.map_codes import DepthCode
from models.interpretation.spatial_reading import VALUE
from models.loading.heads import VALUES, Head
from models.runtime.forward_passes import through
from models.types import Float, Pixels


class AnyDepthAdapter(Interpreted, Seen):
    """An opened network with one map of numbers; attributions explain its mean."""

    serves: ClassVar[str] = "depth"
    classes: ClassVar[tuple[str, ...]] = VALUE
    head: Head = Head(VALUES)
    stages: Mapping[str, str] = {
        "Detects": "{name} gives one number for each pixel: it finds no boxes.",
        "Classifies": "{name} gives one number for each pixel: it gives no classes.",
    }

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a miniature for contract tests: smooth, above 0, and not like the picture."""
        torch.manual_seed(0)
        return _Tiny()

    def depth(self, pixels: Pixels, stages: Any) -> Float:
        """Return one number (h, w) for each cell of the network's input."""
        return self._code.values(self.numbers(pixels, stages))[0, 0].float().cpu().numpy()

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to the mean of the map (N, 1)."""
        run, code = through(self.behaviour, self._found.runner(self.net)), self._code
        return lambda x: code.values([each.float() for each in run(x)]).mean((2, 3))

    @property
    def _code(self) -> DepthCode:
        return self._found.reading.how


class _Tiny(nn.Module):
    """A miniature that takes what lies lower, and is darker, for nearer."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        seen = nn.functional.avg_pool2d(self.mix(x), 32, stride=4, padding=16)
        height = torch.linspace(1, 9, seen.shape[2], device=x.device)[:, None]
        return nn.functional.softplus(seen * 0.05 + height)


ADAPTER = AnyDepthAdapter
