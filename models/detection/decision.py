"""The decision on one image: which candidates are shown at which settings.

Every inspection that shows or explains detections uses `decide`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.detection import soft_nms
from models.detection.classes import class_groups, class_scores, label_ids
from models.detection.postprocess import (
    GRAPH_FLOOR,
    Outcome,
    Shown,
    choose,
    fusing,
    parity,
    removing,
    softening,
    suppress,
)
from models.detection.suppression import Suppression, SuppressionGraph
from models.params import Value, param
from models.types import Bool, Candidates, Float, Int, Pixels, Refusal

RPN = ("rpn_score", "rpn_iou", "rpn_top_n")
GREEDY, DIOU, GAUSSIAN, LINEAR, FUSION = "greedy", "diou", "soft-gaussian", "soft-linear", "wbf"
FAST = "fast"
METHODS = {
    GREEDY: "Greedy NMS",
    GAUSSIAN: "Soft-NMS, Gaussian",
    LINEAR: "Soft-NMS, linear",
    DIOU: "DIoU-NMS",
    FAST: "Fast NMS",
    FUSION: "Box fusion (WBF)",
}


@dataclass(frozen=True)
class Params:
    """Thresholds of the stages after the network. The model's own values replace these defaults."""

    score: float = param(0.5, "Score", "Boxes with a higher score are shown.")
    iou: float = param(
        0.5,
        "NMS IoU",
        "Of two boxes that overlap by more, the one with the lower score is removed (non-maximum suppression).",
        needs="nms",
        only=("method", GREEDY, DIOU, FAST, LINEAR, FUSION),
    )
    method: str = param(
        GREEDY,
        "Method",
        "What happens to boxes that overlap: greedy NMS removes the lower; Soft-NMS lowers its score instead "
        "(Bodla et al. 2017); DIoU-NMS spares it where the centres differ (Zheng et al. 2020); Fast NMS lets removed "
        "boxes remove others (Bolya et al. 2019); weighted boxes fusion merges both into a mean box (Solovyev et al. "
        "2021).",
        choices=tuple(METHODS),
        titles=tuple(METHODS.values()),
        needs="nms",
    )
    sigma: float = param(
        0.5,
        "Soft-NMS sigma",
        "Scores of overlapping boxes are multiplied by exp(-IoU² / sigma): the smaller, the harder.",
        low=0.01,
        high=2.0,
        needs="nms",
        only=("method", GAUSSIAN),
    )
    agnostic: bool = param(False, "Class-agnostic NMS", "A box may also remove a box of another class.", needs="nms")
    groups: str = param(
        "",
        "Class groups",
        "A box may also remove a box of another class of its group: names joined by +, groups separated by ;, as in "
        "cat+dog; car+truck. Each class not named is its own group.",
        needs="nms",
        only=("agnostic", False),
    )
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
    class_scores: str = param(
        "",
        "Class scores",
        "Thresholds of single classes, separated by commas, as in cat=0.6, dog=0.3. The others use Score.",
    )
    hidden: str = param("", "Hidden classes", "Class names that are not shown, separated by commas.")
    suppressed: bool = param(
        False, "Show suppressed", "Also show the boxes that suppression removed, and by which box.", needs="nms"
    )


@dataclass(frozen=True)
class Decision:
    """The candidates of an image, the rows that suppression `kept` (K,), best first, and which of those are `shown`.

    `suppression` holds which box removed which. It is None for methods that lower scores or fuse boxes, and where it
    was neither requested nor needed. `limits` (N,) are the scores that candidates must exceed: their class's own or the
    common one. `outcome` holds the scores and boxes after the method.
    """

    candidates: Candidates
    kept: Int
    suppression: Suppression | None
    shown: Shown
    limits: Float
    outcome: Outcome


@dataclass(frozen=True)
class _Task:
    """What a method works on: `candidates`; `group` (N,) within which they act on each other, None for a single group;
    `alive` (N,) which take part, None for all. `key` identifies candidates and grouping in the stage cache.
    """

    candidates: Candidates
    group: Int | None
    alive: Bool | None
    key: tuple[object, ...]
    limits: Float


def rpn_settings(model: Any, params: Params) -> dict[str, Value]:
    """Return the settings of the first stage (RPN) that this model has."""
    return {name: getattr(params, name) for name in RPN if name in model.defaults}


def check_plain(params: Params, what: str) -> None:
    """Raise Refusal for settings that `what` does not support: only greedy NMS and one score for all classes."""
    asked = {
        METHODS.get(params.method, params.method): params.method != GREEDY,
        "class groups": bool(params.groups) and not params.agnostic,
        "scores of single classes": bool(params.class_scores),
    }
    wanted = next((name for name, on in asked.items() if on), "")
    if wanted:
        raise Refusal(
            f"{what} cannot follow {wanted}.", advice="This works with greedy NMS and one score for all classes."
        )


