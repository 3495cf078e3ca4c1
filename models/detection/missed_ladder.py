"""The stages between an object and a shown box in words: the numbers of each, and why the object was lost."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.detection.missed import STAGES
from models.detection.missed_case import HEAD, POOL, SHOWN, MissedCase

EARLY = ("Cells", "Objectness")  # come before the boxes
PASSED, STOPPED, NOTED, UNREACHED = "passed", "stopped", "noted", "unreached"
TITLES = {
    "anchor": "Anchors",
    "cell": "Cells",
    "objectness": "Objectness",
    POOL: "Best of each level",
    "rpn_score": "Proposal score",
    "rpn_iou": "Proposal NMS",
    "rpn_top_n": "Proposals kept",
    HEAD: "Box regression",
    "score": "Score",
    "limit": "Candidates kept",
    "iou": "NMS",
    "hidden": "Classes",
    "max_detections": "Maximum",
}


def verdict(case: MissedCase) -> str:
    """Return one sentence that says where the object was lost, or as what it was found."""
    settings, row = case.settings, case.best
    label = case.names[case.matching.label[row]] if row >= 0 else ""
    score = float(case.matching.score[row]) if row >= 0 else 0.0
    box = f"{label} {score:.2f}"
    match case.stage:
        case "shown":
            return f"Found as {box}."
        case "pool":
            return "None of the RPN's regions over it is among the best of its pyramid level, which alone go on."
        case "head":
            return f"No box of any stage overlaps it by more than {case.nearest[0]:.2f}."
        case "rpn_score":
            objectness = _objectness(case)
            return f"Its proposal has objectness {near(objectness, settings.rpn_score)}, below Proposal score."
        case "rpn_iou":
            iou = f" at IoU {near(case.rival['iou'], settings.rpn_iou)}" if case.rival else ""
            return f"Its proposal was removed by a better one{iou}; Proposal NMS IoU is {settings.rpn_iou:g}."
        case "rpn_top_n":
            place = int(case.first.place[case.pool_row]) + 1 if case.first is not None else 0
            return f"Its proposal is number {place:,} by objectness; Proposals kept is {settings.rpn_top_n:,}."
        case "score":
            return f"Its best box scores {near(score, settings.score)} for {label}; Score is {settings.score:g}."
        case "limit":
            return f"Its box, {box}, is not among the candidates that the model keeps for suppression."
        case "iou" if case.remover is not None:
            other = case.remover
            by, iou = f"{case.names[other['label']]} {other['score']:.2f}", near(other["iou"], settings.iou)
            return f"Its box, {box}, was removed by {by}: their IoU is {iou}, NMS IoU is {settings.iou:g}."
        case "iou":
            return f"Its box, {box}, was removed by another; NMS IoU is {settings.iou:g}."
        case "hidden":
            return f"Its box, {box}, was found, but class {label} is hidden."
        case _:
            maximum = settings.max_detections
            return f"Its box, {box}, is number {case.place:,}; Maximum detections is {maximum:,}."


def remark(case: MissedCase) -> str:
    """Return an addition to the verdict, "" for none: a better box lost earlier, or one of another class shown."""
    parts = []
    better = case.matching.best(case.matching.score > case.settings.score)
    if case.stage == "score" and better >= 0:
        box = f"{case.names[case.matching.label[better]]} {case.matching.score[better]:.2f}"
        parts.append(f"A better one, {box}, was lost before: {TITLES[STAGES[case.end[better]]]}.")
    if case.stage == "score" and case.best >= 0 and case.evidence.factor is not None:
        origin = int(case.matching.anchor[case.best])
        own = float(case.evidence.factor[origin])
        alone = case.evidence.class_alone(float(case.matching.score[case.best]), origin)
        if alone is not None:
            weak = "objectness" if own < alone else "class score"
            factors = f"Objectness {near(own, 0)} and class {near(alone, 0)}"
            parts.append(f"{factors} make that score: the {weak} holds it down.")
    if case.left >= 0:
        score, label = float(case.matching.score[case.left]), case.names[case.matching.label[case.left]]
        left = near(score, case.settings.score)
        parts.append(f"The best box that went on scores {left} for {label}; Score is {case.settings.score:g}.")
    if case.taken_for is not None and case.stage != SHOWN:
        label, score = case.taken_for
        parts.append(f"A box over it is shown as {case.names[label]} {score:.2f}.")
    return " ".join(parts)


def stage_rows(case: MissedCase) -> list[dict[str, Any]]:
    """Return the stages in the detector's order: `id`, `title`, `state`, and `text` with their numbers."""
    match case.evidence.kind:
        case "cell":
            found = [_cells(case)]
        case "anchor":
            found = [_anchors(case)]
        case _:
            found = []
    absent = case.evidence.absent
    early = {title: reason for title, reason in absent.items() if title not in TITLES.values() or title in EARLY}
    found += [{"id": title, "title": title, "state": UNREACHED, "text": reason} for title, reason in early.items()]
    if case.first is not None:
        found += [_pool(case), *(_stage_row(case, name, text) for name, text in _first(case).items())]
    found.append(_head(case))
    if case.evidence.factor is not None:
        found.append(_factor(case))
    for name, text in _second(case).items():
        reason = absent.get(TITLES[name], "")
        found.append({"id": name, "state": UNREACHED, "text": reason} if reason else _stage_row(case, name, text))
    return [{"id": rung["id"], "title": TITLES.get(rung["id"], rung["id"]), **rung} for rung in found]


