"""Average precision as COCO defines it (cocoeval.accumulate), from the places of the correct detections alone."""

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
    """The K correct detections at one IoU threshold, by class, then best first.

    `candidate` (K,) rows of the table, `item` (K,) the objects they found, `kind` (K,) their class, `score` (K,);
    `at` (K,) where they stand among all evaluated detections in that order; `place` (K,) their rank in their class
    among those that count, from 1.
    """

    candidate: Int
    item: Int
    kind: Int
    score: Float
    at: Int
    place: Int

    def above(self, score: float) -> Hits:
        """Return those with a higher score: nobody's place depends on those behind."""
        keep = self.score > score
        return Hits(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


def average_precision(kind: Int, place: Int, positives: Int, recalls: Double = COCO_RECALLS) -> Double:
    """Return the average precision of each class (C,), `UNDEFINED` for a class without objects.

    `kind` (K,) and `place` (K,) of the correct detections, by class, then place; `positives` (C,) objects to be found.
    Precision is interpolated: at each recall it is the best at that recall or a higher one.
    """
    found = np.bincount(kind, minlength=len(positives))
    first = np.cumsum(found) - found
    precision = (np.arange(len(kind)) - first[kind] + 1) / place
    # One running maximum from the end serves all classes: each is lifted above those behind it.
    lifted = precision - 2.0 * kind
    best = np.maximum.accumulate(lifted[::-1])[::-1] + 2.0 * kind

    number = np.maximum(positives, 1)[:, None]
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
