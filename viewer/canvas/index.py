"""Which of very many boxes lie in view, without a look at each: boxes that are alike stand in blocks."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from viewer.canvas.layers import Boxes

# Fewer boxes are looked at one by one faster.
LEAST = 4000
BLOCK = 64
_STEPS = 1024

Float = NDArray[np.float32]
Rows = NDArray[np.int64]
View = tuple[float, float, float, float]


class BoxIndex:
    """Boxes (N, 4) in blocks of similar size and place, each with what holds all of it and what all of it holds."""

    def __init__(self, boxes: Float) -> None:
        self._order = _alike(boxes)
        full = np.append(self._order, np.full(-len(boxes) % BLOCK, self._order[-1])).reshape(-1, BLOCK)
        ends = np.stack([boxes[:, :2], boxes[:, 2:]])
        # Boxes that are no numbers are in no view, and must not hide the others of their block.
        low = np.nan_to_num(ends.min(axis=0), nan=np.inf, posinf=np.inf, neginf=-np.inf)[full]
        high = np.nan_to_num(ends.max(axis=0), nan=-np.inf, posinf=np.inf, neginf=-np.inf)[full]
        self._outer = *low.min(axis=1).T.copy(), *high.max(axis=1).T.copy()
        self._inner = *low.max(axis=1).T.copy(), *high.min(axis=1).T.copy()

    def near(self, view: View, *, hollow: bool) -> Rows | None:
        """Return the rows that may touch a view (left, top, right, bottom), in order, or None for most of them.

        Of `hollow` boxes those that lie around all of it are left out, and few others are among them.
        """
        left, top, right, bottom = view
        x0, y0, x1, y1 = self._outer
        near = (x0 <= right) & (x1 >= left) & (y0 <= bottom) & (y1 >= top)
        if hollow:
            x0, y0, x1, y1 = self._inner
            near &= (x0 > left) | (x1 < right) | (y0 > top) | (y1 < bottom)
        chosen = np.flatnonzero(near)
        if 2 * len(chosen) > len(near):
            return None
        rows = (chosen[:, None] * BLOCK + np.arange(BLOCK)).reshape(-1)
        return np.sort(self._order[rows[rows < len(self._order)]])


class _Asked:
    """How a layer's boxes are found: the second time they are asked for, they are worth an index."""

    def __init__(self, layer: Boxes) -> None:
        self._boxes = layer.boxes
        self._times = 0
        self._index: BoxIndex | None = None

    def near(self, view: View, *, hollow: bool) -> Rows | None:
        """Return the rows that may touch a view, or None for any."""
        self._times += 1
        if self._index is None and self._times > 1:
            self._index = BoxIndex(self._boxes)
        return None if self._index is None else self._index.near(view, hollow=hollow)


@lru_cache(maxsize=8)
def _asked(layer: Boxes) -> _Asked:
    return _Asked(layer)


def near(layer: Boxes, view: View, *, hollow: bool) -> Rows | None:
    """Return the rows of a layer of which something may be in view, in order; None for any of them."""
    return _asked(layer).near(view, hollow=hollow) if len(layer) >= LEAST else None


def _alike(boxes: Float) -> Rows:
    """Return the rows in an order in which neighbours have about the same size and place."""
    known = np.nan_to_num(boxes.astype(np.float64), nan=0.0, posinf=1e30, neginf=-1e30)
    middle = (known[:, :2] + known[:, 2:]) / 2
    side = np.abs(known[:, 2:] - known[:, :2]).max(axis=1)
    size = np.log2(np.maximum(side, 1)).astype(np.int64)
    low, high = np.quantile(middle, (0.05, 0.95), axis=0)
    step = np.clip((middle - low) / np.maximum(high - low, 1e-9) * _STEPS, 0, _STEPS - 1).astype(np.int64)
    return np.lexsort((_interleaved(step), size))


def _interleaved(step: Rows) -> Rows:
    """Return the bits of both columns (N, 2) in turn (a Z-order curve): what is near in it is near in the picture."""
    code = np.zeros(len(step), np.int64)
    for bit in range(_STEPS.bit_length() - 1):
        for axis in (0, 1):
            code |= (step[:, axis] >> bit & 1) << (2 * bit + axis)
    return code
