"""Average precision as COCO defines it (cocoeval.accumulate), from the ranks of the correct detections alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.types import Float, Int

Double = NDArray[np.float64]
COCO_RECALLS: Double = np.linspace(0.0, 1.0, 101)
UNDEFINED = -1.0


@dataclass(frozen=True, eq=False)
class Hits:
    """The K correct detections at one IoU threshold, sorted by class, then by falling score.

    `candidate` (K,) rows of the table, `item` (K,) the objects they match, `kind` (K,) their class, `score` (K,); `at`
    (K,) their index among all evaluated detections in that order; `place` (K,) their rank, from 1, among the detections
    of their class that are not ignored.
    """

    candidate: Int
    item: Int
    kind: Int
    score: Float
    at: Int
    place: Int

    def above(self, score: float) -> Hits:
        """Return those with a higher score. Ranks stay valid, since they only depend on better detections."""
        keep = self.score > score
        return Hits(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


def average_precision(kind: Int, place: Int, positives: Int, recalls: Double = COCO_RECALLS) -> Double:
    """Return the average precision of each class (C,), `UNDEFINED` for a class without objects.

    `kind` (K,) and `place` (K,) of the correct detections, by class, then place; `positives` (C,) the number of
    objects. Precision is interpolated: at each recall it is the best one at that recall or a higher one.
    """
    found = np.bincount(kind, minlength=len(positives))
    first = np.cumsum(found) - found
    precision = (np.arange(len(kind)) - first[kind] + 1) / place
    # One running maximum from the end serves all classes: the offset lifts each class above those after it.
    lifted = precision - 2.0 * kind
    best = np.maximum.accumulate(lifted[::-1])[::-1] + 2.0 * kind

    number = np.maximum(positives, 1)[:, None]
    # The least number of hits n with n / number >= recall. Rounding can put ceil one off, so check both neighbours.
    needed = np.ceil(recalls * number)
    needed -= (needed - 1) / number >= recalls
    needed += needed / number < recalls
    needed = np.maximum(needed, 1).astype(np.intp)
    reached = needed <= found[:, None]
    at = np.where(reached, first[:, None] + needed - 1, 0)
    value = np.where(reached, best[at], 0.0) if len(best) else np.zeros(needed.shape)
    return np.where(positives > 0, value.mean(1), UNDEFINED)


def mean(values: Double) -> float:
    """Return the mean over the classes that have objects, `UNDEFINED` if none has."""
    known = values[values > UNDEFINED]
    return float(known.mean()) if len(known) else UNDEFINED
