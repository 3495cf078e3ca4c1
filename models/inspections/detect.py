"""Detect: the boxes a model finds at the thresholds asked for; on demand those suppression removed, and by which box.

Arrays of the Result, all boxes xyxy in pixels of the original picture, best first: `boxes` (K, 4), `scores` (K,),
`labels` (K,), `ids` (K,) that stay a box's own at any setting, `levels` (K,) and `anchors` (K, 4) behind each box,
`proposals` (K, 4) and `objectness` (K,) with two stages. With `suppressed`: `removed_boxes` (R, 4), `removed_scores`,
`removed_labels`, `removed_by` (R,) rows of `boxes`, `removed_iou`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.detection.decide import Params, decide
from models.detection.postprocess import Shown
from models.inspection import Inspection
from models.types import Candidates, Pixels, Result


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the detections of `pixels` (H, W, 3) uint8 RGB."""
    decision = decide(model, pixels, params, stages)
    return _result(model, pixels, decision.candidates, decision.shown, stages)


def _result(model: Any, pixels: Pixels, candidates: Candidates, shown: Shown, stages: Any) -> Result:
    rows = shown.rows
    arrays: dict[str, np.ndarray] = {
        "boxes": candidates.drawn[rows],
        "scores": candidates.score[rows],
        "labels": candidates.label[rows],
        "ids": candidates.anchor[rows] * len(model.card.classes) + candidates.label[rows],
        "removed_boxes": candidates.drawn[shown.removed],
        "removed_scores": candidates.score[shown.removed],
        "removed_labels": candidates.label[shown.removed],
        "removed_by": shown.by,
        "removed_iou": shown.iou,
    }
    if hasattr(model, "anchors"):
        table = model.anchors(pixels, stages)
        arrays["anchors"] = table.boxes[candidates.anchor[rows]]
        arrays["levels"] = table.level(candidates.anchor[rows])
    if len(candidates.proposals):
        arrays["proposals"] = candidates.proposals[candidates.proposal[rows]]
        arrays["objectness"] = candidates.objectness[candidates.proposal[rows]]
    meta: Mapping[str, Any] = {
        "classes": model.card.classes,
        "counts": shown.counts,
        "candidates": len(candidates),
        "proposals": len(candidates.proposals),
        "cut": shown.cut,
    }
    return Result(arrays, meta)


INSPECTION = Inspection(
    id="detect",
    title="Detection",
    help="Find objects, with every threshold of the stages after the network.",
    needs=("Detects",),
    params=Params,
    answer=answer,
)
