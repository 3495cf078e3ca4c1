"""Masks and key points as layers, for the screen and every export."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.types import Result
from viewer.canvas.layers import Boxes, Heat, Layer, Masks, Rings, Skeletons
from viewer.presenters.detections import detection_texts

MASKS, SKELETONS, POINT_HEAT = "masks", "skeletons", "point heat"


def rings_of(result: Result) -> Rings:
    """Return the outlines of a result's masks; the same object each time, because painters cache by identity."""
    return Rings(result.arrays["outline"], result.arrays["ring_start"], result.arrays["ring_of"])


def mask_layer(
    result: Result, rings: Rings, rows: NDArray[np.int64], *, opacity: float = 0.5, outlined: bool = True
) -> Masks:
    """Return the masks of some rows."""
    boxes, labels = result.arrays["boxes"][rows], result.arrays["labels"][rows]
    texts = _chosen(result, rows)
    return Masks(MASKS, boxes, labels, rows, rings, opacity=opacity, outlined=outlined, texts=texts)


def mask_values(result: Result, row: int) -> Heat:
    """Return the probabilities of one mask at their position, without the border that torchvision's pasting adds."""
    values = result.arrays["masks"][row]
    x, y, width, height = (float(v) for v in result.arrays["places"][row])
    edge_x, edge_y = width / (values.shape[1] + 2), height / (values.shape[0] + 2)
    extent = (x + edge_x, y + edge_y, x + width - edge_x, y + height - edge_y)
    return Heat("mask values", values, extent, 0.0, 1.0, opacity=0.8, fade=True)


def skeleton_layer(result: Result, rows: NDArray[np.int64], *, score: float, faint: bool = True) -> Skeletons:
    """Return the key points of some rows; those with a score of at most `score` are faint, or left out."""
    points = result.arrays["points"][rows, :, :2].astype(np.float32)
    low = result.arrays["point_scores"][rows] <= score
    if not faint:
        points = np.where(low[..., None], np.float32(np.nan), points)
    names = {"texts": _chosen(result, rows), "points": result.meta["point_names"]}
    return Skeletons(SKELETONS, points, low, result.meta["limbs"], **names)


def area(rings: Rings, row: int) -> float:
    """Return the area of a mask in pixels; holes have the opposite orientation, so the signed areas add up."""
    total = 0.0
    for ring in np.flatnonzero(rings.of == row).tolist():
        x, y = rings.points[rings.start[ring] : rings.start[ring + 1]].astype(np.float64).T
        total += float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) / 2
    return abs(total)


def heat_layer(result: Result, point: int, *, of: int) -> Heat | None:
    """Return one key point's heat map over the box of a detection, None if it belongs to another detection."""
    if result.meta["heat_of"] != of or "heat" not in result.arrays or not 0 <= point < len(result.arrays["heat"]):
        return None
    values = result.arrays["heat"][point]
    x0, y0, x1, y1 = (float(v) for v in result.arrays["heat_box"])
    return Heat(POINT_HEAT, values, (x0, y0, x1, y1), float(values.min()), float(values.max()), opacity=0.75, fade=True)


def _chosen(result: Result, rows: NDArray[np.int64]) -> list[str]:
    texts = detection_texts(result)
    return [texts[row] for row in rows.tolist()]


def export_layers(result: Result) -> list[Layer]:
    """Return the layers that a command-line export paints: masks or skeletons, and their boxes."""
    arrays = result.arrays
    boxes = Boxes("detections", arrays["boxes"], arrays["labels"], detection_texts(result), ids=arrays["ids"])
    rows = np.arange(len(arrays["boxes"]))
    if "outline" in arrays:
        return [mask_layer(result, rings_of(result), rows), boxes]
    return [boxes, skeleton_layer(result, rows, score=0.0)]