def decide(model: Any, pixels: Pixels, params: Params, stages: Any, *, explain: bool = False) -> Decision:
    """Return what is shown of `pixels` (H, W, 3) uint8 RGB at these settings; with `explain` also who removed whom.

    At the model's own settings the kept rows come from torchvision's `batched_nms`, so that they equal the model's.
    """
    classes = model.card.classes
    rpn = rpn_settings(model, params)
    candidates: Candidates = model.candidates(pixels, rpn, stages)
    groups = () if params.agnostic else class_groups(params.groups, classes)
    own_limits = class_scores(params.class_scores, classes)

    limits = np.full(len(candidates), params.score, np.float32)
    for label, limit in own_limits.items():
        limits[candidates.label == label] = limit
    # Candidates below their class's own limit must not remove boxes of other classes. Within a class the limit is the
    # same for all, and a lower score never removes a higher one, so the mask is needed only across classes.
    alive = candidates.score > limits if own_limits and (groups or params.agnostic) else None
    key = (tuple(rpn.items()), groups or params.agnostic)
    task = _Task(candidates, _group(candidates.label, groups, agnostic=params.agnostic), alive, key, limits)

    explain = explain or params.suppressed
    own = model.defaults
    at_own = params.method == GREEDY and params.score == own["score"] and params.iou == own["iou"]
    at_own = at_own and not (params.agnostic or groups or own_limits)
    suppression = None
    if params.method == FUSION:
        outcome = stages.time("nms", lambda: _fused(task, params))
    elif params.method in (GAUSSIAN, LINEAR):
        outcome = softening(candidates, _softened(task, params, stages), limits)
    else:
        graph = _graph(task, stages, distance=params.method == DIOU)
        if explain or not at_own:
            suppression = stages.time("nms", lambda: _suppressed(task, graph, params))
        if at_own or suppression is None:
            kept = stages.run("own nms", lambda: parity(candidates, score=params.score, iou=params.iou), *key)
        else:
            kept = suppression.kept
        outcome = removing(candidates, kept, suppression)
    hidden = label_ids(params.hidden, classes)
    shown = choose(candidates, outcome, limits=limits, hidden=hidden, maximum=params.max_detections, explain=explain)
    return Decision(candidates, outcome.kept, suppression, shown, limits, outcome)


def _group(label: Int, groups: tuple[tuple[int, ...], ...], *, agnostic: bool) -> Int | None:
    """Return the group of each candidate (N,): its class, or the first class of its group; None for a single group."""
    if agnostic:
        return None
    group = label.copy()
    for members in groups:
        group[np.isin(label, members)] = members[0]
    return group


def _graph(task: _Task, stages: Any, *, distance: bool) -> SuppressionGraph | None:
    """Return the graph of overlapping pairs if it is cached; otherwise schedule it for idle time and return None."""
    candidates, name = task.candidates, "distance graph" if distance else "graph"
    graph: SuppressionGraph | None = stages.peek(name, *task.key)
    if graph is None and len(candidates) > 1:

        def steps() -> Any:
            columns = candidates.boxes, candidates.score, task.group
            return SuppressionGraph.steps(*columns, floor=GRAPH_FLOOR, distance=distance)

        stages.later(name, steps, *task.key)
    return graph


def _suppressed(task: _Task, graph: SuppressionGraph | None, params: Params) -> Suppression:
    kind = {"distance": params.method == DIOU, "fast": params.method == FAST}
    return suppress(task.candidates, graph, task.group, iou=params.iou, alive=task.alive, **kind)


def _softened(task: _Task, params: Params, stages: Any) -> soft_nms.Softened:
    """Run Soft-NMS; the result is cached without the score threshold, which does not change it."""
    score, boxes = task.candidates.score, task.candidates.boxes
    gaussian = params.method == GAUSSIAN
    decay = soft_nms.gaussian(params.sigma) if gaussian else soft_nms.linear(params.iou)
    held_back = () if task.alive is None else (params.score, params.class_scores)
    key = (*task.key, params.method, params.sigma if gaussian else params.iou, *held_back)
    overlaps = stages.run("overlaps", lambda: soft_nms.Overlaps.build(boxes, score, task.group), *task.key)
    return stages.run("nms", lambda: soft_nms.soft(overlaps, score, decay, task.alive), *key)


def _fused(task: _Task, params: Params) -> Outcome:
    """Fuse the boxes above their limit; those below must not pull at the mean."""
    candidates = task.candidates
    alive = candidates.score > task.limits
    return fusing(candidates, soft_nms.fuse(candidates.boxes, candidates.score, task.group, params.iou, alive))
