"""Nearest vectors, exactly: a product in float32 finds the candidates, float64 decides among them.

Cosine distance is 1 minus the cosine, and 1 for a vector of zeros; Euclidean distance is the root of the sum of
squares. Rows whose vector is NaN (pictures that failed) are nobody's neighbours. Equal distances are ordered by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.types import Float, Int

COSINE, EUCLIDEAN = METRICS = ("cosine", "euclidean")
CHUNK = 1 << 16  # rows
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Vectors:
    """The vectors of N pictures in pieces (R, D), each with its first row, and their squared lengths (N,).

    A row without a piece, or with NaN, has the length infinity.
    """

    pieces: tuple[tuple[int, Float], ...]
    squares: Float

    @classmethod
    def of(cls, pieces: Sequence[tuple[int, NDArray[Any]]], count: int) -> Vectors:
        """Return the vectors of `count` pictures; pieces that follow each other are joined up to `CHUNK` rows."""
        squares = np.full(count, np.inf, np.float32)
        for first, piece in pieces:
            found = np.einsum("ij,ij->i", piece, piece)
            squares[first : first + len(piece)] = np.where(np.isfinite(found), found, np.inf)
        return cls(tuple(_joined(pieces)), squares)

    def __len__(self) -> int:
        return len(self.squares)

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.squares.nbytes + sum(piece.nbytes for _, piece in self.pieces)

    @property
    def width(self) -> int:
        """The number of values of a vector."""
        return int(self.pieces[0][1].shape[1]) if self.pieces else 0

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a vector (N,)."""
        return np.isfinite(self.squares)

    def rows(self, wanted: Int) -> Float:
        """Return the vectors (K, D) of some rows, NaN where there is none."""
        found = np.full((len(wanted), self.width), np.nan, np.float32)
        for first, piece in self.pieces:
            inside = (wanted >= first) & (wanted < first + len(piece))
            found[inside] = piece[wanted[inside] - first]
        return found


def nearest(
    queries: Float, among: Vectors, *, count: int, metric: str = COSINE, without: Int | None = None
) -> tuple[Int, Double]:
    """Return the rows (Q, K) nearest to each query (Q, D), nearest first, and their distances (Q, K).

    K is `count`, or the number of vectors if that is less. `without` (Q,) names a row that each query leaves out, -1
    for none: the picture itself. A row is then -1 and its distance infinite where there are fewer.
    """
    queries = np.ascontiguousarray(queries, np.float32)
    lengths = np.einsum("ij,ij->i", queries, queries)
    available = int(among.known.sum())
    count = min(count, available)
    if count <= 0 or not among.pieces:
        return np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0))
    keep = min(count + 1, available)  # one more, for the row that is left out
    best: list[list[tuple[Int, Float]]] = [[] for _ in queries]
    for first, piece in among.pieces:
        squares = among.squares[first : first + len(piece)]
        products = piece @ queries.T if len(queries) > 1 else (piece @ queries[0])[:, None]
        for number in range(len(queries)):
            near = _near(products[:, number], squares, float(lengths[number]), metric)
            rows = _candidates(near, keep, _room(squares, float(lengths[number]), metric, among.width))
            best[number].append((rows + first, near[rows]))
    rows = np.full((len(queries), count), -1, np.int64)
    distances = np.full((len(queries), count), np.inf)
    for number, found in enumerate(best):
        own = -1 if without is None else int(without[number])
        at = np.concatenate([each for each, _ in found])
        at = at[at != own]
        exact = distance(queries[number], among.rows(at), metric)
        order = np.lexsort((at, exact))[:count]
        rows[number, : len(order)], distances[number, : len(order)] = at[order], exact[order]
    return rows, distances


def distance(query: Float, others: Float, metric: str) -> Double:
    """Return the distances (K,) of vectors (K, D) from a query (D,), in float64."""
    one, many = query.astype(np.float64), others.astype(np.float64)
    if metric == EUCLIDEAN:
        return np.sqrt(((many - one) ** 2).sum(1))
    lengths = np.sqrt((many**2).sum(1)) * np.sqrt((one**2).sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = np.where(lengths > 0, (many * one).sum(1) / lengths, 0.0)
    # Half the squared distance of the normalised vectors loses no digits near 0, where 1 minus the cosine does.
    close = cosine > 0.9
    if close.any():
        unit = one / max(np.sqrt((one**2).sum()), 1e-300)
        units = many[close] / np.maximum(np.sqrt((many[close] ** 2).sum(1)), 1e-300)[:, None]
        found = 1.0 - cosine
        found[close] = ((units - unit) ** 2).sum(1) / 2
        return found
    return 1.0 - cosine


def _near(products: Float, squares: Float, length: float, metric: str) -> Float:
    """Return numbers (R,) that order rows as distances do, but for rounding; infinite where there is no vector."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric == EUCLIDEAN:
            near = squares - 2 * products
        else:
            near = -products / np.sqrt(squares * length)
            near = np.where((squares > 0) & (length > 0), near, 0.0).astype(np.float32)
    return np.where(np.isfinite(squares), near, np.inf).astype(np.float32)


def _room(squares: Float, length: float, metric: str, width: int) -> float:
    """Return by how much two of the numbers of `_near` may be off together, by the rounding of float32 products."""
    slack = 2.0 * (width + 2) * float(np.finfo(np.float32).eps)
    if metric == COSINE:
        return 2 * slack
    most = float(squares.max(where=np.isfinite(squares), initial=0.0))
    return slack * (2 * np.sqrt(most * max(length, 0.0)) + most)


def _candidates(near: Float, keep: int, room: float) -> Int:
    """Return the rows that may be among the `keep` nearest where two numbers may be off by `room` together."""
    if keep >= len(near):
        return np.flatnonzero(np.isfinite(near)).astype(np.int64)
    edge = float(np.partition(near, keep - 1)[keep - 1])
    if not np.isfinite(edge):
        return np.flatnonzero(np.isfinite(near)).astype(np.int64)
    return np.flatnonzero(near <= edge + room).astype(np.int64)


def _joined(pieces: Sequence[tuple[int, NDArray[Any]]]) -> list[tuple[int, Float]]:
    """Join pieces that follow each other, and split those that are longer than `CHUNK` rows."""
    found: list[tuple[int, Float]] = []
    group: list[NDArray[Any]] = []
    begin = 0
    for first, piece in sorted(pieces, key=lambda each: each[0]):
        rows = sum(map(len, group))
        if group and (first != begin + rows or rows + len(piece) > CHUNK):
            found.append((begin, np.concatenate(group)))
            group = []
        if not group:
            begin = first
        group.append(np.asarray(piece, np.float32))
    if group:
        found.append((begin, np.concatenate(group) if len(group) > 1 else group[0]))
    return [
        (first + at, piece[at : at + CHUNK]) for first, piece in found for at in range(0, max(len(piece), 1), CHUNK)
    ]
