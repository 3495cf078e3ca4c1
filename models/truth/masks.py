"""Bounding boxes of COCO's masks: polygons, run lengths as numbers, and compressed run lengths as text.

Run lengths count pixels column by column, starting with those outside the mask. In the compressed form each is the
difference to the one two before it, in groups of five bits (reference: pycocotools' maskApi.c).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.truth.gather import whole

MOST_RUNS = 4_000_000
MOST_SIDE = 1_000_000
Box = tuple[float, float, float, float]


def box(segmentation: Any, size: tuple[int, int]) -> Box | str:
    """Return the x0, y0, x1, y1 around COCO's `segmentation` on a picture of `size`, or a text saying what is wrong."""
    if isinstance(segmentation, dict):
        return _mask(segmentation, size)
    if isinstance(segmentation, list) and segmentation:
        rings = segmentation if isinstance(segmentation[0], list) else [segmentation]
        return _polygons(rings)
    return "has neither a box of four numbers nor a mask"


def _polygons(rings: list[Any]) -> Box | str:
    points: list[float] = []
    for ring in rings:
        try:
            values = [float(value) for value in ring]
        except (TypeError, ValueError, OverflowError):
            return "has a polygon with a value that is not a number"
        if len(values) % 2 or len(values) < 4 or not all(map(math.isfinite, values)):
            return f"has a polygon of {len(values)} numbers, which do not make points"
        points += values
    if not points:
        return "has no box of four numbers and an empty polygon"
    return min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])


def _mask(mask: dict[str, Any], size: tuple[int, int]) -> Box | str:
    given = mask.get("size")
    sides = [whole(side) or 0 for side in given] if isinstance(given, list) and len(given) == 2 else [0, 0]
    height, width = sides
    if not (0 < height <= MOST_SIDE and 0 < width <= MOST_SIDE):
        return "has a mask without its size"
    if min(size) > 0 and (width, height) != size:
        return f"has a mask of {width} × {height}, but its picture is {size[0]} × {size[1]}"
    counts = mask.get("counts")
    runs = _text(counts) if isinstance(counts, str) else _numbers(counts)
    if runs is None or (runs < 0).any() or not len(runs):
        return "has a mask whose run lengths cannot be read"
    ends = np.cumsum(runs)
    if ends[-1] > height * width:
        return f"has a mask of more pixels than {width} × {height}"
    first, last = ends[:-1:2], ends[1::2]  # of each run inside the mask; `last` is one past its end
    first = first[: len(last)]
    there = last > first
    first, last = first[there], last[there] - 1
    if not len(first):
        return "has an empty mask"
    x0, x1 = int(first.min()) // height, int(last.max()) // height
    # A run that continues in the next column touches both the bottom and the top row.
    if (first // height != last // height).any():
        y0, y1 = 0, height - 1
    else:
        y0, y1 = int((first % height).min()), int((last % height).max())
    return float(x0), float(y0), float(x1 + 1), float(y1 + 1)


def _numbers(counts: Any) -> NDArray[np.int64] | None:
    if not isinstance(counts, list) or len(counts) > MOST_RUNS:
        return None
    found = [whole(count) for count in counts]
    if any(count is None or not 0 <= count <= MOST_SIDE**2 for count in found):
        return None
    return np.array(found, np.int64)


def _text(counts: str) -> NDArray[np.int64] | None:
    """Decode compressed run lengths, or return None if the text is invalid."""
    if len(counts) > MOST_RUNS or not counts.isascii():
        return None
    runs: list[int] = []
    value = shift = 0
    for character in counts.encode():
        group = character - 48
        if not 0 <= group < 64 or shift > 50:
            return None
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        # As in maskApi.c, the first three run lengths are absolute.
        if len(runs) > 2:
            value += runs[-2]
        if not 0 <= value <= MOST_SIDE**2:
            return None
        runs.append(value)
        value = shift = 0
    return np.array(runs, np.int64) if not shift else None
