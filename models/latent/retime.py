"""Constant visual speed: frame positions on a path between which the picture changes by equal amounts.

Change is measured in a feature space chosen by the caller: pixels, an encoder's means, a classifier's activations. The
path is probed most densely where the picture changes fastest, and interpolated by a cubic curve between the probes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.latent.path import shares

Real = NDArray[np.floating[Any]]
Double = NDArray[np.float64]

PROBES = 48  # pictures decoded per round
TURNS = 3
DENSE = 2000  # positions at which the interpolated curve is measured
SETTLING = 30  # most rounds; each reduces the unevenness by a factor
SETTLED = 1e-4
CURVE = 120


@dataclass(frozen=True)
class Speed:
    """How the picture changes along a path of `span` segments, from the probes taken so far.

    `positions` (P,) on the path, including the keys; `points` (P, R) are the pictures there, in coordinates that
    preserve the distances between their features.
    """

    span: int
    positions: Double
    points: Double

    @cached_property
    def travelled(self) -> tuple[Double, Double]:
        """Evenly spaced positions, and the feature distance from the start to each."""
        dense = np.linspace(0, self.span, self.span * max(8, DENSE // self.span) + 1)
        return dense, _sums(steps(self._at(dense)))

    @property
    def length(self) -> float:
        """The length of the whole path, in units of the features."""
        return float(self.travelled[1][-1])

    @property
    def curve(self) -> tuple[Double, Double]:
        """Evenly spaced positions (M,), and the speed there relative to its mean; 1 where nothing changes."""
        edges = np.linspace(0, self.span, CURVE + 1)
        rate = np.diff(np.interp(edges, *self.travelled)) * (CURVE / (self.length or 1.0))
        return (edges[1:] + edges[:-1]) / 2, rate if self.length > 0 else np.ones(CURVE)

    def even(self, frames: int, *, loop: bool = False) -> Double:
        """Return the positions of frames (N,) between which the picture changes by equal amounts.

        The chords from frame to frame are equal; where the path bends they are shorter than the path itself. The first
        and last frames are as in `Path.positions`; easing does not apply. Stretches without change are skipped. If
        nothing changes at all, the frames are evenly spaced. Raises Refusal for fewer than one frame.
        """
        share = shares(frames, loop=loop)
        if self.length == 0:
            return share * self.span
        dense, travelled = self.travelled
        found = np.interp(share * self.length, travelled, dense)
        for _ in range(SETTLING):
            ends = np.append(found, self.span) if loop else found
            changes = steps(self._at(ends))
            if variation(changes) < SETTLED:
                break
            sums = _sums(changes)
            found = np.interp(share * sums[-1], sums, ends)
        return found

    def wanting(self, count: int) -> Double:
        """Return about `count` positions to probe next, splitting the longest gaps between probes."""
        dense, travelled = self.travelled
        reached = np.interp(self.positions, dense, travelled)
        gaps, cuts = np.diff(reached), np.ones(len(reached) - 1, np.int64)
        for _ in range(count):
            cuts[np.argmax(gaps / cuts)] += 1
        ends = zip(reached[:-1], reached[1:], cuts + 1, strict=True)
        return np.interp(np.concatenate([np.linspace(*end)[1:-1] for end in ends]), travelled, dense)

    def _at(self, positions: Double) -> Double:
        """Return the points (N, R) on a cubic Hermite curve through the probes, with corners allowed at the keys."""
        found = np.empty((len(positions), self.points.shape[1]))
        segment = np.minimum(positions.astype(np.int64), self.span - 1)
        for key in np.unique(segment):
            inside = (self.positions >= key) & (self.positions <= key + 1)
            x, y = self.positions[inside], self.points[inside]
            found[segment == key] = _hermite(x, y, positions[segment == key])
        return found


def measured(features: Callable[[Double], Real], span: int) -> Speed:
    """Measure the speed along a path of `span` segments, given `features` (P, ...) of the pictures at positions (P,).

    Calls `features` TURNS times, for PROBES * TURNS + 1 positions in all; more if the path has more keys than that.
    """
    positions = np.linspace(0, span, span * max(1, PROBES // span) + 1)
    rows = _rows(features(positions))
    for _ in range(TURNS - 1):
        new = Speed(span, positions, _reduced(rows)).wanting(PROBES)
        positions, rows = np.concatenate([positions, new]), np.concatenate([rows, _rows(features(new))])
        positions, first = np.unique(positions, return_index=True)
        rows = rows[first]
    return Speed(span, positions, _reduced(rows))


def steps(features: ArrayLike, *, loop: bool = False) -> Double:
    """Return the Euclidean distance from each frame (N, ...) to the next; with `loop` also from last to first."""
    rows = _rows(features)
    after = np.roll(rows, -1, axis=0) if loop else rows[1:]
    return np.linalg.norm(after - rows[: len(after)], axis=1)


def variation(values: ArrayLike) -> float:
    """Return the coefficient of variation of steps (N,): standard deviation over mean; 0 if all are 0."""
    found = np.asarray(values, np.float64)
    mean = found.mean()
    return float(found.std() / mean) if mean > 0 else 0.0


def _rows(features: ArrayLike) -> Double:
    rows = np.asarray(features, np.float64)
    return rows.reshape(len(rows), -1)


def _reduced(rows: Double) -> Double:
    """Rotate rows (P, F) into at most P coordinates that preserve their distances."""
    away = rows - rows[0]
    return away if rows.shape[1] <= len(rows) else np.asarray(np.linalg.qr(away.T, mode="r")).T


def _sums(values: Double) -> Double:
    return np.concatenate([[0.0], np.cumsum(values)])


def _hermite(x: Double, y: Double, at: Double) -> Double:
    """Evaluate the cubic Hermite curve through y (P, R) at x (P,), with slopes by second-order differences: (N, R)."""
    slope = np.gradient(y, x, axis=0, edge_order=2 if len(x) > 2 else 1)
    row = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    step = np.diff(x)[row, None]
    t = (at - x[row])[:, None] / step
    ends = (1 + 2 * t) * (1 - t) ** 2 * y[row] + t**2 * (3 - 2 * t) * y[row + 1]
    return ends + t * (1 - t) * step * ((1 - t) * slope[row] - t * slope[row + 1])
