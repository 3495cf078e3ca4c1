"""Constant visual speed: the same path passed through so that the picture changes equally fast. Numpy alone.

The picture's change is measured in a named space of features: pixels, an encoder's means, a classifier's activations.
It is probed where the path was found to run fast, and between the probes taken to be a cubic curve.
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

PROBES = 48  # pictures decoded in each turn
TURNS = 3
DENSE = 2000  # places at which the curve between the probes is measured
SETTLING = 30  # turns, each of which leaves a fraction of the unevenness
SETTLED = 1e-4
CURVE = 120


@dataclass(frozen=True)
class Speed:
    """How the picture changes along a path of `span` segments, as far as it was probed.

    `positions` (P,) on the path, the keys among them; `points` (P, R) the pictures there, in coordinates that keep all
    distances between their features.
    """

    span: int
    positions: Double
    points: Double

    @cached_property
    def travelled(self) -> tuple[Double, Double]:
        """Positions, evenly spaced, and the distance in features from the start to each."""
        dense = np.linspace(0, self.span, self.span * max(8, DENSE // self.span) + 1)
        return dense, _sums(steps(self._at(dense)))

    @property
    def length(self) -> float:
        """The length of the whole path, in the features' own unit."""
        return float(self.travelled[1][-1])

    @property
    def curve(self) -> tuple[Double, Double]:
        """Positions (M,), evenly spaced, and the speed there in multiples of its mean; 1 where nothing changes."""
        edges = np.linspace(0, self.span, CURVE + 1)
        rate = np.diff(np.interp(edges, *self.travelled)) * (CURVE / (self.length or 1.0))
        return (edges[1:] + edges[:-1]) / 2, rate if self.length > 0 else np.ones(CURVE)

    def even(self, frames: int, *, loop: bool = False) -> Double:
        """Return the positions of frames (N,) between which the picture changes by equal amounts.

        Equal are the distances from frame to frame, which is less than the way between them where the path turns.
        Frames begin and end as in `Path.positions`; easing has no say. Stretches where nothing changes are jumped over;
        if nothing changes at all, the frames are evenly spaced. Raises Refusal for no frame.
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
        """Return about `count` positions to probe next: they cut up what is longest between two probes."""
        dense, travelled = self.travelled
        reached = np.interp(self.positions, dense, travelled)
        gaps, cuts = np.diff(reached), np.ones(len(reached) - 1, np.int64)
        for _ in range(count):
            cuts[np.argmax(gaps / cuts)] += 1
        ends = zip(reached[:-1], reached[1:], cuts + 1, strict=True)
        return np.interp(np.concatenate([np.linspace(*end)[1:-1] for end in ends]), travelled, dense)

    def _at(self, positions: Double) -> Double:
        """Return the points (N, R) on a cubic Hermite curve through the probes that may have corners at the keys."""
        found = np.empty((len(positions), self.points.shape[1]))
        segment = np.minimum(positions.astype(np.int64), self.span - 1)
        for key in np.unique(segment):
            inside = (self.positions >= key) & (self.positions <= key + 1)
            x, y = self.positions[inside], self.points[inside]
            found[segment == key] = _hermite(x, y, positions[segment == key])
        return found


def measured(features: Callable[[Double], Real], span: int) -> Speed:
    """Return the speed along a path of `span` segments, from the `features` (P, ...) of the pictures at positions (P,).

    They are asked for TURNS times, for PROBES * TURNS + 1 positions in all; more if the path has more keys than that.
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
    """Return the Euclidean distance from each frame (N, ...) to the next, with `loop` also from last to first."""
    rows = _rows(features)
    after = np.roll(rows, -1, axis=0) if loop else rows[1:]
    return np.linalg.norm(after - rows[: len(after)], axis=1)


def variation(values: ArrayLike) -> float:
    """Return the coefficient of variation of steps (N,): their standard deviation over their mean; 0 if all are 0."""
    found = np.asarray(values, np.float64)
    mean = found.mean()
    return float(found.std() / mean) if mean > 0 else 0.0


def _rows(features: ArrayLike) -> Double:
    rows = np.asarray(features, np.float64)
    return rows.reshape(len(rows), -1)


def _reduced(rows: Double) -> Double:
    """Return rows (P, F) in at most P coordinates that keep their distances."""
    away = rows - rows[0]
    return away if rows.shape[1] <= len(rows) else np.asarray(np.linalg.qr(away.T, mode="r")).T


def _sums(values: Double) -> Double:
    return np.concatenate([[0.0], np.cumsum(values)])


def _hermite(x: Double, y: Double, at: Double) -> Double:
    """Return the cubic Hermite curve (N, R) through y (P, R) at x (P,), with slopes by second-order differences."""
    slope = np.gradient(y, x, axis=0, edge_order=2 if len(x) > 2 else 1)
    row = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    step = np.diff(x)[row, None]
    t = (at - x[row])[:, None] / step
    ends = (1 + 2 * t) * (1 - t) ** 2 * y[row] + t**2 * (3 - 2 * t) * y[row + 1]
    return ends + t * (1 - t) * step * ((1 - t) * slope[row] - t * slope[row + 1])
