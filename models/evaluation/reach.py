"""Best overlap of each detector stage's boxes with the objects of a picture, for the recall funnel."""

from __future__ import annotations

import numpy as np

from models.detection.anchor_fit import best_overlaps
from models.detection.evidence import Evidence
from models.detection.suppression import columns_of, overlap
from models.types import Float

STAGES = ("anchors", "pool", "proposals")
ABSENT = -1.0


def reach(evidence: Evidence | None, truth_boxes: Float) -> Float:
    """Return (3, T): the best IoU of the anchors, of the pool before the RPN's suppression, and of the proposals.

    `truth_boxes` (T, 4) xyxy in pixels of the original picture; `ABSENT` for a stage that the detector does not have.
    """
    best = np.full((len(STAGES), len(truth_boxes)), ABSENT, np.float32)
    if evidence is None or not len(truth_boxes):
        return best
    if not evidence.anchor_free:
        table = evidence.origins
        best[0] = best_overlaps(truth_boxes, table.boxes, table.grid.tolist(), table.per_cell.tolist())
    if evidence.regions is not None and evidence.pool is not None and evidence.proposals is not None:
        pool = columns_of(evidence.drawn(evidence.regions[evidence.pool]))
        found = overlap(pool[:, :, None], columns_of(truth_boxes)[:, None])
        best[1] = found.max(0, initial=0)
        best[2] = found[evidence.proposals].max(0, initial=0)
    return best
