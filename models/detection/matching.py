"""Match detections to ground truth on one image: correct, wrong, missed.

The rule is COCO's (cocoeval.evaluateImg): in order of falling score, each detection takes the free object of its class
that it overlaps most, if the IoU reaches the threshold. A crowd absorbs any number of detections, measured by the share
of the detection inside it; absorbed detections count as neither correct nor wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.types import Bool, Float, Int

Double = NDArray[np.float64]
# As in COCO: an IoU of 1 that rounding lowered slightly still passes a threshold of 1.
ALMOST_ONE = 1 - 1e-10


@dataclass(frozen=True, eq=False)
class Matches:
    """The outcome for K detections and T objects.

    Per detection: `correct` (K,); `ignored` (K,), absorbed by a crowd; `truth` (K,), the row of its object or crowd,
    for a wrong detection the object of any class that it overlaps most, -1 for none; `iou` (K,) with that object.
    Per object: `found` (T,), the row of its detection, -1 for none; `missed` (T,), always False for a crowd.
    """

    correct: Bool
    ignored: Bool
    truth: Int
    iou: Double
    found: Int
    missed: Bool

    @property
    def wrong(self) -> Bool:
        """The detections that count against the model (K,)."""
        return ~(self.correct | self.ignored)

    @property
    def precision(self) -> float:
        """The share of the counted detections that is correct; NaN if none counts."""
        right, wrong = int(self.correct.sum()), int(self.wrong.sum())
        return right / (right + wrong) if right + wrong else float("nan")

    @property
    def recall(self) -> float:
        """The share of the objects that was found; NaN if there are none."""
        right, missed = int(self.correct.sum()), int(self.missed.sum())
        return right / (right + missed) if right + missed else float("nan")


def match(  # noqa: PLR0917 - two tables of three columns each
    boxes: Float, scores: Float, labels: Int, truth_boxes: Float, truth_labels: Int, crowd: Bool, *, iou: float
) -> Matches:
    """Match K detections to T objects: boxes xyxy in the same pixels, labels of the same model.

    An object with a label that no detection can have, such as -1, counts as missed.
    """
    overlap = overlaps(boxes, truth_boxes, crowd)
    same = labels[:, None] == truth_labels[None]
    threshold = min(iou, ALMOST_ONE)
    chosen = np.full(len(boxes), -1, np.int64)
    found = np.full(len(truth_boxes), -1, np.int64)
    reach = same & (overlap >= threshold)
    # Detections that reach no object need no turn; each of the others is compared with the few objects it reaches.
    for row in np.argsort(-scores, kind="stable").tolist():
        near = np.flatnonzero(reach[row])
        if not len(near):
            continue
        free = near[(found[near] < 0) & ~crowd[near]]
        # Among equal overlaps COCO takes the last; objects that count take precedence over crowds.
        pick = free if len(free) else near[crowd[near]]
        if len(pick):
            last = len(pick) - 1 - int(overlap[row, pick][::-1].argmax())
            chosen[row] = pick[last]
            if not crowd[chosen[row]]:
                found[chosen[row]] = row
    taken = chosen >= 0
    ignored = taken.copy()
    ignored[taken] = crowd[chosen[taken]]
    if len(truth_boxes):
        best = overlap.argmax(1)
        touching = overlap[np.arange(len(boxes)), best] > 0
        truth = np.where(taken, chosen, np.where(touching, best, -1))
        with_it = np.where(truth >= 0, overlap[np.arange(len(boxes)), truth], 0.0)
    else:
        truth, with_it = chosen, np.zeros(len(boxes))
    return Matches(taken & ~ignored, ignored, truth, with_it, found, (found < 0) & ~crowd)


def overlaps(boxes: Float, truth_boxes: Float, crowd: Bool) -> Double:
    """Return the IoU (K, T) of detections with objects; for a crowd, the share of the detection inside it."""
    ax0, ay0, ax1, ay1 = boxes.astype(np.float64).T[:, :, None]
    bx0, by0, bx1, by1 = truth_boxes.astype(np.float64).T[:, None]
    common = np.minimum(ax1, bx1) - np.maximum(ax0, bx0)
    common *= (common > 0) * np.clip(np.minimum(ay1, by1) - np.maximum(ay0, by0), 0, None)
    own, other = (ax1 - ax0) * (ay1 - ay0), (bx1 - bx0) * (by1 - by0)
    whole = np.where(crowd, own, own + other - common)
    return np.divide(common, whole, out=np.zeros_like(common), where=whole > 0)
