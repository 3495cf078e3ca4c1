"""The lineage of one box: origin, proposal, class scores, suppression, rank."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from models.detection.evidence import Evidence
from models.detection.first_stage import LOW_SCORE, REMOVED, FirstStage
from models.types import Float, Int

if TYPE_CHECKING:
    from models.detection.decision import Decision

SHOWN, LOW, SUPPRESSED, HIDDEN, CUT = "shown", "low", "suppressed", "hidden", "cut"
NO_PROPOSAL, NO_CANDIDATE = "no proposal", "no candidate"


@dataclass(frozen=True)
class Lineage:
    """One box's path through the stages: plain numbers by step in `steps`, boxes in pixels of the original image.

    `arrays`: `origin` (1, 4), `origin_network` (1, 4) in network pixels, `proposal` (n, 4), `box` (n, 4), `remover`
    (n, 4) with n 0 or 1, `class_scores` (C,) or (0,), and the boxes it removed, best first: `removed_ids` (R,),
    `removed_boxes` (R, 4), `removed_scores` (R,), `removed_labels` (R,), `removed_iou` (R,).
    """

    steps: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(repr=False)


def trace(
    evidence: Evidence,
    decision: Decision,
    *,
    box: int,
    classes: int,
    hidden: frozenset[int],
    first: FirstStage | None,
) -> Lineage:
    """Return the lineage of the detection with id `box`, which is anchor row times `classes` plus label.

    `first` is the fate of the RPN's regions, None with one stage. Raises ValueError for an id whose anchor is unknown.
    """
    anchor, label = divmod(box, classes)
    if not 0 <= anchor < len(evidence.origins.boxes):
        raise ValueError(f"no anchor has the row {anchor}")
    origin, arrays = _origin(evidence, anchor)
    objectness, proposal = _objectness(evidence, anchor, first)
    found = np.flatnonzero(evidence.source == anchor)[:1]
    scores = evidence.scores(found).reshape(-1)
    here = evidence.decoded(found)[:, label] if label < len(scores) else np.zeros((0, 4), np.float32)
    ending, removed = _ending(decision, box, classes=classes, hidden=hidden)
    if not len(found):
        ending["fate"] = NO_PROPOSAL
    steps = {
        "id": box,
        "label": label,
        "origin": origin,
        "objectness": objectness,
        "class": _class(scores, label, has_background=evidence.has_background),
        "absent": dict(evidence.absent),
        "end": ending,
    }
    if evidence.factor is not None:
        steps["objectness"] = _factor(evidence, anchor, steps["class"])
    arrays |= {"proposal": proposal, "class_scores": scores, "box": _drawn(evidence, here), **removed}
    return Lineage(steps, arrays)


def rank(values: Float, own: float) -> int:
    """Return the rank of a value, 1 for the greatest; equal values share the best rank."""
    return int((values > own).sum()) + 1


def _origin(evidence: Evidence, anchor: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    table = evidence.origins
    level = int(table.level(np.array([anchor]))[0])
    per_cell, columns = int(table.per_cell[level]), int(table.grid[level, 1])
    cell, of_cell = divmod(anchor - int(table.start[level]), per_cell)
    drawn = table.boxes[anchor : anchor + 1]
    unit = evidence.drawn(np.array([[0, 0, 1, 1]], np.float32))[0]
    first, scale = unit[[0, 1, 0, 1]], (unit[2:] - unit[:2])[[0, 1, 0, 1]]
    network = ((drawn - first) / scale).astype(np.float32)
    facts = {
        "kind": evidence.kind,
        "row_of_all": anchor,
        "level": level,
        "levels": len(table.grid),
        "row": cell // columns,
        "column": cell % columns,
        "rows": int(table.grid[level, 0]),
        "columns": columns,
        "of_cell": of_cell,
        "per_cell": per_cell,
    }
    for name, shape in (("", drawn[0]), ("_network", network[0])):
        width, height = float(shape[2] - shape[0]), float(shape[3] - shape[1])
        facts |= {f"scale{name}": float(np.sqrt(width * height)), f"ratio{name}": width / height if height else 0.0}
    return facts, {"origin": drawn, "origin_network": network}


def _objectness(evidence: Evidence, anchor: int, first: FirstStage | None) -> tuple[dict[str, Any] | None, np.ndarray]:
    """Return the numbers of the first stage and the proposal's box (1, 4); None and no box for a one-stage detector."""
    every, pool = evidence.objectness, evidence.pool
    if every is None or pool is None or evidence.regions is None or first is None:
        return None, np.zeros((0, 4), np.float32)
    table, own = evidence.origins, float(every[anchor])
    level = int(table.level(np.array([anchor]))[0])
    on_level = every[table.start[level] : table.start[level + 1]]
    at = np.flatnonzero(pool == anchor)
    place = np.flatnonzero(evidence.source == anchor)
    facts: dict[str, Any] = {
        "value": own,
        "rank": rank(every, own),
        "of": len(every),
        "level_rank": rank(on_level, own),
        "level_of": len(on_level),
        "pool_rank": rank(every[pool], own) if len(at) else None,
        "pool_of": len(pool),
        "proposal_rank": int(place[0]) + 1 if len(place) else None,
        "proposals": len(evidence.source),
        "stopped": "",
    }
    if not len(at):
        facts["stopped"] = "pool"
    elif not len(place):
        row = int(at[0])
        facts["stopped"] = {LOW_SCORE: "score", REMOVED: "nms"}.get(int(first.fate[row]), "top_n")
        if facts["stopped"] == "nms":
            facts |= {"removed_by": int(pool[first.by[row]]), "removed_iou": float(first.iou[row])}
    return facts, _drawn(evidence, evidence.regions[anchor : anchor + 1])


