"""Anchor matching: which anchors of an image would learn which object, by the model's own rule.

Arrays of the Result, boxes in pixels of the original image. Of the K anchors drawn: `boxes` (K, 4), `state` (K,)
(0 matched, 1 forced, 2 ignored), `truth` (K,) the row of their object or -1, `iou` (K,), `level` (K,), `anchor` (K,)
the row among all anchors. Of the M objects: `truth_boxes` (M, 4), `truth_labels` (M,), `truth_best` (M,) the highest
IoU, `truth_box` (M, 4) the anchor that has it, `truth_anchors` (M,) the number of anchors that learn it, `covered`
(M,). `counts` (L, 4): anchors per level and state, the fourth state being background; `start` (L + 1,) first row of
each level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection.transform import resize_boxes

from models.detection import anchor_design, anchor_layout, anchor_match
from models.detection.anchor_match import Assignment, Overlap, Rule
from models.inspection import Inspection
from models.params import Value, param
from models.truth import read
from models.truth.types import Annotated
from models.types import Float, Int, Pixels, Refusal, Result, Source

DESIGN_HELP = "Separate levels by semicolons, numbers by spaces; empty for the model's own."


@dataclass(frozen=True)
class Params:
    """The rule (the model's own values are the defaults), the anchor design, and which anchors are returned."""

    truth: str = param("", "Ground truth", "Path of a COCO file, or of a Pascal VOC or YOLO folder.")
    fg: float = param(
        0.5, "Foreground IoU", "An anchor with this overlap or more learns the object.", needs="match iou"
    )
    bg: float = param(
        0.4, "Background IoU", "Below this an anchor learns background; in between it is ignored.", needs="match band"
    )
    low_quality: bool = param(
        True,
        "Force best",
        "Each object also gets the anchors that overlap it most, however little.",
    )
    scales: str = param("", "Scales", f"Anchor sizes in network pixels, SSD's as fractions of the input. {DESIGN_HELP}")
    ratios: str = param("", "Ratios", f"Aspect ratios, height over width. {DESIGN_HELP}")
    matched: bool = param(True, "Matched", "Return the anchors above the match IoU.")
    forced: bool = param(True, "Forced", "Return the anchors that are only an object's best.")
    ignored: bool = param(False, "Ignored", "Return the anchors between the two thresholds.")


def own(model: Any) -> Mapping[str, Value]:
    """Return the thresholds of the model's own matcher."""
    if anchor_layout.reason_unmatched(model):
        return {}
    rule = anchor_match.rule_of(anchor_layout.parts(anchor_layout.owner(model))[1])
    return {"fg": rule.fg, "bg": rule.bg, "low_quality": rule.low_quality}


def lacks(model: Any) -> Mapping[str, str]:
    """Return by parameter why the model has no use for it; under "" why the inspection does not apply."""
    if why := anchor_layout.reason_unmatched(model):
        return {"": why}
    match anchor_match.rule_of(anchor_layout.parts(anchor_layout.owner(model))[1]).kind:
        case "centre":
            why = f"{model.card.name} assigns by place and scale, not by IoU."
            return {"fg": why, "bg": why, "low_quality": why}
        case "best":
            why = f"{model.card.name} has one threshold, and always forces the best anchor."
            return {"bg": why, "low_quality": why}
    return {}


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the assignment on `pixels` (H, W, 3). Raises Refusal for an unusable design or ground truth."""
    net = anchor_layout.owner(model)
    generator, matcher = anchor_layout.parts(net)
    like = anchor_layout.own_design(generator)
    design = anchor_design.parse(like, params.scales, params.ratios)
    rule = _rule(anchor_match.rule_of(matcher), params)
    original = (pixels.shape[0], pixels.shape[1])
    size = anchor_layout.network_size(net.transform, *original)
    if min(size) < 1:
        raise Refusal("The picture is too narrow for this model.", advice="Crop it.")
    padded = anchor_layout.padded_size(net.transform, size)
    cells = stages.run("grids", lambda: anchor_layout.grids(net, padded))
    made = generator if design == like else anchor_layout.generator_of(design, generator)
    anchors = stages.run("laid-out anchors", lambda: anchor_layout.lay_out(made, padded, cells).cpu(), design)
    counts = [h * w * a for (h, w), a in zip(cells, design.per_cell, strict=True)]

    source = Source.file(params.truth) if params.truth else None
    page = read.truth_at(source, progress=stages.progress) if source else None
    picture = page.of(stages.source.path) if page else None
    boxes, labels, left_out = _objects(picture)
    scaled = resize_boxes(torch.from_numpy(boxes), list(original), list(size))
    centre = (counts, getattr(net, "center_sampling_radius", 0.0))
    found, done = _assigned(scaled, anchors, rule, centre, stages=stages, key=(source, design))

    def back(rows: Int) -> Float:
        return resize_boxes(anchors[torch.from_numpy(rows)], list(size), list(original)).numpy()

    drawn = _drawn(done, params)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    arrays = {
        "boxes": back(drawn),
        "state": done.state[drawn],
        "truth": done.row[drawn].clip(min=-1),
        "iou": done.iou[drawn],
        "level": np.searchsorted(start, drawn, side="right") - 1,
        "anchor": drawn,
        "counts": np.stack([np.bincount(done.state[a:b], minlength=4) for a, b in pairwise(start)]),
        "start": start,
        **_per_object(boxes, labels, found, done, rule),
    }
    arrays["truth_box"] = back(found.first) if found else boxes
    meta = {
        "rule": rule.kind,
        "fg": rule.fg,
        "anchors": len(anchors),
        "scales": design.texts[0],
        "ratios": design.texts[1],
        "own_scales": like.texts[0],
        "own_ratios": like.texts[1],
        "per_cell": design.per_cell,
        "own_per_cell": like.per_cell,
        "fractions": like.fractions,
        "grid": cells,
        "network": (padded[1], padded[0]),
        "classes": page.classes if page else (),
        "annotated": picture is not None,
        "left_out": left_out,
    }
    return Result(arrays, meta)


def _assigned(
    truth: Tensor, anchors: Tensor, rule: Rule, centre: tuple[list[int], float], *, stages: Any, key: object
) -> tuple[Overlap | None, Assignment]:
    """Return the overlaps, cached by `key` as no threshold changes them, and the assignment; `centre` is for FCOS."""
    if not len(truth):
        return None, anchor_match.no_truth(len(anchors))

    def report(part: float) -> None:
        stages.progress(part, "IoU of anchors and ground truth")

    found = stages.run("overlap", lambda: anchor_match.overlap(truth, anchors, report=report), key)
    if rule.kind != "centre":
        return found, stages.time("match", lambda: anchor_match.assign(found, rule))
    row = stages.run("centres", lambda: anchor_match.assign_by_centre(truth, anchors, *centre), key)
    return found, anchor_match.centre_assignment(row, found)


def _rule(own_rule: Rule, params: Params) -> Rule:
    if own_rule.kind == "best":
        return Rule("best", params.fg, params.fg, True)
    if own_rule.kind == "iou" and params.bg > params.fg:
        raise Refusal(
            f"The background IoU {params.bg:g} is above the foreground IoU {params.fg:g}.",
            advice="Lower it, or raise the other.",
        )
    return Rule(own_rule.kind, params.fg, params.bg, params.low_quality)


def _objects(picture: Annotated | None) -> tuple[np.ndarray, np.ndarray, int]:
    """Return boxes and labels of the objects training would use, and the number left out (crowds, empty boxes)."""
    if picture is None:
        return np.zeros((0, 4), np.float32), np.zeros(0, np.int64), 0
    boxes = np.ascontiguousarray(picture.boxes, np.float32).reshape(-1, 4)
    used = ~picture.crowd & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    return boxes[used], picture.labels[used], int((~used).sum())


def _drawn(done: Assignment, params: Params) -> np.ndarray:
    wanted = [state for state, on in enumerate((params.matched, params.forced, params.ignored)) if on]
    return np.flatnonzero(np.isin(done.state, wanted))


def _per_object(
    boxes: np.ndarray, labels: np.ndarray, found: Overlap | None, done: Assignment, rule: Rule
) -> dict[str, np.ndarray]:
    learners = np.bincount(done.row[done.row >= 0], minlength=len(boxes))
    best = found.truth_best if found else np.zeros(0, np.float32)
    covered = learners > 0 if rule.kind == "centre" else best >= rule.fg
    columns = {"boxes": boxes, "labels": labels, "best": best, "anchors": learners}
    return {**{f"truth_{name}": column for name, column in columns.items()}, "covered": covered}


INSPECTION = Inspection(
    id="match",
    title="Anchor matching",
    help="Which anchors would learn which object of the ground truth, and which object gets none.",
    needs=("Detects",),
    params=Params,
    answer=answer,
    own=own,
    lacks=lacks,
)
