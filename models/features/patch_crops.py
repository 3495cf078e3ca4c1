"""Crops of pictures to what one unit responds to there, and thumbnails with its receptive field as a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from models.features import receptive_field
from models.subject import Rect, Subject
from models.tracing.layers import trace_of
from models.types import Pixels, Refusal

GREY = 128
RESPONDS, REACH = (255, 159, 10), (255, 255, 255)  # colours of the two frames


@dataclass(frozen=True)
class Responded:
    """In pixels of the picture: `box` holds 95 % of what the unit responds to, `reach` is its receptive field.

    `exact` says that both were measured; otherwise they are the picture.
    """

    box: Rect
    reach: Rect
    exact: bool


def responded(subject: Subject, layer: str, channel: int, cell: tuple[int, int], stages: Any) -> Responded:
    """Return what a unit depends on in a picture, by its gradient. Raises Refusal where there is none.

    A silent unit has no gradient: then it is what all channels of its place depend on.
    """
    trace = trace_of(subject, stages)
    if layer not in trace:
        raise Refusal(f"{layer} is not called for this picture.", advice="Choose another layer.")
    call = trace[layer]
    rows, columns = call.layout.grid
    if not call.layout.spatial or cell[0] >= rows or cell[1] >= columns:
        raise Refusal(f"{layer} has no such place.", advice="Choose a layer with places.")
    reached = receptive_field.reach(subject, call, stages)
    values = receptive_field.field(reached, channel, *cell)
    if not values.any():
        values = receptive_field.field(reached, -1, *cell)
    whole, most = receptive_field.box(values), receptive_field.effective(values)
    if whole is None or most is None:
        raise Refusal("This unit depends on no pixel of the picture.", advice="Choose another one.")
    box, reach = (receptive_field.on_picture(each, subject.size, subject.extent) for each in (most, whole))
    return Responded(box, reach, exact=True)


def crop(pixels: Pixels, box: Rect, side: int) -> Pixels:
    """Return the square around a box, in pixels of the picture, as (side, side, 3); outside the picture it is grey."""
    x0, y0, x1, y1 = (round(v) for v in box)
    edge = max(x1 - x0, y1 - y0, 1)
    left, top = (x0 + x1 - edge) // 2, (y0 + y1 - edge) // 2
    made = np.full((edge, edge, 3), GREY, np.uint8)
    height, width = pixels.shape[:2]
    a, b, c, d = max(left, 0), max(top, 0), min(left + edge, width), min(top + edge, height)
    if a < c and b < d:
        made[b - top : d - top, a - left : c - left] = pixels[b:d, a:c]
    way = Image.Resampling.NEAREST if edge <= side else Image.Resampling.BOX
    return np.asarray(Image.fromarray(made).resize((side, side), way))


def framed(pixels: Pixels, found: Responded, side: int) -> Pixels:
    """Return a picture (side, side, 3) with its longer side filling the square, and frames around box and reach."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST
    small = np.asarray(Image.fromarray(pixels).resize(size, way))
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    made = np.full((side, side, 3), GREY, np.uint8)
    made[top : top + size[1], left : left + size[0]] = small
    if found.exact:
        for rect, colour in ((found.reach, REACH), (found.box, RESPONDS)):
            x0, x1 = (min(max(round(v * scale) + left, 0), side - 1) for v in (rect[0], rect[2]))
            y0, y1 = (min(max(round(v * scale) + top, 0), side - 1) for v in (rect[1], rect[3]))
            made[[y0, y1], x0 : x1 + 1] = colour
            made[y0 : y1 + 1, [x0, x1]] = colour
    return made