def _factor(evidence: Evidence, origin: int, of_class: dict[str, Any] | None) -> dict[str, Any]:
    """Return the objectness of a one-stage detector's origin, and the class's score without it."""
    assert evidence.factor is not None
    table, every = evidence.origins, evidence.factor
    level, own = int(table.level(np.array([origin]))[0]), float(every[origin])
    on_level = every[table.start[level] : table.start[level + 1]]
    return {
        "value": own,
        "rank": rank(every, own),
        "of": len(every),
        "level_rank": rank(on_level, own),
        "level_of": len(on_level),
        "alone": evidence.class_alone(of_class["score"], origin) if of_class else None,
        "combine": evidence.combine,
    }


def _class(scores: Float, label: int, *, has_background: bool) -> dict[str, Any] | None:
    if label >= len(scores):
        return None
    objects = scores[1:] if has_background else scores
    return {
        "score": float(scores[label]),
        "rank": rank(objects, float(scores[label])),
        "of": len(objects),
        "background": float(scores[0]) if has_background else None,
    }


def _ending(
    decision: Decision, box: int, *, classes: int, hidden: frozenset[int]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the fate of the box, which box removed it, and which boxes above the score it removed."""
    found, limits = decision.candidates, decision.limits
    removed_by, removed_iou = decision.outcome.explain(decision.kept)
    ids = found.anchor * classes + found.label
    at = np.flatnonzero(ids == box)
    shown = decision.shown.rows
    facts: dict[str, Any] = {"fate": NO_CANDIDATE, "rank": None, "shown": len(shown), "removed_below": 0}
    lost: Int = np.zeros(0, np.int64)
    by: Int = np.zeros(0, np.int64)
    if len(at):
        row = int(at[0])
        facts["fate"] = _outcome(decision, row, hidden=hidden)
        # Go through str to get the digits of single precision: 0.4, not 0.4000000059.
        facts["threshold"] = float(str(limits[row]))
        if facts["fate"] == SHOWN:
            facts["rank"] = int(np.flatnonzero(shown == row)[0]) + 1
        elif facts["fate"] == CUT:
            visible = decision.kept[decision.outcome.score[decision.kept] > limits[decision.kept]]
            visible = visible[~np.isin(found.label[visible], list(hidden))]
            facts["rank"] = int(np.flatnonzero(visible == row)[0]) + 1
        lost = np.flatnonzero(removed_by == row)
        lost = lost[np.argsort(-found.score[lost], kind="stable")]
        facts["removed_below"] = int((found.score[lost] <= limits[lost]).sum())
        lost = lost[found.score[lost] > limits[lost]]
        by = removed_by[[row]]
        by = by[by >= 0]
        if len(by):
            name = int(by[0])
            facts["remover"] = {
                "id": int(ids[name]),
                "label": int(found.label[name]),
                "score": float(found.score[name]),
                "iou": float(removed_iou[row]),
            }
    return facts, {
        "remover": found.drawn[by],
        "removed_ids": ids[lost],
        "removed_boxes": found.drawn[lost],
        "removed_scores": found.score[lost],
        "removed_labels": found.label[lost],
        "removed_iou": removed_iou[lost],
    }


def _outcome(decision: Decision, row: int, *, hidden: frozenset[int]) -> str:
    if row in decision.shown.rows:
        return SHOWN
    if not decision.candidates.score[row] > decision.limits[row]:
        return LOW
    if row not in decision.kept:
        return SUPPRESSED
    return HIDDEN if int(decision.candidates.label[row]) in hidden else CUT


def _drawn(evidence: Evidence, boxes: Float) -> Float:
    return evidence.drawn(np.array(boxes, np.float32)) if len(boxes) else np.zeros((0, 4), np.float32)
