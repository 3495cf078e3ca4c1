"""A spatial index of very many boxes.

Similar boxes are grouped into blocks, so that few need to be tested for a view.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viewer.canvas.layers import Boxes

# Below this number, testing every box is faster.
LEAST = 4000
BLOCK = 64
_STEPS = 1024

Float = NDArray[np.float32]
Rows = NDArray[np.int64]
View = tuple[float, float, float, float]


class BoxIndex:
    """Boxes (N, 4) in blocks of similar size and position, each with its bounding box and the intersection of its
    boxes.
    """

    def __init__(self, boxes: Float) -> None:
        order = _alike(boxes)
        ends = np.stack([boxes[:, :2], boxes[:, 2:]])
        # NaN boxes touch no view, and must not affect the bounds of the others in their block.
        low = np.nan_to_num(ends.min(axis=0), nan=np.inf, posinf=np.inf, neginf=-np.inf)
        high = np.nan_to_num(ends.max(axis=0), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
        self._columns = np.ascontiguousarray(np.concatenate([low, high], axis=1).T)
        count = -(-len(boxes) // BLOCK)
        self._rows = np.append(order, np.full(count * BLOCK - len(boxes), order[-1])).reshape(count, BLOCK)
        self._cells = self._columns[:, self._rows]
        (x0, y0), (x1, y1) = self._cells[:2], self._cells[2:]
        self._outer = x0.min(axis=1), y0.min(axis=1), x1.max(axis=1), y1.max(axis=1)
        self._inner = x0.max(axis=1), y0.max(axis=1), x1.min(axis=1), y1.min(axis=1)
        # Pad the last block with NaN boxes, which touch no view.
        self._cells.reshape(4, -1)[:, len(boxes) :] = np.nan
        self._last: tuple[object, Rows] = (None, np.zeros(0, np.int64))

    def near(self, view: View, *, hollow: bool) -> Rows:
        """Return the rows that touch a view (left, top, right, bottom), in order.

        `hollow` boxes that enclose the whole view are left out.
        """
        if self._last[0] != (view, hollow):
            self._last = (view, hollow), self._find(view, hollow=hollow)
        return self._last[1]

    def _find(self, view: View, *, hollow: bool) -> Rows:
        blocks = np.flatnonzero(_touching(*self._outer, view) & (_not_around(*self._inner, view) if hollow else True))
        most = 2 * len(blocks) > len(self._rows)
        columns = self._columns if most else self._cells[:, blocks]
        near = _touching(*columns, view)
        if hollow:
            near &= _not_around(*columns, view)
        return np.flatnonzero(near) if most else np.sort(self._rows[blocks][near])


class _Asked:
    """Finds a layer's boxes; builds an index at the second view, because a single query does not pay for it."""

    def __init__(self, layer: Boxes) -> None:
        self._boxes = layer.boxes
        self._view: View | None = None
        self._index: BoxIndex | None = None

    def near(self, view: View, *, hollow: bool) -> Rows:
        """Return the rows that touch a view."""
        if self._index is None and self._view not in (None, view):
            self._index = BoxIndex(self._boxes)
        self._view = view
        return near(self._boxes, view, hollow=hollow) if self._index is None else self._index.near(view, hollow=hollow)


@lru_cache(maxsize=8)
def _asked(layer: Boxes) -> _Asked:
    return _Asked(layer)


def near_in(layer: Boxes, view: View, *, hollow: bool) -> Rows:
    """Return the rows of a layer that touch a view (left, top, right, bottom), like `near`."""
    if len(layer) < LEAST:
        return near(layer.boxes, view, hollow=hollow)
    return _asked(layer).near(view, hollow=hollow)


def near(boxes: Float, view: View, *, hollow: bool) -> Rows:
    """Return the rows of boxes (N, 4) that touch a view (left, top, right, bottom), in order.

    `hollow` boxes that enclose the whole view are left out.
    """
    x0, y0, x1, y1 = boxes.T
    low, high = (np.minimum(x0, x1), np.minimum(y0, y1)), (np.maximum(x0, x1), np.maximum(y0, y1))
    near = _touching(*low, *high, view)
    if hollow:
        near &= _not_around(*low, *high, view)
    return np.flatnonzero(near)


def _touching(*parts: Any) -> NDArray[np.bool_]:
    x0, y0, x1, y1, (left, top, right, bottom) = parts
    return (x0 <= right) & (x1 >= left) & (y0 <= bottom) & (y1 >= top)


def _not_around(*parts: Any) -> NDArray[np.bool_]:
    x0, y0, x1, y1, (left, top, right, bottom) = parts
    return (x0 > left) | (x1 < right) | (y0 > top) | (y1 < bottom)


def _alike(boxes: Float) -> Rows:
    """Return the rows in an order in which neighbours have similar size and position."""
    known = np.nan_to_num(boxes.astype(np.float64), nan=0.0, posinf=1e30, neginf=-1e30)
    middle = (known[:, :2] + known[:, 2:]) / 2
    side = np.abs(known[:, 2:] - known[:, :2]).max(axis=1)
    size = np.log2(np.maximum(side, 1)).astype(np.int64)
    low, high = np.quantile(middle, (0.05, 0.95), axis=0)
    step = np.clip((middle - low) / np.maximum(high - low, 1e-9) * _STEPS, 0, _STEPS - 1).astype(np.int64)
    return np.lexsort((_interleaved(step), size))


def _interleaved(step: Rows) -> Rows:
    """Interleave the bits of both columns (N, 2) (a Z-order curve): neighbours in it are close in the picture."""
    code = np.zeros(len(step), np.int64)
    for bit in range(_STEPS.bit_length() - 1):
        for axis in (0, 1):
            code |= (step[:, axis] >> bit & 1) << (2 * bit + axis)
    return code
