"""Paint capsules, the limbs of drawn figures: segments with a radius at either end, and the place along and across."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
Place = tuple[slice, slice]


@dataclass(frozen=True)
class Capsule:
    """A segment from `start` to `end` in px, with the radius `first` at the start and `last` at the end.

    With `eyes` it is a head seen from the front: two eyes and a mouth of that colour.
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    first: float
    last: float
    colour: NDArray[np.float64]
    eyes: tuple[float, ...] = ()

    @property
    def extent(self) -> NDArray[np.float64]:
        """The box around it x0 y0 x1 y1."""
        low = np.minimum(self.start - self.first, self.end - self.last)
        return np.concatenate([low, np.maximum(self.start + self.first, self.end + self.last)])

    def moved(self, scale: float, shift: NDArray[np.float64]) -> Capsule:
        """Return it with all places times `scale` and then moved."""
        ends = {"start": self.start * scale + shift, "end": self.end * scale + shift}
        return replace(self, **ends, first=self.first * scale, last=self.last * scale)


def paint(
    canvas: NDArray[np.float32], capsule: Capsule, chart: NDArray[np.float32]
) -> tuple[Place, NDArray[np.bool_]] | None:
    """Paint a capsule onto a canvas (H, W, 3) and its chart (H, W, 2); return the part of the picture and which pixels.

    u runs from 0 at the start's round end to 1 at the other, v from 0 on its right, looking along it, to 1 on its left.
    """
    height, width = canvas.shape[:2]
    low_x, low_y, high_x, high_y = capsule.extent.tolist()
    x0, y0 = max(math.floor(low_x) - 1, 0), max(math.floor(low_y) - 1, 0)
    x1, y1 = min(math.ceil(high_x) + 1, width), min(math.ceil(high_y) + 1, height)
    if x0 >= x1 or y0 >= y1:
        return None
    place = (slice(y0, y1), slice(x0, x1))
    x, y = np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5)
    way = capsule.end - capsule.start
    length = max(float(np.hypot(*way)), 1e-6)
    along = ((x - capsule.start[0]) * way[0] + (y - capsule.start[1]) * way[1]) / length
    across = ((x - capsule.start[0]) * way[1] - (y - capsule.start[1]) * way[0]) / length
    share = np.clip(along / length, 0, 1)
    radius = capsule.first + (capsule.last - capsule.first) * share
    distance = np.hypot(along - share * length, across)
    cover = np.clip(radius - distance + 0.5, 0, 1)[..., None]
    shade = 1.08 - 0.35 * (distance / radius) ** 2  # darker towards the edges, as a cylinder is
    colour = capsule.colour * shade[..., None]
    if capsule.eyes:
        colour = np.where(_face(along, across, length, capsule)[..., None], np.array(capsule.eyes), colour)
    canvas[place] = canvas[place] * (1 - cover) + colour * cover
    inside = distance <= radius
    u = (along + capsule.first) / (length + capsule.first + capsule.last)
    v = (across / radius + 1) / 2
    chart[place][inside] = np.clip(np.stack([u, v], -1), 0, 1)[inside]
    return place, inside


def _face(
    along: NDArray[np.float64], across: NDArray[np.float64], length: float, capsule: Capsule
) -> NDArray[np.bool_]:
    """Return which pixels are an eye or the mouth of a head whose segment runs from the chin to the top."""
    size = capsule.first
    eyes = np.hypot(along - 0.75 * length, np.abs(across) - 0.42 * size) < 0.2 * size
    mouth = (np.abs(along + 0.3 * size) < 0.12 * size) & (np.abs(across) < 0.4 * size)
    return eyes | mouth
