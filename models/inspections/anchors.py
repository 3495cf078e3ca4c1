"""Anchors: every box a detector starts from on this image, and how densely they cover it.

Arrays of the Result, in pixels of the original image: `boxes` (N, 4) xyxy by level, row, column, anchor;
`start` (L + 1,) first row of each level; `grid` (L, 2) rows and columns; `per_cell` (L,);
`density` (L, h, w) how many anchors of the level cover each cell of an h x w grid over the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.inspection import Inspection
from models.types import Anchors, Float, Int, Pixels, Result

DENSITY_PARTS = 96


@dataclass(frozen=True)
class Params:
    """No parameters: the anchors depend only on the image's size."""


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the anchors for `pixels` (H, W, 3)."""
    table: Anchors = model.anchors(pixels, stages)
    height, width = pixels.shape[:2]
    density = stages.run("density", lambda: _densities(table, width, height))
    arrays = {"boxes": table.boxes, "start": table.start, "grid": table.grid, "per_cell": table.per_cell}
    return Result({**arrays, "density": density}, {"levels": len(table.grid), "anchors": len(table.boxes)})


def coverage(boxes: Float, width: float, height: float, *, columns: int, rows: int) -> Float:
    """Count the boxes (N, 4) over the centre of each cell of a (rows, columns) grid on a width x height image.

    Uses a two-dimensional difference array: each box adds at its corners, then one cumulative sum counts (Crow 1984).
    """
    left, right = (_part(boxes[:, i], columns / width, columns) for i in (0, 2))
    top, bottom = (_part(boxes[:, i], rows / height, rows) for i in (1, 3))
    steps = np.zeros((rows + 1, columns + 1), np.int64)
    for at_y, at_x, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
        np.add.at(steps, (at_y, at_x), sign)
    return steps.cumsum(0).cumsum(1)[:rows, :columns].astype(np.float32)


def _part(edge: Float, scale: float, count: int) -> Int:
    """Return the index of the first cell whose centre lies at or past each edge."""
    return np.ceil(edge * scale - 0.5).clip(0, count).astype(np.int64)


def _densities(table: Anchors, width: int, height: int) -> Float:
    scale = DENSITY_PARTS / max(width, height)
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    levels = zip(table.start[:-1], table.start[1:], strict=True)
    return np.stack([coverage(table.boxes[a:b], width, height, columns=columns, rows=rows) for a, b in levels])


INSPECTION = Inspection(
    id="anchors",
    title="Anchors",
    help="The boxes a detector starts from: at a place, per pyramid level, as density.",
    needs=("HasAnchors",),
    params=Params,
    answer=answer,
)
