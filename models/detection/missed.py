"""At which stage the boxes of a missed object were lost.

`missed_ladder` puts the result in words; `missed_remedy` finds settings that bring the object back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.detection.evidence import Evidence
from models.detection.first_stage import LOW_SCORE, OUTRANKED, REMOVED, FirstStage
from models.types import Bool, Float, Int

if TYPE_CHECKING:
    from models.detection.decision import Decision

VALUES_AT_ONCE = 1 << 20
Rect = tuple[float, float, float, float]

# The stages a box can be lost at, in the detector's order. A stage with a control has the control's name.
STAGES = ("rpn_score", "rpn_iou", "rpn_top_n", "score", "limit", "iou", "hidden", "max_detections", "shown")


@dataclass(frozen=True)
class Matches:
    """The K scored boxes (pairs of an origin and a label) that overlap an object enough, and the closest box.

    `anchor` (K,) rows of origins, `label` (K,), `score` (K,), `iou` (K,) with the object, `boxes` (K, 4) in pixels of
    the original image. `nearest` (1, 4) is the box with the greatest overlap, `nearest_iou` its IoU, which may be too
    small to count.
    """

    anchor: Int
    label: Int
    score: Float
    iou: Float
    boxes: Float
    nearest: Float
    nearest_iou: float

    def __len__(self) -> int:
        return len(self.anchor)

    def ids(self, classes: int) -> Int:
        """Return the detection ids of the pairs."""
        return self.anchor * classes + self.label

    def best(self, among: Bool) -> int:
        """Return the row of the best score among the rows in the mask `among`, -1 for none."""
        rows = np.flatnonzero(among)
        return int(rows[np.argmax(self.score[rows])]) if len(rows) else -1


def overlap(boxes: Float, region: Rect) -> Float:
    """Return the IoU of boxes (..., 4) xyxy with a rectangle in the same pixels."""
    x0, y0, x1, y1 = region
    across = np.minimum(boxes[..., 2], x1) - np.maximum(boxes[..., 0], x0)
    down = np.minimum(boxes[..., 3], y1) - np.maximum(boxes[..., 1], y0)
    both = across.clip(0) * down.clip(0)
    areas = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]) + (x1 - x0) * (y1 - y0)
    return np.divide(both, areas - both, out=np.zeros_like(both), where=areas > both)


def matches(
    evidence: Evidence,
    region: Rect,
    *,
    iou: float,
    labels: Int,
    check: Callable[[float], None] = lambda fraction: None,
) -> Matches:
    """Return every scored box with one of `labels` whose IoU with `region`, in original pixels, is at least `iou`.

    `check` receives the fraction done, and may raise to cancel.
    """
    count = len(evidence.source)
    parts: list[tuple[Int, Int, Float, Float, Float]] = []
    nearest, nearest_iou = np.zeros((0, 4), np.float32), 0.0
    step = max(1, VALUES_AT_ONCE // max(1, int(labels.max(initial=0)) + 1))
    for start in range(0, count, step):
        check(start / count)
        rows = np.arange(start, min(start + step, count))
        boxes = evidence.decoded(rows)
        shared = boxes.strides[1] == 0  # one broadcast box for all labels: compare it only once
        columns = boxes[:, :1] if shared else boxes[:, labels]
        drawn = evidence.drawn(np.array(columns.reshape(-1, 4))).reshape(columns.shape)
        iou_of = overlap(drawn, region)
        if iou_of.size and (nearest_iou < iou_of.max() or not len(nearest)):
            nearest_iou, nearest = float(iou_of.max()), drawn.reshape(-1, 4)[[iou_of.argmax()]]
        row, column = np.nonzero(iou_of >= iou)
        if not len(row):
            continue
        near = np.unique(row)
        scores = np.zeros((len(rows), evidence.scores(rows[near[:1]]).shape[1]), np.float32)
        scores[near] = evidence.scores(rows[near])
        if shared:
            row, name = np.repeat(row, len(labels)), np.tile(labels, len(row))
            column = np.zeros_like(row)
        else:
            name = labels[column]
        parts.append((evidence.source[rows[row]], name, scores[row, name], iou_of[row, column], drawn[row, column]))
    empty = np.zeros(0, np.int64), np.zeros(0, np.int64), *([np.zeros(0, np.float32)] * 2), np.zeros((0, 4), np.float32)
    anchor, label, score, iou_found, found = (np.concatenate(part) for part in zip(*(parts or [empty]), strict=True))
    return Matches(anchor, label, score, iou_found, found, nearest, nearest_iou)


def ends(
    matching: Matches,
    decision: Decision,
    *,
    classes: int,
    score: float,
    hidden: frozenset[int],
    proposed: Int | None = None,
    pool: Int | None = None,
    first: FirstStage | None = None,
) -> Int:
    """Return for every match the index in STAGES of the stage it was lost at.

    `proposed` are the anchors that became proposals, `pool` (P,) those of the pool and `first` their fate; all None for
    a one-stage detector.
    """
    found = decision.candidates
    end = np.full(len(matching), STAGES.index("limit"), np.int64)
    rows = rows_of(matching.ids(classes), found.anchor * classes + found.label)
    listed = rows >= 0
    kept, shown = (np.zeros(len(found), np.bool_) for _ in range(2))
    kept[decision.kept], shown[decision.shown.rows] = True, True
    last = np.full(len(found), STAGES.index("max_detections"), np.int64)
    last[np.isin(found.label, list(hidden))] = STAGES.index("hidden")
    last[~kept] = STAGES.index("iou")
    last[shown] = STAGES.index("shown")
    end[listed] = last[rows[listed]]
    scored = matching.score.copy()
    scored[listed] = found.score[rows[listed]]
    end[~(scored > score)] = STAGES.index("score")
    if proposed is not None and pool is not None and first is not None:
        at = rows_of(matching.anchor, pool)
        stage = np.full(len(pool), -1, np.int64)
        for code, name in ((LOW_SCORE, "rpn_score"), (REMOVED, "rpn_iou"), (OUTRANKED, "rpn_top_n")):
            stage[first.fate == code] = STAGES.index(name)
        out = ~np.isin(matching.anchor, proposed)
        end[out] = stage[at[out]]
    return end


def rows_of(wanted: Int, keys: Int) -> Int:
    """Return the row of each wanted key among unique keys, -1 where it is missing."""
    if not len(keys):
        return np.full(len(wanted), -1, np.int64)
    order = np.argsort(keys, kind="stable")
    at = order[np.searchsorted(keys, wanted, sorter=order).clip(0, len(keys) - 1)]
    return np.where(keys[at] == wanted, at, -1)
