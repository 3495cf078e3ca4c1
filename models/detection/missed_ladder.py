"""The stages between an object and a shown box in words: the numbers of each, and why the object was lost."""

from __future__ import annotations

from typing import Any

from models.detection.missed import STAGES
from models.detection.missed_case import HEAD, POOL, SHOWN, MissedCase

PASSED, STOPPED, NOTED, UNREACHED = "passed", "stopped", "noted", "unreached"
TITLES = {
    "anchor": "Anchors",
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
    if case.left >= 0:
        score, label = float(case.matching.score[case.left]), case.names[case.matching.label[case.left]]
        left = near(score, case.settings.score)
        parts.append(f"The best box that went on scores {left} for {label}; Score is {case.settings.score:g}.")
    if case.taken_for is not None and case.stage != SHOWN:
        label, score = case.taken_for
        parts.append(f"A box over it is shown as {case.names[label]} {score:.2f}.")
    return " ".join(parts)


def rungs(case: MissedCase) -> list[dict[str, Any]]:
    """Return the stages in the detector's order: `id`, `title`, `state`, and `text` with their numbers."""
    found = [] if case.evidence.anchor_free else [_anchors(case)]
    if case.first is not None:
        found += [_pool(case), *(_rung(case, name, text) for name, text in _first(case).items())]
    found.append(_head(case))
    found += [_rung(case, name, text) for name, text in _second(case).items()]
    return [{"id": rung["id"], "title": TITLES[rung["id"]], **rung} for rung in found]


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


def _rung(case: MissedCase, stage: str, text: str) -> dict[str, Any]:
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