def near(value: float, threshold: float) -> str:
    """Format a value with enough digits, at least two, to differ from a threshold and from 0."""
    if 0 < value < 0.005:
        return f"{value:.1g}" if value >= 1e-4 else "under 0.0001"
    texts = (f"{value:.{digits}f}" for digits in range(2, 8))
    return next((text for text in texts if float(text) != round(threshold, 7)), f"{value:.7f}")


def _anchors(case: MissedCase) -> dict[str, Any]:
    text = f"Best IoU {case.anchor_iou:.2f}"
    if case.foreground is None:
        return {"id": "anchor", "state": NOTED, "text": text}
    enough = case.anchor_iou >= case.foreground
    text += f"; trained as an object from {case.foreground:.2f}"
    return {"id": "anchor", "state": PASSED if enough else NOTED, "text": text}


def _cells(case: MissedCase) -> dict[str, Any]:
    """Count the cells whose centre lies in the object, by level, and name the cell of the best match."""
    table, (x0, y0, x1, y1) = case.evidence.origins, case.region
    centre = (table.boxes[:, :2] + table.boxes[:, 2:]) / 2
    x, y = centre.T
    inside = (x > x0) & (x < x1) & (y > y0) & (y < y1)
    levels = range(len(table.grid))
    counts = [int(inside[table.start[level] : table.start[level + 1]].sum()) for level in levels]
    counted = ", ".join(f"{n:,} of level {level}" for level, n in enumerate(counts) if n)
    text = f"Centred in it: {counted}" if counted else "None is centred in it: it is smaller than a cell"
    if case.best >= 0:
        text += f"; its best box is from {_cell(case, int(case.matching.anchor[case.best]))}"
    return {"id": "cell", "state": PASSED if counted else NOTED, "text": text}


