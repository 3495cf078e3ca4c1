"""How far a map can be trusted: of the nearest neighbours of a picture, the share that are its nearest on the map."""

from __future__ import annotations

import numpy as np

from models.datasets.nearest import EUCLIDEAN, Vectors, nearest
from models.types import Float, Int

NEIGHBOURS = 10
BLOCK = 64  # pictures of a step


def counted(pictures: int) -> int:
    """Return how many neighbours are compared: 10, or half of the others where there are few."""
    return max(1, min(NEIGHBOURS, (pictures - 1) // 2))


class TrueNeighbours:
    """The nearest neighbours (N, K) of pictures among the N of a map, found when they are needed; -2 where not yet."""

    def __init__(self, vectors: Vectors, rows: Int, metric: str) -> None:
        """`rows` (N,) are those of `vectors` that are on the map."""
        whole = len(rows) == int(vectors.known.sum())
        self.among = vectors if whole else Vectors.of([(0, vectors.rows(rows))], len(rows))
        self._rows = rows if whole else np.arange(len(rows))  # of `among`
        self.metric, self.count = metric, counted(len(rows))
        self._number = np.zeros(len(self.among), np.int64)
        self._number[self._rows] = np.arange(len(rows))
        self.found: Int = np.full((len(rows), self.count), -2, np.int64)

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.found.nbytes + self.among.nbytes

    def of(self, points: Int) -> Int:
        """Return the neighbours (P, K) of some points of the map, as numbers of points."""
        missing = points[self.found[points, 0] == -2]
        if len(missing):
            own = self._rows[missing]
            found, _ = nearest(self.among.rows(own), self.among, count=self.count, metric=self.metric, without=own)
            self.found[missing] = self._number[found]
        return self.found[points]


class KeptNeighbours:
    """The share (N,) of each point's true neighbours that are its neighbours on the map, NaN where not measured.

    It measures the given `points`, in steps. It fits `models.runtime.context.Work`.
    """

    def __init__(self, true: TrueNeighbours, places: Float, points: Int) -> None:
        self.true, self.points, self.done = true, points, 0
        self.shares: Float = np.full(len(places), np.nan, np.float32)
        self.failure: Exception | None = None
        self._map = Vectors.of([(0, np.ascontiguousarray(places, np.float32))], len(places))

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.shares.nbytes

    @property
    def complete(self) -> bool:
        """Whether every point is measured."""
        return self.done >= len(self.points)

    def step(self) -> None:
        """Measure some points."""
        points = self.points[self.done : self.done + BLOCK]
        true, count = self.true.of(points), self.true.count
        near, _ = nearest(self._map.rows(points), self._map, count=count, metric=EUCLIDEAN, without=points)
        self.shares[points] = (true[:, :, None] == near[:, None]).any(2).mean(1)
        self.done += len(points)

    def run(self) -> KeptNeighbours:
        """Measure all."""
        while not self.complete:
            self.step()
        return self

    @property
    def mean(self) -> float:
        """The mean share of the points measured so far; NaN before."""
        found = self.shares[np.isfinite(self.shares)]
        return float(found.mean()) if len(found) else float("nan")

    @property
    def by_chance(self) -> float:
        """The share that would be kept if the points were anywhere."""
        return self.true.count / max(len(self.shares) - 1, 1)
