"""The nearest neighbours of every picture of a data set, found step by step, and what follows from them.

From the graph follow the typical distance, hubs (pictures that are everybody's neighbours), labels that disagree with
their neighbours, near duplicates and outliers. All of it holds for the rows that are compared so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.nearest import COSINE, Vectors, nearest
from models.types import Float, Int

NEIGHBOURS = 10
BLOCK = 128  # rows of a step
LEAST_FAR = 1e-12
COPY = 0.25  # of the typical distance: as near as that, one is as good as a copy of the other
Double = NDArray[np.float64]


class Graph:
    """The `count` nearest neighbours of each row of `vectors`, of another set's `among` if that is given.

    `rows` (N, K) and `distances` (N, K), nearest first, are -1 and infinite beyond `done` and for rows without vector.
    It fits `models.runtime.context.Work`.
    """

    def __init__(
        self, vectors: Vectors, *, count: int = NEIGHBOURS, metric: str = COSINE, among: Vectors | None = None
    ) -> None:
        self.vectors, self.metric = vectors, metric
        self.among = vectors if among is None else among
        self.itself = among is None
        others = int(self.among.known.sum()) - self.itself
        self.count = max(0, min(count, others))
        self.rows: NDArray[np.int32] = np.full((len(vectors), self.count), -1, np.int32)
        self.distances: Float = np.full((len(vectors), self.count), np.inf, np.float32)
        self.done = 0
        self.failure: Exception | None = None

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.rows.nbytes + self.distances.nbytes

    @property
    def complete(self) -> bool:
        """Whether every row is compared."""
        return self.done >= len(self.vectors)

    @property
    def compared(self) -> NDArray[np.bool_]:
        """Which rows have neighbours (N,)."""
        return np.isfinite(self.distances[:, 0]) if self.count else np.zeros(len(self.vectors), bool)

    def step(self) -> None:
        """Compare the next rows with all."""
        last = min(self.done + BLOCK, len(self.vectors))
        wanted = np.arange(self.done, last)[self.vectors.known[self.done : last]]
        if len(wanted) and self.count:
            without = wanted if self.itself else None
            found = nearest(
                self.vectors.rows(wanted), self.among, count=self.count, metric=self.metric, without=without
            )
            self.rows[wanted], self.distances[wanted] = found
        self.done = last

    def run(self) -> Graph:
        """Compare all rows."""
        while not self.complete:
            self.step()
        return self

    @property
    def typical(self) -> float:
        """The median distance to the nearest neighbour, 0 if nothing is compared."""
        found = self.distances[self.compared, 0] if self.count else np.zeros(0)
        return float(np.median(found)) if len(found) else 0.0

    def occurrences(self) -> Int:
        """Return how often each row of the set searched is among the neighbours of another (its in-degree)."""
        return np.bincount(self.rows[self.rows >= 0], minlength=len(self.among)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Disagreements:
    """Rows (D,) whose label their neighbours do not share, the likeliest errors first.

    `agreement` (D,) is the share of labelled neighbours with the same label, `instead` (D,) the commonest label among
    them, `share` (D,) its share.
    """

    rows: Int
    agreement: Float
    instead: Int
    share: Float


def agreement(rows: NDArray[Any], labels: Int, own: int) -> float:
    """Return the share of labelled rows that have the label `own`; NaN if none is labelled or `own` is none."""
    found = labels[rows[rows >= 0]]
    found = found[found >= 0]
    return float((found == own).mean()) if len(found) and own >= 0 else float("nan")


def disagreements(graph: Graph, labels: Int, *, least: float = 0.5) -> Disagreements:
    """Return the rows of which at least a share `least` of the labelled neighbours agree on another label."""
    rows, agreed, instead, shares = [], [], [], []
    for row in np.flatnonzero(graph.compared & (labels >= 0)).tolist():
        near = graph.rows[row]
        found = labels[near[near >= 0]]
        found = found[found >= 0]
        if not len(found):
            continue
        counts = np.bincount(found)
        best = int(counts.argmax())
        share = counts[best] / len(found)
        if best != labels[row] and share >= least and counts[best] > 1:
            rows.append(row)
            agreed.append(float((found == labels[row]).mean()))
            instead.append(best)
            shares.append(float(share))
    near = graph.distances[rows, 0] if rows else np.zeros(0, np.float32)
    order = np.lexsort((near, agreed, -np.array(shares)))
    return Disagreements(
        np.array(rows, np.int64)[order],
        np.array(agreed, np.float32)[order],
        np.array(instead, np.int64)[order],
        np.array(shares, np.float32)[order],
    )


def near_duplicates(graph: Graph, *, ratio: float = COPY, typical: float = 0.0) -> tuple[Int, Float]:
    """Return pairs of rows (P, 2) nearer than `ratio` of the typical distance, nearest first, and their distances.

    The second row is one of the set that was searched. `typical` replaces the graph's own where it is above 0.
    """
    limit = ratio * (typical or graph.typical)
    at = np.argwhere((graph.rows >= 0) & (graph.distances <= limit))
    first, second = at[:, 0].astype(np.int64), graph.rows[at[:, 0], at[:, 1]].astype(np.int64)
    distances = graph.distances[at[:, 0], at[:, 1]]
    pairs = np.stack([first, second], 1)
    if graph.itself:
        pairs.sort(axis=1)
        pairs, kept = np.unique(pairs, axis=0, return_index=True)
        distances = distances[kept]
    order = np.lexsort((pairs[:, 1], pairs[:, 0], distances))
    return pairs[order], distances[order]


def outliers(graph: Graph, *, most: int = 1000) -> tuple[Int, Float]:
    """Return the rows farthest from their neighbours, farthest first, and their mean distance over the typical one."""
    rows = np.flatnonzero(graph.compared)
    if not len(rows):
        return rows.astype(np.int64), np.zeros(0, np.float32)
    far = np.where(np.isfinite(graph.distances[rows]), graph.distances[rows], np.nan)
    mean = np.nanmean(far, 1)
    middle = max(float(np.median(mean)), LEAST_FAR)
    order = np.lexsort((rows, -mean))[:most]
    return rows[order].astype(np.int64), (mean[order] / middle).astype(np.float32)
