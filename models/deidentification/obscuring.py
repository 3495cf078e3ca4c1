"""Fill, pixelate or blur areas of a picture. What lies outside them stays as it is, bit for bit.

Blur and blocks are measured in pixels of the original picture and grow with the area, so that a large face is left no
more readable than a small one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from models.types import Bool, Float, Int, Pixels

FILL, PIXELATE, BLUR = "fill", "pixelate", "blur"
WAYS = {FILL: "Fill", PIXELATE: "Pixelate", BLUR: "Blur"}
COLOURS = {"black": 0, "grey": 128, "white": 255}
LEAST_PX = 8  # of a block and of a blur, however small the area


@dataclass(frozen=True)
class Way:
    """How areas are hidden: `way` is one of `WAYS`, `colour` of a fill one of `COLOURS`.

    `strength` is the size of a block, or the standard deviation of a blur, as a share of an area's longer side.
    """

    way: str = FILL
    colour: str = "black"
    strength: float = 0.25

    def pixels_of(self, area: Sequence[int]) -> int:
        """Return the size of a block, or the standard deviation of the blur, of an area in pixels of the picture."""
        x0, y0, x1, y1 = area
        return max(LEAST_PX, math.ceil(self.strength * max(x1 - x0, y1 - y0)))

    def words(self, area: Sequence[int]) -> str:
        """Return what is done to an area."""
        if self.way == FILL:
            return f"filled with {self.colour}"
        if self.way == PIXELATE:
            return f"pixelated in blocks of {self.pixels_of(area)} px"
        return f"blurred with a standard deviation of {self.pixels_of(area)} px"


def areas(boxes: Float, margin: float, width: int, height: int) -> Int:
    """Return boxes (K, 4) xyxy, enlarged on every side by a share of their longer side, in whole pixels (K, 4).

    They are rounded outwards and cut at the border of the picture.
    """
    grown = _sides(boxes)[:, None] * margin
    low, high = np.floor(boxes[:, :2] - grown), np.ceil(boxes[:, 2:] + grown)
    found = np.concatenate([low, high], 1)
    return np.clip(found, 0, [width, height, width, height]).astype(np.int64)


def upright(boxes: Float, angles: Float) -> Float:
    """Return the upright boxes (K, 4) around boxes that are turned about their centres by angles (K,) in radians."""
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    cos, sin = np.abs(np.cos(angles)), np.abs(np.sin(angles))
    reach = np.stack([half[:, 0] * cos + half[:, 1] * sin, half[:, 0] * sin + half[:, 1] * cos], 1)
    return np.concatenate([centre - reach, centre + reach], 1).astype(np.float32)


def obscured(
    pixels: Pixels, places: Int, way: Way, *, shapes: Sequence[Bool | None] | None = None
) -> NDArray[np.uint8]:
    """Return a copy of a picture (H, W, 3) whose areas `places` (K, 4), whole pixels xyxy, are hidden.

    A shape (h, w) of an area's size limits what is hidden of it; None stands for all of it.
    """
    made = pixels.copy()
    for row, (x0, y0, x1, y1) in enumerate(places.tolist()):
        if x1 <= x0 or y1 <= y0:
            continue
        cut = made[y0:y1, x0:x1]
        hidden = _hidden(cut, way, way.pixels_of((x0, y0, x1, y1)))
        shape = shapes[row] if shapes is not None else None
        made[y0:y1, x0:x1] = hidden if shape is None else np.where(shape[:, :, None], hidden, cut)
    return made


def shape_of(rings: Sequence[Float], area: Sequence[int], margin_px: int) -> Bool | None:
    """Return the pixels (h, w) of an area that lie in closed rings (n, 2), or within `margin_px` of them.

    Holes are hidden too. None without a ring.
    """
    x0, y0, x1, y1 = area
    if not len(rings) or x1 <= x0 or y1 <= y0:
        return None
    drawn = Image.new("1", (x1 - x0, y1 - y0))
    pen = ImageDraw.Draw(drawn)
    for ring in rings:
        points = [(float(x) - x0 - 0.5, float(y) - y0 - 0.5) for x, y in ring]
        if len(points) > 2:
            pen.polygon(points, fill=1, outline=1)
    inside = np.asarray(drawn)
    return _grown(_grown(inside, margin_px, 0), margin_px, 1) if inside.any() else None


def margin_of(box: Float, margin: float) -> int:
    """Return the margin of a box in whole pixels."""
    return math.ceil(float(_sides(box[None])[0]) * margin)


def _sides(boxes: Float) -> Float:
    return np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]).astype(np.float32)


def _grown(inside: Bool, reach: int, axis: int) -> Bool:
    """Return the pixels that have one of `inside` (h, w) within `reach` along an axis."""
    if reach <= 0:
        return inside
    sums = np.cumsum(inside, axis=axis, dtype=np.int64)
    sums = np.concatenate([np.zeros_like(np.take(sums, [0], axis)), sums], axis)
    count = inside.shape[axis]
    high = np.minimum(np.arange(count) + reach + 1, count)
    low = np.maximum(np.arange(count) - reach, 0)
    return np.asarray(np.take(sums, high, axis) > np.take(sums, low, axis))


def _hidden(cut: Pixels, way: Way, size: int) -> NDArray[np.uint8]:
    """Return an area's pixels hidden; `size` is that of a block or of the blur."""
    if way.way == FILL:
        return np.full_like(cut, COLOURS[way.colour])
    image = Image.fromarray(np.ascontiguousarray(cut))
    if way.way == PIXELATE:
        blocks = math.ceil(image.width / size), math.ceil(image.height / size)
        means = image.resize(blocks, Image.Resampling.BOX)
        return np.asarray(means.resize(image.size, Image.Resampling.NEAREST))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(size)))
