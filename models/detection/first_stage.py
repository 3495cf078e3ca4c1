"""What became of the RPN's regions: which went on as proposals, and what stopped the others. Numpy only, no network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.detection.evidence import Evidence
from models.detection.suppression import plain
from models.types import Float, Int

PROPOSAL, LOW_SCORE, REMOVED, OUTRANKED = range(4)


@dataclass(frozen=True)
class FirstStage:
    """The P regions of the pool: `fate` (P,) one of PROPOSAL, LOW_SCORE, REMOVED, OUTRANKED; `by` (P,) the row of the
    pool that removed it at `iou` (P,), -1 and 0 for none; `place` (P,) its place after suppression from 0, -1 for none.
    """

    fate: Int
    by: Int
    iou: Float
    place: Int


def pooled(evidence: Evidence) -> tuple[Float, Float, Int]:
    """Return the pool's regions (P, 4) in network pixels, their objectness (P,) and pyramid levels (P,).

    Raises ValueError for a detector of one stage.
    """
    if evidence.pool is None or evidence.regions is None or evidence.objectness is None:
        raise ValueError("a detector of one stage has no proposals")
    pool = evidence.pool
    return evidence.regions[pool], evidence.objectness[pool], evidence.origins.level(pool)


def ranked(evidence: Evidence, *, iou: float) -> Int:
    """Return the rows of the pool that survive suppression within their level, best objectness first.

    Those at any score and number of proposals are the first of them: suppression is closed under order.
    """
    boxes, objectness, level = pooled(evidence)
    return plain(boxes, objectness, level, iou).kept


def first_stage(evidence: Evidence, *, score: float, iou: float) -> FirstStage:
    """Tell what became of each region of the pool at the settings that `evidence` was made with."""
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