def _cell(case: MissedCase, origin: int) -> str:
    """Return in words which cell an origin belongs to."""
    table = case.evidence.origins
    level = int(table.level(np.array([origin]))[0])
    row, column = divmod((origin - int(table.start[level])) // int(table.per_cell[level]), int(table.grid[level, 1]))
    return f"level {level}, row {row:,}, column {column:,}"


def _factor(case: MissedCase) -> dict[str, Any]:
    """Tell the objectness and the class's score of the best match, whose product is its score."""
    if not len(case.matching):
        return {"id": "objectness", "state": UNREACHED, "text": ""}
    factor = case.evidence.factor
    assert factor is not None
    row = case.best if case.best >= 0 else case.matching.best(case.matching.score >= 0)
    own, label = float(factor[case.matching.anchor[row]]), case.names[case.matching.label[row]]
    text = f"{near(own, case.settings.score)} of its best box"
    alone = case.evidence.class_alone(float(case.matching.score[row]), int(case.matching.anchor[row]))
    if alone is not None:
        text += f", {label} by itself {near(alone, case.settings.score)}"
    most = float(factor[case.matching.anchor].max())
    return {"id": "objectness", "state": PASSED if most > case.settings.score else NOTED, "text": text}


def _pool(case: MissedCase) -> dict[str, Any]:
    inside, outside = case.regions_over
    state = PASSED if inside or len(case.matching) else STOPPED if case.stage == POOL else NOTED
    return {"id": POOL, "state": state, "text": f"{inside:,} of {inside + outside:,} regions over it go on"}


def _head(case: MissedCase) -> dict[str, Any]:
    if case.stage == POOL:
        return {"id": HEAD, "state": UNREACHED, "text": ""}
    if case.stage == HEAD:
        return {"id": HEAD, "state": STOPPED, "text": f"Best IoU {case.nearest[0]:.2f}"}
    came, _ = case.alive("score")
    if not came:
        return {"id": HEAD, "state": UNREACHED, "text": ""}
    alive = case.end >= STAGES.index("score")
    best = float(case.matching.iou[alive].max())
    return {"id": HEAD, "state": PASSED, "text": f"{_boxes(came)} over it, best IoU {best:.2f}"}


def _stage_row(case: MissedCase, stage: str, text: str) -> dict[str, Any]:
    if not len(case.matching):
        return {"id": stage, "state": UNREACHED, "text": ""}
    came, went = case.alive(stage)
    if not came:
        return {"id": stage, "state": UNREACHED, "text": ""}
    state = STOPPED if not went or stage == case.stage else PASSED
    return {"id": stage, "state": state, "text": f"{went:,} of {came:,} go on{text}"}


def _first(case: MissedCase) -> dict[str, str]:
    settings = case.settings
    texts = {"rpn_score": f", from {settings.rpn_score:g}", "rpn_iou": f", IoU {settings.rpn_iou:g}"}
    texts["rpn_top_n"] = f", {settings.rpn_top_n:,} at most"
    if case.stage == "rpn_score":
        texts["rpn_score"] += f"; best {near(_objectness(case), settings.rpn_score)}"
    if case.stage == "rpn_iou" and case.rival is not None:
        texts["rpn_iou"] += f"; removed at {near(case.rival['iou'], settings.rpn_iou)}"
    if case.stage == "rpn_top_n" and case.first is not None:
        texts["rpn_top_n"] += f"; best is number {int(case.first.place[case.pool_row]) + 1:,}"
    return texts


def _second(case: MissedCase) -> dict[str, str]:
    settings, matching = case.settings, case.matching
    texts = {"score": f", above {settings.score:g}", "limit": "", "iou": f", IoU {settings.iou:g}"}
    texts |= {"hidden": "", "max_detections": f", {settings.max_detections:,} at most"}
    if case.stage != "limit":
        texts.pop("limit")
    scored = case.end >= STAGES.index("score")
    if scored.any():
        row = matching.best(scored)
        texts["score"] += f"; best {case.names[matching.label[row]]} {near(float(matching.score[row]), settings.score)}"
    if case.remover is not None:
        texts["iou"] += f"; removed at {near(case.remover['iou'], settings.iou)}"
    if case.stage == "hidden":
        texts["hidden"] = f"; {case.names[matching.label[case.best]]} is hidden"
    if case.stage == "max_detections":
        texts["max_detections"] += f"; number {case.place:,}"
    return texts


def _objectness(case: MissedCase) -> float:
    pool, objectness = case.evidence.pool, case.evidence.objectness
    assert pool is not None and objectness is not None
    return float(objectness[pool[case.pool_row]])


def _boxes(count: int) -> str:
    return "1 box" if count == 1 else f"{count:,} boxes"
