"""The recall funnel: how many objects can still be detected after each stage of the detector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.evaluation.matched import Matched
from models.evaluation.reach import ABSENT
from models.types import Bool, Int

STAGES = ("anchors", "pool", "proposals", "candidates", "score", "nms", "maximum")
SIZES = ("small", "medium", "large")
SMALL_PX2, LARGE_PX2 = 32.0**2, 96.0**2


def funnel(matched: Matched, best: NDArray[np.float32], score: float) -> tuple[Int, Int]:
    """Return counts of objects (7, 4 + C) per stage, and their totals (4 + C,). Columns: all, COCO's sizes, classes.

    An object survives a stage if one of the stage's boxes has at least the required IoU with it; from the candidates on
    the box must also have the object's class. -1 marks a stage that the detector does not have. `best` comes from
    `best_scores`.
    """
    table, counted = matched.table, np.flatnonzero(matched.counted)
    iou = matched.setting.match_iou
    alive = [None if (part == ABSENT).all() else part >= np.float32(iou) for part in table.reach]
    limit = np.float32(score)
    alive += [best[0] > 0, *(column > limit for column in best)]
    groups = _groups(matched)[:, counted]
    rows = [np.full(len(groups), -1) if part is None else (groups & part[counted]).sum(1) for part in alive]
    return np.array(rows, np.int64), groups.sum(1)


def best_scores(matched: Matched) -> NDArray[np.float32]:
    """Return (3, T): the best score of the candidates that match an object.

    The rows consider all candidates, those left by NMS, and those left by the maximum per picture.
    """
    table = matched.table
    candidate, item, found = table.same
    near = found >= matched.setting.match_iou
    candidate, item = candidate[near], item[near]
    best = np.zeros((3, len(table.crowd)), np.float32)
    for row, mask in zip(best, (None, matched.kept, matched.alive), strict=True):
        who, what = (candidate, item) if mask is None else (candidate[mask[candidate]], item[mask[candidate]])
        row[what[::-1]] = table.score[who[::-1]]  # numpy keeps the last of repeated writes: the best score
    return best


def _groups(matched: Matched) -> Bool:
    """Return (4 + C, T): which objects are in each group."""
    table = matched.table
    small, large = table.area < SMALL_PX2, table.area >= LARGE_PX2
    classes = table.truth_kind == np.arange(len(matched.positives))[:, None]
    return np.concatenate([[np.ones(len(small), np.bool_), small, ~small & ~large, large], classes])
