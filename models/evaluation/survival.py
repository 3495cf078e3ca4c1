"""The NMS thresholds at which each candidate of a picture survives, computed once for all positions of the slider.

A slider change over a whole data set then reads one bit per candidate, with exactly the result of greedy NMS.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.detection.suppression import columns_of, pairs_above
from models.types import Bool, Float, Int

LEVELS = 101
BYTES = -(-LEVELS // 8)
_LIMITS = np.arange(LEVELS) / 100


def _below() -> NDArray[np.uint64]:
    """Return (2, LEVELS + 1): for each n, two words with the first n bits set."""
    bits = np.arange(128) < np.arange(LEVELS + 1)[:, None]
    return np.ascontiguousarray(np.packbits(bits, axis=1, bitorder="little").view(np.uint64).T)


_BELOW = _below()


def survival(boxes: Float, score: Float, group: Int | None) -> NDArray[np.uint8]:
    """Return (N, BYTES): bit l of a row is set if its box survives greedy NMS at IoU l / 100.

    `boxes` (N, 4) xyxy in network pixels and `score` (N,) must be sorted best first; boxes suppress only within their
    `group` (N,).

    At a level, a box is removed if a better box survives there and their IoU is above it. This is solved as a fixpoint:
    starting with all boxes surviving, each round settles the boxes one step further down the chains of suppression, so
    once nothing changes all boxes are settled.
    """
    kind = np.zeros(len(score), np.int64) if group is None else group
    found = pairs_above(columns_of(boxes), kind, 0.0)
    better, worse, iou = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(worse, kind="stable")
    better, worse = better[order].astype(np.intp), worse[order]
    reach = _BELOW[:, np.searchsorted(_LIMITS, iou[order].astype(np.float64))]
    first = np.flatnonzero(np.diff(worse, prepend=-1))
    victims = worse[first]
    # The 101 levels of a candidate are bits of two 64-bit words, so a round handles 64 levels at once.
    words = np.full((len(_BELOW), len(score)), ~np.uint64(0))
    for survives, below in zip(words, reach, strict=True):
        while len(victims):
            left = ~np.bitwise_or.reduceat(survives[better] & below, first)
            if np.array_equal(survives[victims], left):
                break
            survives[victims] = left
    return np.ascontiguousarray(np.ascontiguousarray(words.T).view(np.uint8)[:, :BYTES])


def level_of(iou: float) -> int | None:
    """Return the level of a threshold, or None between two levels."""
    level = round(iou * 100)
    return level if abs(level / 100 - iou) < 1e-9 else None


def at(columns: NDArray[np.uint8], level: int) -> Bool:
    """Return which rows survive at a level, given the transpose of `survival`, (BYTES, N)."""
    return (columns[level >> 3] & np.uint8(1 << (level & 7))) != 0
