"""How close the boxes of each stage of a detector come to the objects of a picture, for the recall funnel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.detection.evidence import Evidence
from models.detection.suppression import columns_of, overlap
from models.types import Anchors, Float

STAGES = ("anchors", "pool", "proposals")
ABSENT = -1.0


def reach(evidence: Evidence | None, truth_boxes: Float) -> Float:
    """Return (3, T): the best IoU of the anchors, the pool before the RPN's suppression, and the proposals.

    `truth_boxes` (T, 4) xyxy in pixels of the original picture; `ABSENT` for a stage that the detector does not have.
    """
    best = np.full((len(STAGES), len(truth_boxes)), ABSENT, np.float32)
    if evidence is None or not len(truth_boxes):
        return best
    if not evidence.anchor_free:
        best[0] = nearest(evidence.origins, truth_boxes)
    if evidence.regions is not None and evidence.pool is not None and evidence.proposals is not None:
        pool = columns_of(evidence.drawn(evidence.regions[evidence.pool]))
        found = overlap(pool[:, :, None], columns_of(truth_boxes)[:, None])
        best[1] = found.max(0, initial=0)
        best[2] = found[evidence.proposals].max(0, initial=0)
    return best


def nearest(anchors: Anchors, truth_boxes: Float) -> Float:
    """Return the best IoU of any anchor with each box (T, 4).

    Anchors of one shape lie on a grid, and the overlap along each axis falls with the distance of the centres: of each
    shape only the nearest row and column have to be looked at.
    """
    best = np.zeros(len(truth_boxes), np.float32)
    objects = columns_of(truth_boxes)[:, :, None]
    middle: Float = (truth_boxes[:, :2] + truth_boxes[:, 2:]) * np.float32(0.5)
    levels = zip(anchors.grid.tolist(), anchors.per_cell.tolist(), anchors.start.tolist(), strict=False)
    for (rows, columns), count, start in levels:
        level = anchors.boxes[start : start + rows * columns * count].reshape(rows, columns, count, 4)
        if level.size:
            column = _closest(level[0, :, :, 0::2].mean(-1), middle[:, 0])
            row = _closest(level[:, 0, :, 1::2].mean(-1), middle[:, 1])
            shapes = columns_of(level[row, column, np.arange(count)]).reshape(5, len(best), count)
            np.maximum(best, overlap(shapes, objects).max(1), out=best)
    return best


def _closest(places: Float, wanted: Float) -> NDArray[np.intp]:
    """Return (T, A): for each shape the row of `places` (R, A), evenly spaced, that is closest to each of `wanted`."""
    step = (places[-1] - places[0]) / max(len(places) - 1, 1)
    near = np.rint((wanted[:, None] - places[0]) / np.where(step > 0, step, 1))
    return near.clip(0, len(places) - 1).astype(np.intp)
