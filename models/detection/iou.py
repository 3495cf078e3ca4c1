"""IoU, GIoU, DIoU and CIoU of boxes, in float32 with torchvision's arithmetic.

Boxes are (..., 4) xyxy and pair up by broadcasting: `iou(a, b)` for N pairs, `iou(a[:, None], b)` for a matrix. Where a
quotient is undefined, as for two boxes without area, the result is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]

EPS = np.float32(1e-7)


def areas(a: Numbers, b: Numbers) -> tuple[Numbers, Numbers]:
    """Return the areas of intersection and union, in square pixels."""
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    shared = (np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).clip(min=0)
    inter = shared[..., 0] * shared[..., 1]
    return inter, _area(a) + _area(b) - inter


def iou(a: Numbers, b: Numbers) -> Numbers:
    """Return intersection over union (Jaccard index)."""
    inter, union = areas(a, b)
    with np.errstate(invalid="ignore", divide="ignore"):
        return inter / union


def giou(a: Numbers, b: Numbers) -> Numbers:
    """Return generalised IoU, -1 to 1: IoU minus the uncovered share of the enclosing box (Rezatofighi 2019)."""
    _, union = areas(a, b)
    whole = _enclosing(a, b)
    area = whole[..., 0] * whole[..., 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return iou(a, b) - (area - union) / area


def diou(a: Numbers, b: Numbers) -> Numbers:
    """Return distance IoU: IoU minus the squared centre distance over the squared enclosing diagonal (Zheng 2020)."""
    whole = _enclosing(a, b)
    diagonal = whole[..., 0] ** 2 + whole[..., 1] ** 2 + EPS
    x, y = _apart(a, b)
    return iou(a, b) - (x**2 + y**2) / diagonal


def ciou(a: Numbers, b: Numbers) -> Numbers:
    """Return complete IoU: distance IoU minus a penalty for differing aspect ratios (Zheng 2020)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        angle = _angle(a) - _angle(b)
        v = np.float32(4 / np.pi**2) * angle**2
        return diou(a, b) - v / (1 - iou(a, b) + v + EPS) * v


def centre_distance(a: Numbers, b: Numbers) -> Numbers:
    """Return the distance of the centres in pixels."""
    return np.hypot(*_apart(a, b))


def _area(boxes: Numbers) -> Numbers:
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def _enclosing(a: Numbers, b: Numbers) -> Numbers:
    """Return width and height (..., 2) of the smallest box around each pair."""
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return (np.maximum(a[..., 2:], b[..., 2:]) - np.minimum(a[..., :2], b[..., :2])).clip(min=0)


def _apart(a: Numbers, b: Numbers) -> tuple[Numbers, Numbers]:
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    middles = [((box[..., 0] + box[..., 2]) / 2, (box[..., 1] + box[..., 3]) / 2) for box in (a, b)]
    return middles[0][0] - middles[1][0], middles[0][1] - middles[1][1]


def _angle(boxes: Numbers) -> Numbers:
    boxes = np.asarray(boxes, np.float32)
    return np.arctan((boxes[..., 2] - boxes[..., 0]) / (boxes[..., 3] - boxes[..., 1]))
