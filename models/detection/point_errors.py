"""How far found key points are from annotated ones: OKS as pycocotools computes it, PCK by the torso, means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.types import Real

# COCO's standard deviation of annotators for each of the 17 points, in shares of a figure's size.
COCO_SIGMAS = (0.026, 0.025, 0.025, 0.035, 0.035, *(0.079,) * 2, *(0.072,) * 2, *(0.062,) * 2)
COCO_SIGMAS += (0.107, 0.107, 0.087, 0.087, 0.089, 0.089)
USUAL_SIGMA = 0.05
TORSOS = (("left shoulder", "right hip"), ("right shoulder", "left hip"))


def sigmas_of(points: int, given: float = -1.0) -> tuple[Real, str]:
    """Return the sigma of each point (P,) and in words whose they are; a `given` one from 0 on holds for all."""
    if given >= 0:
        return np.full(points, given), f"sigma {given:g} for every point"
    if points == len(COCO_SIGMAS):
        return np.array(COCO_SIGMAS), "COCO's sigmas"
    return np.full(points, USUAL_SIGMA), f"sigma {USUAL_SIGMA:g} for every point, as no one has measured these"


def oks(found: Real, truth: Real, area: float, sigmas: Real) -> float:
    """Return the object keypoint similarity of points (P, 2) and annotated ones (P, 3) of a figure of some area.

    It is the mean of exp(-d^2 / (2 a k^2)) with k = 2 sigma over the points that are annotated (v above 0), 0 for a
    point not found (NaN); NaN for a figure without annotated points.
    """
    labelled = truth[:, 2] > 0
    if not labelled.any():
        return float("nan")
    squared = ((found - truth[:, :2]) ** 2).sum(1)
    each = np.exp(-squared / (2 * (area + np.spacing(1)) * np.maximum((2 * sigmas) ** 2, 1e-12)))
    return float(np.nan_to_num(each)[labelled].mean())


def torso(points: Real, names: Sequence[str]) -> float:
    """Return the length of a figure's torso, a shoulder to the other side's hip; NaN where these are not annotated."""
    rows = {name.strip().lower().replace("_", " "): row for row, name in enumerate(names)}
    for first, second in TORSOS:
        a, b = rows.get(first), rows.get(second)
        if a is not None and b is not None and min(points[a, 2], points[b, 2]) > 0:
            return float(np.hypot(*(points[a, :2] - points[b, :2])))
    return float("nan")


def pck(errors: Real, lengths: Real, share: float = 0.1) -> float:
    """Return which share of errors (F, P) is at most `share` of a length (F,).

    NaN errors and lengths do not count; an infinite error is a point that was not found.
    """
    counted = ~np.isnan(errors) & np.isfinite(lengths)[:, None]
    return float((errors <= share * lengths[:, None])[counted].mean()) if counted.any() else float("nan")


def mean(values: Real) -> float:
    """Return the mean of the finite values, NaN if there are none."""
    finite = np.asarray(values)[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
