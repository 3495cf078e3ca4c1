"""The measurements stored per picture for the metrics of a data set: candidates, their survival, and their overlaps."""

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

    `boxes` (N, 4) in network pixels, where suppression is decided; `score` (N,); `label` (N,) the model's label ids;
    `survives` (N, BYTES) within the class, see `survival`. The P pairs with an IoU of at least `LEAST_IOU`, by
    candidate, then by falling IoU: `pair` (2, P) holds rows of candidates and objects, `iou` (P,), which for a crowd is
    the share of the candidate inside it. `reach` (3, T) as in `reach`.
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
        """The size of all columns in bytes."""
        return sum(getattr(self, name).nbytes for name in self.__dataclass_fields__)


def measure(candidates: Candidates, evidence: Evidence | None, truth: Annotated) -> Measured:
    """Measure one picture. Overlaps with objects are computed in original pixels and double precision, as COCO does."""
    order = ranking(candidates.score)
    boxes, score, label = candidates.boxes[order], candidates.score[order], candidates.label[order]
    iou = overlaps(candidates.drawn[order], truth.boxes, truth.crowd)
    row, item = np.nonzero(iou >= LEAST_IOU)
    found = iou[row, item]
    # COCO takes the last object among equal overlaps.
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
