"""Adapter for networks of no known family whose output is read as named points of the whole picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from models.adapters.base.interpreted import Interpreted
from models.adapters.base.scored import Seen
from models.interpretation.finds import placed
from models.interpretation.point_codes import HEAT_MAPS, PointCode
from models.loading.heads import VALUES, Head
from models.runtime.forward_passes import through
from models.types import Float, Pixels


class AnyLandmarksAdapter(Interpreted, Seen):
    """An opened network that finds points; attributions explain the height of a heat map, else a point's place."""

    serves: ClassVar[str] = "points"
    head: Head = Head(VALUES)
    stages: Mapping[str, str] = {
        "Detects": "{name} finds points of the whole picture: it finds no boxes.",
        "Classifies": "{name} finds points of the picture: it gives no classes.",
    }

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a miniature for contract tests, with a heat map for each of four points."""
        torch.manual_seed(0)
        return _Tiny()

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """The names of the P points, in order."""
        return self.card.classes

    @property
    def has_maps(self) -> bool:
        """Whether points are peaks of heat maps, rather than numbers that the network returns."""
        return self._code.form == HEAT_MAPS

    def landmarks(self, pixels: Pixels, stages: Any) -> tuple[Float, Float | None]:
        """Return the points (P, 3), x and y in pixels of the image and score, and their heat maps (P, h, w) if any."""
        floats = self.numbers(pixels, stages)
        found = self._code.points(floats, self.preprocess.size)[0].cpu().numpy()
        xy = placed(found[:, :2], self.preprocess, (pixels.shape[1], pixels.shape[0]))
        maps = self._code.maps(floats)
        heat = maps[0].float().cpu().numpy() if maps is not None else None
        return np.concatenate([xy, found[:, 2:]], 1).astype(np.float32), heat

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to one number a point (N, P): its peak, or its distance from the left."""
        run, code, size = through(self.behaviour, self._found.runner(self.net)), self._code, self.preprocess.size

        def scores(x: Tensor) -> Tensor:
            floats = [each.float() for each in run(x)]
            maps = code.maps(floats)
            return maps.flatten(2).amax(2) if maps is not None else code.points(floats, size)[..., 0]

        return scores

    @property
    def _code(self) -> PointCode:
        return self._found.reading.how


class _Tiny(nn.Module):
    """A miniature whose four heat maps have a peak each, moved a little by how bright the picture is there."""

    def __init__(self) -> None:
        super().__init__()
        self.places: Tensor
        self.see = nn.Conv2d(3, 1, 9, stride=8, padding=4)
        self.register_buffer("places", torch.tensor([[0.3, 0.3], [0.7, 0.3], [0.5, 0.55], [0.5, 0.75]]))

    def forward(self, x: Tensor) -> Tensor:
        seen = self.see(x).sigmoid()
        side = [torch.linspace(0, 1, n, device=x.device) for n in seen.shape[2:]]
        y, column = torch.meshgrid(side[0], side[1], indexing="ij")
        away = (column - self.places[:, :1, None]) ** 2 + (y - self.places[:, 1:, None]) ** 2
        return (-away / 0.003).exp() * (0.9 + 0.1 * seen)


ADAPTER = AnyLandmarksAdapter
