"""Missed: why nothing was found in a rectangle, at which stage it was lost, and what would bring it back.

`meta["finding"]`: `verdict` and `remark` in words; `stage` where it was lost ("shown" if it was not); `stages`, the
stages in order; `remedies`, each with the settings to `set`, its `text`, how many `others` it shows, how many `lost` it
hides, and the `distance` in fractions of the controls' ranges; `best` and `taker`, which describe the boxes in the
arrays. Arrays in pixels of the original image: `region` (1, 4), `best` (n, 4) the object's best box at that stage,
`remover` (n, 4) the box or proposal kept in its place, n 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.detection import anchor_layout, missed_ladder, missed_remedy
from models.detection import decision as deciding
from models.detection.classes import label_ids
from models.detection.decision import check_plain, decide, rpn_settings
from models.detection.evidence import Evidence
from models.detection.first_stage import first_stage, pooled
from models.detection.missed import Matches, Rect, ends, matches, overlap
from models.detection.missed_case import MissedCase
from models.detection.missed_remedy import Prediction, Remedy
from models.detection.suppression import SuppressionGraph
from models.inspection import Inspection
from models.params import Value, param, parameters
from models.types import Bool, Candidates, Int, Pixels, Refusal, Result

FAR_PX = 1_000_000.0
WHOLE_POOL: dict[str, Value] = {"rpn_score": 0.0, "rpn_iou": 1.0, "rpn_top_n": 10**9}
GRAPH_FLOOR = 0.1
MOST_REMEDIES = 6


@dataclass(frozen=True)
class Params(deciding.Params):
    """The settings of detection, a rectangle, and the class that should have been found in it."""

    x0: float = param(0.0, "Left", "The rectangle's left edge.", low=-FAR_PX, high=FAR_PX, step=1, unit="px")
    y0: float = param(0.0, "Top", "The rectangle's upper edge.", low=-FAR_PX, high=FAR_PX, step=1, unit="px")
    x1: float = param(
        0.0, "Right", "The right edge; without a width, the whole picture.", low=-FAR_PX, high=FAR_PX, step=1, unit="px"
    )
    y1: float = param(
        0.0,
        "Bottom",
        "The lower edge; without a height, the whole picture.",
        low=-FAR_PX,
        high=FAR_PX,
        step=1,
        unit="px",
    )
    label: str = param("", "Class", "What should have been found, a class name; nothing means any class.")
    match_iou: float = param(
        0.5, "Match IoU", "A box counts as the object's if it overlaps the rectangle by this.", low=0.05
    )


class Quiet:
    """The stages of a trial. They schedule no idle work, because the user may never choose the settings tried."""

    def __init__(self, stages: Any) -> None:
        self.run, self.peek, self.time, self.progress = stages.run, stages.peek, stages.time, stages.progress

    def later(self, name: str, steps: Callable[[], Any], *key: object) -> None:
        """Ignore the request."""


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return why the object in a rectangle of `pixels` (H, W, 3) uint8 RGB is not shown.

    Raises Refusal for unsupported settings, an unknown class, or a rectangle outside the image.
    """
    check_plain(params, INSPECTION.title.rstrip("?"))
    names, region = model.card.classes, _region(params, pixels)
    decision = decide(model, pixels, params, stages, explain=True)
    rpn = rpn_settings(model, params)
    present: Evidence = model.evidence(pixels, rpn, stages)
    evidence, first = present, None
    if rpn:
        evidence = model.evidence(pixels, WHOLE_POOL, stages)
        score, iou = float(rpn["rpn_score"]), float(rpn["rpn_iou"])
        first = stages.run("fates of proposals", lambda: first_stage(present, score=score, iou=iou), *rpn.values())
    labels = _labels(params.label, names, has_background=evidence.has_background)

    def match() -> Matches:
        def report(part: float) -> None:
            stages.progress(part, "boxes over the rectangle")

        return matches(evidence, region, iou=params.match_iou, labels=labels, check=report)

    matching: Matches = stages.run("matches", match, region, params.match_iou, params.label)
    end = ends(
        matching,
        decision,
        classes=len(names),
        score=params.score,
        hidden=label_ids(params.hidden, names),
        proposed=present.source if rpn else None,
        pool=present.pool,
        first=first,
    )
    distances: dict[str, float] = {}
    case = MissedCase(
        region,
        params,
        names,
        evidence,
        decision,
        matching,
        end,
        foreground=_foreground(model),
        first=first,
        nearness=lambda stage: distances.get(stage, np.inf),
    )
    remedies: list[Remedy] = []
    if len(matching) and not case.is_shown:
        trial = _Trial(model, pixels, params, stages, evidence=evidence, labels=labels)
        remedies = trial.single()
        distances |= {name: r.distance for r in reversed(remedies) for name in r.change}
        distances["iou"] = min(distances.get("iou", np.inf), distances.get("agnostic", np.inf))
        remedies = remedies or trial.double(case.stage)
    return _result(case, remedies[:MOST_REMEDIES])


