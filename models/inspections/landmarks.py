"""Landmarks: named points of the whole picture, and the heat maps they were found in.

Arrays of the Result: `points` (P, 3) x and y in pixels of the picture, and score: the height of the heat map's peak, or
the network's own score, which is 1 where it gives none; `inside` (P,) whether a point lies in the picture. Where points
come from heat maps: `heat` (P, h, w) float32, which stretch over `meta["extent"]` in pixels of the picture. Meta:
`point_names` (P,), `limbs` pairs of points to join, `scored`, whether scores say anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.detection.skeleton import limbs
from models.inspection import Inspection
from models.types import Pixels, Result


@dataclass(frozen=True)
class Params:
    """No parameters: every point is shown."""


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the landmarks of `pixels` (H, W, 3) uint8 RGB."""
    points, heat = model.landmarks(pixels, stages)
    height, width = pixels.shape[:2]
    stages.progress(None, "points")
    inside = (points[:, :2] >= 0).all(1) & (points[:, 0] <= width) & (points[:, 1] <= height)
    arrays = {"points": np.nan_to_num(points), "inside": inside}
    if heat is not None:
        arrays["heat"] = np.nan_to_num(heat)
    names = model.landmark_names
    scored = heat is not None or bool((points[:, 2] != 1).any())
    extent = model.preprocess.extent(width, height)
    meta = {"point_names": names, "limbs": limbs(len(names)), "extent": extent, "scored": scored}
    return Result(arrays, {**meta, "classes": model.card.classes})


INSPECTION = Inspection(
    id="landmarks",
    title="Landmarks",
    help="Named points of the picture as a whole, such as a face's, and the heat maps they were found in.",
    needs=("FindsLandmarks",),
    params=Params,
    answer=answer,
)
