"""Masks as weighted sums of prototypes (Bolya et al. 2019, YOLACT): the terms of the sum, one by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.types import Bool, Float, Int

ENOUGH = 0.9  # IoU with the full mask from which a running sum counts as the same shape


@dataclass(frozen=True)
class Prototypes:
    """What all masks of an image share, and their weights.

    `maps` (P, h, w) stretch over `extent`, x0 y0 x1 y1 in pixels of the image; `coefficients` (K, P) are those of each
    box. A mask is where the sigmoid of the weighted sum is above one half.
    """

    maps: Float
    coefficients: Float
    extent: tuple[float, float, float, float]


def order(maps: Float, coefficients: Float) -> Int:
    """Return the prototypes (P,) of one mask by how much they shape it, |coefficient| times spread, largest first."""
    weight = np.abs(coefficients) * maps.reshape(len(maps), -1).std(1)
    return np.argsort(-weight, kind="stable")


def logits(maps: Float, coefficients: Float, rows: Int) -> Float:
    """Return the weighted sum (h, w) of some prototypes."""
    return np.einsum("p,phw->hw", coefficients[rows].astype(np.float64), maps[rows]).astype(np.float32)


def within(box: Float, shape: tuple[int, int], extent: tuple[float, float, float, float]) -> Bool:
    """Return which cells (h, w) of maps over `extent` have their middle in a box (4,) of the image."""
    height, width = shape
    x0, y0, x1, y1 = extent
    x = x0 + (np.arange(width) + 0.5) / width * (x1 - x0)
    y = y0 + (np.arange(height) + 0.5) / height * (y1 - y0)
    return ((y >= box[1]) & (y <= box[3]))[:, None] & ((x >= box[0]) & (x <= box[2]))[None]


def running(maps: Float, coefficients: Float, rows: Int, inside: Bool) -> Float:
    """Return for 1 to P terms in the order of `rows` the IoU (P,) of the mask so far with the full one, `inside`."""
    full = (logits(maps, coefficients, rows) > 0) & inside
    total, found = np.zeros(maps.shape[1:], np.float64), []
    for row in rows:
        total += coefficients[row].astype(np.float64) * maps[row]
        now = (total > 0) & inside
        union = int((now | full).sum())
        found.append(1.0 if not union else float((now & full).sum()) / union)
    return np.array(found, np.float32)


def enough(agreement: Float) -> int:
    """Return after how many terms the mask stays within ENOUGH of the full one."""
    below = np.flatnonzero(agreement < ENOUGH)
    return int(below[-1]) + 2 if len(below) else 1
