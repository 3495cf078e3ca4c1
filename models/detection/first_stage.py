"""The fate of each RPN region: which became proposals, and what stopped the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.detection.evidence import Evidence
from models.detection.suppression import plain
from models.types import Float, Int

PROPOSAL, LOW_SCORE, REMOVED, OUTRANKED = range(4)


@dataclass(frozen=True)
class FirstStage:
    """The fate of the P regions of the pool.

    `fate` (P,): PROPOSAL, LOW_SCORE, REMOVED or OUTRANKED; `by` (P,): the row of the pool that removed it, -1 for none;
    `iou` (P,): the IoU with that row, 0 for none; `place` (P,): the place after suppression, from 0, -1 for none.
    """

    fate: Int
    by: Int
    iou: Float
    place: Int


def pooled(evidence: Evidence) -> tuple[Float, Float, Int]:
    """Return the pool's regions (P, 4) in network pixels, their objectness (P,) and pyramid levels (P,).

    Raises ValueError for a one-stage detector.
    """
    if evidence.pool is None or evidence.regions is None or evidence.objectness is None:
        raise ValueError("a detector of one stage has no proposals")
    pool = evidence.pool
    return evidence.regions[pool], evidence.objectness[pool], evidence.origins.level(pool)


def ranked(evidence: Evidence, *, iou: float) -> Int:
    """Return the rows of the pool that survive suppression within their level, best objectness first.

    The proposals at any minimum score and any maximum count are a prefix of these rows, because greedy suppression lets
    only higher scores remove lower ones.
    """
    boxes, objectness, level = pooled(evidence)
    return plain(boxes, objectness, level, iou).kept


def first_stage(evidence: Evidence, *, score: float, iou: float) -> FirstStage:
    """Return the fate of each region of the pool at the settings that `evidence` was made with."""
    boxes, objectness, level = pooled(evidence)
    assert evidence.proposals is not None
    outcome = plain(boxes, objectness, level, iou)
    fate = np.full(len(boxes), OUTRANKED, np.int64)
    fate[outcome.removed_by >= 0] = REMOVED
    fate[objectness < score] = LOW_SCORE
    fate[evidence.proposals] = PROPOSAL
    place = np.full(len(boxes), -1, np.int64)
    place[outcome.kept] = np.arange(len(outcome.kept))
    return FirstStage(fate, outcome.removed_by, outcome.removed_iou, place)
