"""Key points: the named points of each shown detection, and optionally the heat maps of one.

Detections are those of detect. Arrays of the Result, in pixels of the original image, best first: `boxes` (K, 4) xyxy,
`scores`, `labels`, `ids` (K,) as in detect; `points` (K, P, 3) x, y and torchvision's visibility (always 1);
`point_scores` (K, P), the heights of the heat maps' peaks, which are not probabilities. If `heat_of` is the id of a
shown detection: `heat` (P, h, w), its maps, which stretch over `heat_box` (4,). Meta: `point_names` (P,), `limbs`
pairs of points to join, `heat_of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.detection import instances
from models.detection.decision import Params as Detections
from models.detection.skeleton import limbs
from models.inspection import Inspection
from models.params import param
from models.types import Float, Int, Pixels, Result


@dataclass(frozen=True)
class Params(Detections):
    """The parameters of detect, and the detection whose heat maps to return."""

    heat_of: int = param(
        -1,
        "Heat maps of",
        "The id of the detection whose heat maps are shown too; -1 for none.",
        low=-1,
        high=1e12,
        step=1,
    )


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the key points of the detections shown on `pixels` (H, W, 3) uint8 RGB."""
    found, shown, ids = instances.shown(model, pixels, params, stages)
    names = model.point_names

    def make(at: Int) -> list[tuple[Float, Float]]:
        points, scores, _ = model.key_points(pixels, shown.boxes[at], stages)
        return list(zip(points, scores, strict=True))

    made = instances.each("key points", model, params, ids, stages, boxes=shown.boxes, make=make)
    arrays = {
        "boxes": shown.drawn,
        "scores": shown.scores,
        "labels": found.label[shown.rows],
        "ids": ids,
        "points": np.stack([p for p, _ in made]) if made else np.zeros((0, len(names), 3), np.float32),
        "point_scores": np.stack([s for _, s in made]) if made else np.zeros((0, len(names)), np.float32),
    }
    chosen = np.flatnonzero(ids == params.heat_of)

    def heat(at: Int) -> list[Float]:
        return list(model.key_points(pixels, shown.boxes[at], stages)[2])

    if len(chosen):
        boxes = shown.boxes[chosen]
        maps = instances.each("heat maps", model, params, ids[chosen], stages, boxes=boxes, make=lambda _: heat(chosen))
        arrays["heat"] = maps[0]
        arrays["heat_box"] = shown.drawn[chosen[0]]
    return Result(
        arrays,
        {"classes": model.card.classes, "point_names": names, "limbs": limbs(names), "heat_of": params.heat_of},
    )


INSPECTION = Inspection(
    id="keypoints",
    title="Key points",
    help="Named points of each detection, such as a person's joints, and the heat maps they were found in.",
    needs=("Detects", "FindsKeyPoints"),
    params=Params,
    answer=answer,
)
