"""What is kept of one picture for the figures of a data set: its candidates, their survival, and what they overlap.

Numbers only: it runs no model and knows no other picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detection.evidence import Evidence
from models.detection.matching import overlaps
from models.detection.suppression import ranking
from models.evaluation.reach import reach
from models.evaluation.survival import survival
from models.truth.types import Annotated
from models.types import Candidates, Float

LEAST_IOU = 0.1


@dataclass(frozen=True, eq=False)
class Measured:
    """One picture's N candidates, best first, and its T objects.

    `boxes` (N, 4) in network pixels, where suppression is decided, `score` (N,), `label` (N,) the model's label ids;
    `survives` (N, BYTES) within the class, see `survival`. The P pairs whose IoU is at least `LEAST_IOU`, by candidate,
    then by falling IoU: `pair` (2, P) rows of candidates and objects, `iou` (P,), with a crowd the share of the
    candidate in it. `reach` (3, T) as in `reach`.
    """

    boxes: Float
    score: Float
    label: NDArray[np.int16]
    survives: NDArray[np.uint8]
    pair: NDArray[np.int32]
    iou: NDArray[np.float64]
    reach: Float

    @property
    def nbytes(self) -> int:
        """The size of all columns."""
        return sum(getattr(self, name).nbytes for name in self.__dataclass_fields__)


def measure(candidates: Candidates, evidence: Evidence | None, truth: Annotated) -> Measured:
    """Return what is kept of a picture. Overlaps with objects are in pixels of the original, in double, as COCO's."""
    order = ranking(candidates.score)
    boxes, score, label = candidates.boxes[order], candidates.score[order], candidates.label[order]
    iou = overlaps(candidates.drawn[order], truth.boxes, truth.crowd)
    row, item = np.nonzero(iou >= LEAST_IOU)
    found = iou[row, item]
    # Of equal overlaps COCO takes the last object.
    falling = np.lexsort((-item, -found, row))
    return Measured(
        boxes,
        score,
        label.astype(np.int16),
        survival(boxes, score, label),
        np.stack([row, item])[:, falling].astype(np.int32),
        found[falling],
        reach(evidence, truth.boxes),
    )
