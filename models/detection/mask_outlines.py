"""Outlines of small masks as polygons, and where torchvision would paste the masks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.types import Float, Int

THRESHOLD = 0.5
PADDING = 1
FINER = 4

# The edges of a cell in clockwise order from the top: top, right, bottom, left. For each of the 16 combinations of
# corners inside the mask (weights 8, 4, 2, 1 from the top left corner), the outline runs from the edge where the walk
# around the cell leaves the mask to the edge where it enters.
_TOP, _RIGHT, _BOTTOM, _LEFT = range(4)
_STEPS: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = (
    (0b1000, ((_TOP, _LEFT),)),
    (0b0100, ((_RIGHT, _TOP),)),
    (0b0010, ((_BOTTOM, _RIGHT),)),
    (0b0001, ((_LEFT, _BOTTOM),)),
    (0b1100, ((_RIGHT, _LEFT),)),
    (0b0110, ((_BOTTOM, _TOP),)),
    (0b0011, ((_LEFT, _RIGHT),)),
    (0b1001, ((_TOP, _BOTTOM),)),
    (0b0111, ((_LEFT, _TOP),)),
    (0b1011, ((_TOP, _RIGHT),)),
    (0b1101, ((_RIGHT, _BOTTOM),)),
    (0b1110, ((_BOTTOM, _LEFT),)),
    # Two opposite corners are ambiguous: separate, or (16 more) joined where the middle of the cell is inside.
    (0b1010, ((_TOP, _LEFT), (_BOTTOM, _RIGHT))),
    (0b0101, ((_RIGHT, _TOP), (_LEFT, _BOTTOM))),
    (0b11010, ((_TOP, _RIGHT), (_BOTTOM, _LEFT))),
    (0b10101, ((_LEFT, _TOP), (_RIGHT, _BOTTOM))),
)


def placed(boxes: Float, *, side: int) -> Int:
    """Return where torchvision pastes masks of `side` x `side`: x, y, width, height (K, 4) in whole pixels.

    The mask gets a border of one cell, the box grows in proportion, and its corners are truncated to integers
    (`paste_masks_in_image` of torchvision).
    """
    half = (boxes[:, 2:] - boxes[:, :2]) * np.float32(0.5) * np.float32((side + 2 * PADDING) / side)
    centre = (boxes[:, 2:] + boxes[:, :2]) * np.float32(0.5)
    low, high = np.trunc(centre - half), np.trunc(centre + half)
    return np.concatenate([low, np.maximum(high - low + 1, 1)], 1).astype(np.int64)


def outline(mask: Float, place: Int) -> list[Float]:
    """Return the closed rings (n, 2), first point repeated, where a mask (h, h) crosses one half, in image pixels.

    `place` is the mask's x, y, width, height. Between the cells the probability is interpolated bilinearly, as in
    torchvision's pasting. The rings come from marching squares (Lorensen and Cline 1987) on a grid `FINER` times as
    fine; pixel centres are at halves. A hole is a ring too: fill by the even-odd rule.
    """
    side = mask.shape[0] + 2 * PADDING
    finer = _finer(side)
    grid = finer @ np.pad(mask, PADDING).astype(np.float64) @ finer.T
    rings = _rings(grid - THRESHOLD)
    corner, size = place[:2].astype(np.float64), place[2:].astype(np.float64)
    return [(corner + (ring / FINER + 0.5) * size / side).astype(np.float32) for ring in rings]


def joined(rings: Sequence[Sequence[Float]]) -> tuple[Float, Int, Int]:
    """Join the rings of K masks into columns: points (T, 2), start of each ring (R + 1,), mask of each ring (R,)."""
    flat = [ring for own in rings for ring in own]
    start = np.cumsum([0, *(len(ring) for ring in flat)]).astype(np.int64)
    points = np.concatenate([np.zeros((0, 2), np.float32), *flat])
    return points, start, np.repeat(np.arange(len(rings)), [len(own) for own in rings]).astype(np.int64)


@cache
def _finer(side: int) -> NDArray[np.float64]:
    """Return the weights (n, side) of linear interpolation at steps of 1 / `FINER`."""
    at = np.arange((side - 1) * FINER + 1) / FINER
    low = np.minimum(at.astype(np.int64), side - 2)
    weights = np.zeros((len(at), side))
    rows = np.arange(len(at))
    weights[rows, low] = 1 - (at - low)
    weights[rows, low + 1] += at - low
    return weights


def _rings(level: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the closed rings (n, 2) x y, in grid steps, where `level` (n, n) crosses 0; its border must be below 0."""
    n = level.shape[0]
    inside = level > 0
    corners = (inside[:-1, :-1], inside[:-1, 1:], inside[1:, 1:], inside[1:, :-1])
    kind = np.zeros((n - 1, n - 1), np.int64)
    for corner, weight in zip(corners, (8, 4, 2, 1), strict=True):
        kind += weight * corner
    middle = level[:-1, :-1] + level[:-1, 1:] + level[1:, 1:] + level[1:, :-1]
    kind += 16 * (((kind == 0b1010) | (kind == 0b0101)) & (middle > 0))

    # An edge is numbered by the grid point at its top left end; vertical edges add n * n.
    offsets = np.array([0, n * n + 1, n, n * n])
    following = np.full(2 * n * n, -1, np.int64)
    for wanted, steps in _STEPS:
        rows, columns = np.nonzero(kind == wanted)
        first = rows * n + columns
        for begin, end in steps:
            following[first + offsets[begin]] = first + offsets[end]

    edges = np.flatnonzero(following >= 0)
    points = _crossings(level, edges)
    after = np.searchsorted(edges, following[edges]).tolist()
    rings, seen = [], [False] * len(after)
    for begin in range(len(after)):
        if seen[begin]:
            continue
        ring, at = [begin], after[begin]
        while at != begin:
            seen[at] = True
            ring.append(at)
            at = after[at]
        rings.append(points[[*ring, begin]])
    return rings


def _crossings(level: NDArray[np.float64], edges: Int) -> NDArray[np.float64]:
    """Return where each edge crosses 0: (m, 2) x y in grid steps."""
    n = level.shape[0]
    down = edges >= n * n
    at = edges % (n * n)
    flat = level.reshape(-1)
    one, other = flat[at], flat[at + np.where(down, n, 1)]
    part = one / (one - other)
    return np.stack([at % n + np.where(down, 0, part), at // n + np.where(down, part, 0)], 1)
