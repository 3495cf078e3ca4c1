"""Lineage: the path of one box, shown or not, from its anchor to its rank among the shown boxes.

The arrays are those of `models.detection.lineage.Lineage`; `meta["finding"]` holds its steps in plain numbers, with
class names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.detection import decision as deciding
from models.detection.classes import label_ids
from models.detection.decision import Decision, decide, rpn_settings
from models.detection.evidence import Evidence
from models.detection.first_stage import first_stage
from models.detection.lineage import trace
from models.inspection import Inspection
from models.params import param
from models.types import Pixels, Refusal, Result

MOST_BOXES = 2**31 - 1


@dataclass(frozen=True)
class Params(deciding.Params):
    """The settings of detection, and the box."""

    box: int = param(-1, "Box", "The detection to trace, by its id; -1 is the best box shown.", low=-1, high=MOST_BOXES)


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the lineage of a box of `pixels` (H, W, 3) uint8 RGB. Raises Refusal for an id that does not exist."""
    classes = model.card.classes
    decision = decide(model, pixels, params, stages, explain=True)
    rpn = rpn_settings(model, params)
    evidence: Evidence = model.evidence(pixels, rpn, stages)
    first = None
    if evidence.pool is not None:
        score, iou = float(rpn["rpn_score"]), float(rpn["rpn_iou"])
        first = stages.run("fates of proposals", lambda: first_stage(evidence, score=score, iou=iou), *rpn.values())
    box = params.box if params.box >= 0 else best_shown(decision, len(classes))
    most = len(evidence.origins.boxes) * len(classes)
    if box >= most:
        raise Refusal(f"There is no box {box}.", advice=f"On this picture ids go up to {most - 1}.")
    hidden = label_ids(params.hidden, classes)
    found = trace(evidence, decision, box=box, classes=len(classes), hidden=hidden, first=first)
    finding = {**found.steps, "name": classes[found.steps["label"]], "asked": params.box}
    return Result(found.arrays, {"finding": finding, "classes": classes, "has_background": evidence.has_background})


def best_shown(decision: Decision, classes: int) -> int:
    """Return the id of the best shown box; if none is shown, of the best candidate; 0 without candidates."""
    found, rows = decision.candidates, decision.shown.rows
    if not len(rows):
        rows = found.score.argsort()[::-1]
    return int(found.anchor[rows[0]] * classes + found.label[rows[0]]) if len(rows) else 0


INSPECTION = Inspection(
    id="lineage",
    title="Lineage",
    help="The path of one box: anchor, proposal, class scores, suppression, rank.",
    needs=("Detects", "Traces"),
    params=Params,
    answer=answer,
)
