"""Nearest real pictures of a generated one, and how that distance compares with distances among the real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.types import Float, Int

CHUNK = 256
TYPICAL_OF = 256


@dataclass(frozen=True)
class Neighbours:
    """The rows (K,) of the nearest pictures, nearest first, and their distances (K,).

    `typical` (M,) are the distances of a sample of real pictures to their own nearest neighbours.
    """

    rows: Int
    distances: Float
    typical: Float

    @property
    def ratio(self) -> float:
        """The nearest distance over the median typical one: near 0 for a copy, about 1 for an ordinary picture."""
        middle = float(np.median(self.typical)) if len(self.typical) else 0.0
        return float(self.distances[0]) / max(middle, 1e-12)

    @property
    def percentile(self) -> float:
        """The percentage of real pictures whose nearest real neighbour is closer than this picture's."""
        return 100.0 * float((self.typical < self.distances[0]).mean()) if len(self.typical) else 100.0


def nearest(query: Float, real: Float, *, count: int) -> tuple[Int, Float]:
    """Return the rows (K,) of `real` (N, F) nearest to `query` (F,) by Euclidean distance, and those distances (K,)."""
    distances = np.concatenate(
        [np.linalg.norm(real[at : at + CHUNK].astype(np.float64) - query, axis=1) for at in range(0, len(real), CHUNK)]
    )
    rows = np.argsort(distances, kind="stable")[:count]
    return rows.astype(np.int64), distances[rows].astype(np.float32)


def typical(real: Float, *, most: int = TYPICAL_OF, seed: int = 0) -> Float:
    """Return the nearest-neighbour distances (M,) within `real` (N, F), for up to `most` rows drawn with `seed`."""
    if len(real) < 2:
        return np.zeros(0, np.float32)
    rows = np.random.default_rng(seed).permutation(len(real))[:most]
    found = []
    for row in rows.tolist():
        others, distances = nearest(real[row], real, count=2)
        found.append(float(distances[1] if others[0] == row else distances[0]))
    return np.array(found, np.float32)


def among(query: Float, real: Float, spread: Float, *, count: int) -> Neighbours:
    """Return the `count` rows of `real` (N, F) nearest to `query` (F,), with `spread` from `typical` for comparison."""
    rows, distances = nearest(query, real, count=count)
    return Neighbours(rows, distances, spread)
