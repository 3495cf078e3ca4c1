"""Nearest real pictures of a generated one, and whether it is nearer to them than they are to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.types import Float, Int

CHUNK = 256
TYPICAL_OF = 256


@dataclass(frozen=True)
class Neighbours:
    """The rows (K,) of the nearest, nearest first, and their distances (K,); `typical` (M,) are the distances of some
    real ones to their own nearest others.
    """

    rows: Int
    distances: Float
    typical: Float

    @property
    def ratio(self) -> float:
        """The nearest's distance over the median of the typical ones: a copy has one near 0, others about 1."""
        middle = float(np.median(self.typical)) if len(self.typical) else 0.0
        return float(self.distances[0]) / max(middle, 1e-12)

    @property
    def percentile(self) -> float:
        """The share of real pictures, in percent, that have a real neighbour nearer than this one has."""
        return 100.0 * float((self.typical < self.distances[0]).mean()) if len(self.typical) else 100.0


def nearest(query: Float, real: Float, *, count: int) -> tuple[Int, Float]:
    """Return the rows (K,) of `real` (N, F) nearest to `query` (F,) by Euclidean distance, and these distances (K,)."""
    distances = np.concatenate(
        [np.linalg.norm(real[at : at + CHUNK].astype(np.float64) - query, axis=1) for at in range(0, len(real), CHUNK)]
    )
    rows = np.argsort(distances, kind="stable")[:count]
    return rows.astype(np.int64), distances[rows].astype(np.float32)


def typical(real: Float, *, most: int = TYPICAL_OF, seed: int = 0) -> Float:
    """Return the distances (M,) of up to `most` of `real` (N, F), drawn by a seed, to their nearest others."""
    if len(real) < 2:
        return np.zeros(0, np.float32)
    rows = np.random.default_rng(seed).permutation(len(real))[:most]
    found = []
    for row in rows.tolist():
        others, distances = nearest(real[row], real, count=2)
        found.append(float(distances[1] if others[0] == row else distances[0]))
    return np.array(found, np.float32)


def among(query: Float, real: Float, spread: Float, *, count: int) -> Neighbours:
    """Return the nearest of `real` (N, F) to `query` (F,), to be judged by the `spread` that `typical` gave."""
    rows, distances = nearest(query, real, count=count)
    return Neighbours(rows, distances, spread)
