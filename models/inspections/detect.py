"""Detect: the boxes a model finds at given thresholds, and on request those that suppression removed, and by which box.

Arrays of the Result, all boxes xyxy in pixels of the original image, best first: `boxes` (K, 4), `scores` (K,),
`labels` (K,), `ids` (K,) which identify a box at any setting, `levels` (K,) and `anchors` (K, 4) behind each box, and
for two stages `proposals` (K, 4) and `objectness` (K,). Detectors of others may add `points` (K, P, 3), x, y and
visibility, and `angles` (K,) of oriented boxes in radians, clockwise around the centre of the unturned box. With
`suppressed`: `removed_boxes` (R, 4), `removed_scores` (R,) from the model, `removed_labels` (R,), `removed_by` (R,)
rows of `boxes`, `removed_iou` (R,).

Where the method changes scores, `original_scores` (K,) are the model's own; a fused box has those of its best member.
With `suppressed`, Soft-NMS adds `removed_left` (R,), the lowered scores, and DIoU-NMS adds `removed_diou` (R,).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.detection.decision import DIOU, FAST, FUSION, GREEDY, Params, decide
from models.detection.postprocess import Shown
from models.detection.suppression import columns_of, shift
from models.inspection import Inspection
from models.types import Candidates, Pixels, Result


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the detections of `pixels` (H, W, 3) uint8 RGB."""
    decision = decide(model, pixels, params, stages)
    candidates, shown, rows = decision.candidates, decision.shown, decision.shown.rows
    arrays: dict[str, np.ndarray] = {
        "boxes": shown.drawn,
        "scores": shown.scores,
        "labels": candidates.label[rows],
        "ids": candidates.anchor[rows] * len(model.card.classes) + candidates.label[rows],
        "removed_boxes": candidates.drawn[shown.removed],
        "removed_scores": candidates.score[shown.removed],
        "removed_labels": candidates.label[shown.removed],
        "removed_by": shown.by,
        "removed_iou": shown.iou,
    }
    arrays |= _of_method(params.method, candidates, shown)
    if hasattr(model, "anchors"):
        table = model.anchors(pixels, stages)
        arrays["anchors"] = table.boxes[candidates.anchor[rows]]
        arrays["levels"] = table.level(candidates.anchor[rows])
    if hasattr(model, "box_extras"):
        arrays |= {name: values[candidates.anchor[rows]] for name, values in model.box_extras(pixels, stages).items()}
    if len(candidates.proposals):
        arrays["proposals"] = candidates.proposals[candidates.proposal[rows]]
        arrays["objectness"] = candidates.objectness[candidates.proposal[rows]]
    meta: Mapping[str, Any] = {
        "classes": model.card.classes,
        "method": params.method,
        "counts": shown.counts,
        "candidates": len(candidates),
        "proposals": len(candidates.proposals),
        "cut": shown.cut,
    }
    return Result(arrays, meta)


def _of_method(method: str, candidates: Candidates, shown: Shown) -> dict[str, np.ndarray]:
    """Return the arrays that only some methods of suppression have."""
    if method in (GREEDY, FAST):
        return {}
    if method == DIOU:
        lost, keepers = columns_of(candidates.boxes[shown.removed]), columns_of(shown.boxes[shown.by])
        return {"removed_diou": shown.iou - shift(keepers, lost)}
    own = {"original_scores": candidates.score[shown.rows]}
    return own if method == FUSION else {**own, "removed_left": shown.removed_scores}


INSPECTION = Inspection(
    id="detect",
    title="Detection",
    help="Find objects, with every threshold of the stages after the network.",
    needs=("Detects",),
    params=Params,
    answer=answer,
)
