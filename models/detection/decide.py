"""The decision on one picture: which candidates are shown at which settings. Shared by every inspection that shows or
explains detections.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models import cards
from models.detection.postprocess import GRAPH_FLOOR, Shown, choose, parity, suppress
from models.detection.suppression import Suppression, SuppressionGraph
from models.params import Value, param
from models.types import Candidates, Int, Pixels, Refusal

RPN = ("rpn_score", "rpn_iou", "rpn_top_n")


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


@dataclass(frozen=True)
class Decision:
    """The candidates of a picture, those that suppression `kept` (K,), best first, and the rows `shown` of them.

    `suppression` tells who removed whom; None unless it was asked for or had to be worked out.
    """

    candidates: Candidates
    kept: Int
    suppression: Suppression | None
    shown: Shown


def rpn_settings(model: Any, params: Params) -> dict[str, Value]:
    """Return the settings of the first stage that this model has."""
    return {name: getattr(params, name) for name in RPN if name in model.defaults}


def decide(model: Any, pixels: Pixels, params: Params, stages: Any, *, explain: bool = False) -> Decision:
    """Return what is shown of `pixels` (H, W, 3) uint8 RGB at these settings; with `explain` also who removed whom."""
    own = model.defaults
    rpn = rpn_settings(model, params)
    candidates: Candidates = model.candidates(pixels, rpn, stages)
    key = (tuple(rpn.items()), params.agnostic)

    graph: SuppressionGraph | None = stages.peek("graph", *key)
    if graph is None and len(candidates) > 1:
        stages.later("graph", lambda: _graph(candidates, agnostic=params.agnostic), *key)

    def nms() -> Suppression:
        return suppress(candidates, graph, iou=params.iou, agnostic=params.agnostic)

    at_own = params.score == own["score"] and params.iou == own["iou"] and not params.agnostic
    explain = explain or params.suppressed
    suppression = stages.time("nms", nms) if explain or not at_own else None
    if at_own or suppression is None:
        kept: Int = stages.run("own nms", lambda: parity(candidates, score=params.score, iou=params.iou), *key)
    else:
        kept = suppression.kept
    shown = choose(
        candidates,
        kept,
        suppression if explain else None,
        score=params.score,
        hidden=label_ids(params.hidden, model.card.classes),
        maximum=params.max_detections,
    )
    return Decision(candidates, kept, suppression, shown)


def label_ids(names: str, classes: tuple[str, ...]) -> frozenset[int]:
    """Return the label ids of comma-separated class names. Raises Refusal naming the classes there are."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = cards.label_ids(classes)
    names_of = [classes[i] for i in known]
    unknown = [name for name in wanted if name not in names_of]
    if unknown:
        raise Refusal(f"There is no class {unknown[0]!r}.", advice=f"Classes: {', '.join(names_of)}.")
    return frozenset(i for i in known if classes[i] in wanted)


def _graph(candidates: Candidates, *, agnostic: bool) -> Any:
    group = None if agnostic else candidates.label
    return SuppressionGraph.steps(candidates.boxes, candidates.score, group, floor=GRAPH_FLOOR)