class _Trial:
    """Tries other settings on a case."""

    def __init__(
        self, model: Any, pixels: Pixels, params: Params, stages: Any, *, evidence: Evidence, labels: Int
    ) -> None:
        self.model, self.pixels, self.params, self.stages = model, pixels, params, stages
        self.labels, self.region = labels, _region(params, pixels)
        offer = INSPECTION.offer(model)
        self.controls = [p for p in offer.parameters if p.name not in offer.greyed]
        self.known: dict[Params, tuple[frozenset[int], frozenset[int]]] = {}
        two = evidence.pool is not None
        candidates: Candidates = model.candidates(pixels, WHOLE_POOL if two else {}, stages)

        def graph() -> SuppressionGraph:
            return SuppressionGraph.build(*pooled(evidence), floor=GRAPH_FLOOR)

        self.prediction = Prediction(
            candidates,
            self._matching(candidates),
            model.card.classes,
            evidence if two else None,
            stages.run("graph of the pool", graph) if two else None,
        )

    def single(self) -> list[Remedy]:
        return missed_remedy.search(self.params, self.controls, self.prediction, self.verify, check=self.check)

    def double(self, stage: str) -> list[Remedy]:
        names = ("iou", "agnostic") if stage == "iou" else (stage,)
        return missed_remedy.pairs(
            self.params, self.controls, self.prediction, self.verify, stages=names, check=self.check
        )

    def verify(self, params: Params) -> tuple[frozenset[int], frozenset[int]]:
        """Return the ids of all boxes shown at some settings, and of those that match the object."""
        if params not in self.known:
            decision = decide(self.model, self.pixels, params, Quiet(self.stages))
            found, rows = decision.candidates, decision.shown.rows
            ids = found.anchor[rows] * len(self.model.card.classes) + found.label[rows]
            back = ids[self._matching(found)[rows]]
            self.known[params] = frozenset(ids.tolist()), frozenset(back.tolist())
        return self.known[params]

    def check(self, title: str) -> None:
        """Report which control is being tried. Raises Cancelled."""
        self.stages.progress(None, f"what brings it back: {title}")

    def _matching(self, found: Candidates) -> Bool:
        over = overlap(found.drawn, self.region) >= self.params.match_iou
        return over & np.isin(found.label, self.labels)


def _result(case: MissedCase, remedies: list[Remedy]) -> Result:
    control = {p.name: p for p in parameters(Params)}
    finding = {
        "verdict": missed_ladder.verdict(case),
        "remark": missed_ladder.remark(case),
        "stage": case.stage,
        "stages": missed_ladder.stage_rows(case),
        "remedies": [
            {
                "set": dict(found.change),
                "text": missed_remedy.sentence(found, case.settings, control),
                "others": len(found.others),
                "lost": len(found.lost),
                "distance": found.distance,
            }
            for found in remedies
        ],
        "label": case.settings.label,
        "best": case.description,
        "taker": _kept_instead(case),
    }
    best = case.matching.boxes[[case.best]] if case.best >= 0 else case.nearest[1]
    taker = case.remover or case.rival
    arrays = {
        "region": np.array([case.region], np.float32),
        "best": best,
        "remover": taker["box"] if taker else np.zeros((0, 4), np.float32),
    }
    return Result(arrays, {"finding": finding, "classes": case.names})


def _kept_instead(case: MissedCase) -> dict[str, Any] | None:
    """Describe what was kept instead of the object's best box: a box, or a proposal, which has no class."""
    if case.remover is not None:
        found = case.remover
        name = f"{case.names[found['label']]} {found['score']:.2f}"
        return {"id": found["id"], "label": found["label"], "name": name, "iou": found["iou"]}
    if case.rival is not None:
        return {"id": -1, "label": -1, "name": f"proposal {case.rival['objectness']:.2f}", "iou": case.rival["iou"]}
    return None


def _region(params: Params, pixels: Pixels) -> Rect:
    """Return the rectangle with sorted corners, clipped to the image; an empty one stands for the whole image."""
    height, width = pixels.shape[:2]
    x0, x1 = np.clip(sorted((params.x0, params.x1)), 0, width).tolist()
    y0, y1 = np.clip(sorted((params.y0, params.y1)), 0, height).tolist()
    if params.x0 == params.x1 or params.y0 == params.y1:
        return 0.0, 0.0, float(width), float(height)
    if x0 == x1 or y0 == y1:
        raise Refusal("The rectangle lies outside the picture.", advice=f"The picture is {width} x {height} pixels.")
    return x0, y0, x1, y1


def _labels(name: str, names: tuple[str, ...], *, has_background: bool) -> Int:
    if name:
        return np.array(sorted(label_ids(name, names)), np.int64)
    return np.arange(1 if has_background else 0, len(names))


def _foreground(model: Any) -> float | None:
    """Return the IoU from which training assigns an anchor to an object (torchvision's matcher), None without one."""
    held = anchor_layout.owner(model)
    matcher = getattr(getattr(held, "rpn", held), "proposal_matcher", None)
    return None if matcher is None else float(matcher.high_threshold)


INSPECTION = Inspection(
    id="missed",
    title="Why missed?",
    help="Why nothing was found in a rectangle, and the smallest change of a control that brings it back.",
    needs=("Detects", "Traces"),
    params=Params,
    answer=answer,
)
