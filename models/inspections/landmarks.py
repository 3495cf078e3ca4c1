"""Landmarks: named points of the whole picture, and the heat maps they were found in.

Arrays of the Result: `points` (P, 3) x and y in pixels of the picture, and score: the height of the heat map's peak, or
the network's own score, which is 1 where it gives none; `inside` (P,) whether a point lies in the picture. Where points
come from heat maps: `heat` (P, h, w) float32, which stretch over `meta["extent"]` in pixels of the picture. With a
`region`, the points are those of the figure in it. Meta: `point_names` (P,), `limbs` pairs of points to join, `scored`,
whether scores say anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.attributions.target import region_of
from models.detection.skeleton import limbs
from models.inspection import Inspection
from models.params import param
from models.types import Pixels, Result


@dataclass(frozen=True)
class Params:
    """Where the points are looked for; every point is shown."""

    region: str = param("", "Region", "x0,y0,x1,y1 in pixels of the picture: the figure in this box.")


def lacks(model: Any) -> dict[str, str]:
    """Return which settings have no effect on a model."""
    looks = "It looks for points in the whole picture: crop the picture to look at a part."
    return {} if getattr(model, "in_regions", False) else {"region": looks}


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the landmarks of `pixels` (H, W, 3) uint8 RGB."""
    height, width = pixels.shape[:2]
    extent = model.preprocess.extent(width, height)
    if getattr(model, "in_regions", False):
        region = region_of(params.region)
        points, heat = model.landmarks(pixels, stages, region=region)
        extent = model.landmarks_extent(width, height, region)
    else:
        points, heat = model.landmarks(pixels, stages)
    stages.progress(None, "points")
    inside = (points[:, :2] >= 0).all(1) & (points[:, 0] <= width) & (points[:, 1] <= height)
    arrays = {"points": np.nan_to_num(points), "inside": inside}
    if heat is not None:
        arrays["heat"] = np.nan_to_num(heat)
    names = model.landmark_names or tuple(f"point {number}" for number in range(1, len(points) + 1))
    scored = heat is not None or bool((points[:, 2] != 1).any())
    joined = limbs(names) if model.landmark_names else ()
    meta = {"point_names": names, "limbs": joined, "extent": extent, "scored": scored}
    return Result(arrays, {**meta, "classes": model.card.classes})


INSPECTION = Inspection(
    id="landmarks",
    title="Landmarks",
    help="Named points of the picture as a whole, such as a face's, and the heat maps they were found in.",
    needs=("FindsLandmarks",),
    params=Params,
    answer=answer,
    lacks=lacks,
)
