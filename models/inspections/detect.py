"""Detect: the boxes a model finds at the thresholds asked for; on demand those suppression removed, and by which box.

Arrays of the Result, all boxes xyxy in pixels of the original picture, best first: `boxes` (K, 4), `scores` (K,),
`labels` (K,), `ids` (K,) that stay a box's own at any setting, `levels` (K,) and `anchors` (K, 4) behind each box,
`proposals` (K, 4) and `objectness` (K,) with two stages. With `suppressed`: `removed_boxes` (R, 4), `removed_scores`,
`removed_labels`, `removed_by` (R,) rows of `boxes`, `removed_iou`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.detection.postprocess import GRAPH_FLOOR, Shown, choose, parity, suppress
from models.detection.suppression import Suppression, SuppressionGraph
from models.inspection import Inspection
from models.params import param
from models.types import Candidates, Int, Pixels, Refusal, Result


@dataclass(frozen=True)
class Params:
    """Thresholds of the stages after the network. Their defaults are replaced by the model's own."""

    score: float = param(0.5, "Score", "Boxes with a higher score are shown.")
    iou: float = param(
        0.5,
        "NMS IoU",
        "Of two boxes that overlap by more, the one with the lower score is removed (non-maximum suppression).",
        needs="nms",
    )
    agnostic: bool = param(False, "Class-agnostic NMS", "A box may also remove a box of another class.", needs="nms")
    max_detections: int = param(
        100, "Maximum detections", "The best boxes are shown up to this many.", low=1, high=1000, step=1, unit="boxes"
    )
    rpn_score: float = param(0.0, "Proposal score", "Proposals with a lower objectness are dropped.", needs="rpn")
    rpn_iou: float = param(
        0.7, "Proposal NMS IoU", "Of two proposals that overlap by more, the lower is removed.", needs="rpn"
    )
    rpn_top_n: int = param(
        1000,
        "Proposals kept",
        "The best proposals go on to the second stage up to this many.",
        low=1,
        high=2000,
        step=1,
        unit="proposals",
        needs="rpn",
    )
    hidden: str = param("", "Hidden classes", "Class names that are not shown, separated by commas.")
    suppressed: bool = param(
        False, "Show suppressed", "Also show the boxes that suppression removed, and by which box.", needs="nms"
    )


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the detections of `pixels` (H, W, 3) uint8 RGB."""
    own = model.defaults
    rpn = {name: getattr(params, name) for name in ("rpn_score", "rpn_iou", "rpn_top_n") if name in own}
    candidates: Candidates = model.candidates(pixels, rpn, stages)
    key = (tuple(rpn.items()), params.agnostic)

    graph: SuppressionGraph | None = stages.peek("graph", *key)
    if graph is None and len(candidates) > 1:
        stages.later("graph", lambda: _graph(candidates, agnostic=params.agnostic), *key)

    def nms() -> Suppression:
        return suppress(candidates, graph, iou=params.iou, agnostic=params.agnostic)

    at_own = params.score == own["score"] and params.iou == own["iou"] and not params.agnostic
    suppression = stages.time("nms", nms) if params.suppressed or not at_own else None
    if at_own or suppression is None:
        kept: Int = stages.run("own nms", lambda: parity(candidates, score=params.score, iou=params.iou), *key)
    else:
        kept = suppression.kept
    shown = choose(
        candidates,
        kept,
        suppression if params.suppressed else None,
        score=params.score,
        hidden=label_ids(params.hidden, model.card.classes),
        maximum=params.max_detections,
    )
    return _result(model, pixels, candidates, shown, stages)


def label_ids(names: str, classes: tuple[str, ...]) -> frozenset[int]:
    """Return the label ids of comma-separated class names. Raises Refusal naming the classes there are."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in classes[1:]]
    if unknown:
        raise Refusal(f"There is no class {unknown[0]!r}.", advice=f"Classes: {', '.join(classes[1:])}.")
    return frozenset(i for i, name in enumerate(classes) if i and name in wanted)


def _graph(candidates: Candidates, *, agnostic: bool) -> Any:
    group = None if agnostic else candidates.label
    return SuppressionGraph.steps(candidates.boxes, candidates.score, group, floor=GRAPH_FLOOR)


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
