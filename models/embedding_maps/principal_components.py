"""Principal components of many vectors, by blocks: the axes, the variance along each, and its share of all variance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.nearest import COSINE, Vectors
from models.types import Float, Int, Refusal

EXACT_WIDTH = 1024  # up to so many values or pictures, the axes are those of an eigenvalue decomposition
MORE, ROUNDS = 10, 100  # axes more than wanted, and rounds at most, of the iteration for wider vectors
SETTLED = 1e-5  # of the largest variance: how far the first two axes may still be from their image
BLOCK = 4096  # rows
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Components:
    """K axes (K, D) of unit length, the variance (K,) along each, largest first, and the `mean` (D,).

    `total` is the variance along all axes together, `pictures` how many vectors they are from. `unit` says that
    vectors are brought to length 1 first, so that distances follow the cosine.
    """

    axes: Double
    variances: Double
    mean: Double
    total: float
    pictures: int
    unit: bool

    @property
    def shares(self) -> Double:
        """The share of all variance along each axis."""
        return self.variances / self.total

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.axes.nbytes

    def first(self, count: int) -> Components:
        """Return the first components alone."""
        return replace(self, axes=self.axes[:count], variances=self.variances[:count])

    def place(self, vectors: Float) -> Double:
        """Return the coordinates (N, K) of vectors (N, D)."""
        return (scaled(vectors, unit=self.unit) - self.mean) @ self.axes.T


def fit(vectors: Vectors, rows: Int, *, count: int, metric: str) -> Components:
    """Return the first `count` components, or as many as there are, of the vectors in `rows`.

    Raises Refusal if all of them are the same, or there is one alone.
    """
    unit = metric == COSINE
    mean, number = np.zeros(vectors.width), len(rows)
    for block in _blocks(vectors, rows, unit=unit):
        mean += block.sum(0)
    mean /= max(number, 1)
    total = sum(float(((block - mean) ** 2).sum()) for block in _blocks(vectors, rows, unit=unit))
    largest = float(np.abs(mean).max(initial=0.0))
    if total <= number * vectors.width * (1e-7 * largest) ** 2:
        raise Refusal(
            "All pictures have the same vector in this layer, so there is nothing to place.",
            advice="Choose another layer, or another data set.",
        )
    count = min(count, vectors.width, number - 1)
    if min(vectors.width, number) <= EXACT_WIDTH:
        axes, variances = _exact(vectors, rows, mean, count, unit=unit)
    else:
        axes, variances = _iterated(vectors, rows, mean, count, unit=unit)
    strongest = np.abs(axes).argmax(1)  # the sign is free: the strongest value of an axis is positive
    axes *= np.sign(axes[np.arange(len(axes)), strongest])[:, None]
    return Components(axes, variances / number, mean, total / number, number, unit)


def scaled(vectors: Float, *, unit: bool) -> Double:
    """Return vectors (N, D) in float64, with `unit` of length 1; one of zeros stays as it is."""
    found = np.asarray(vectors, np.float64)
    if not unit:
        return found
    return found / np.maximum(np.sqrt((found**2).sum(1, keepdims=True)), 1e-300)


def _blocks(vectors: Vectors, rows: Int, *, unit: bool) -> Iterator[Double]:
    for at in range(0, len(rows), BLOCK):
        yield scaled(vectors.rows(rows[at : at + BLOCK]), unit=unit)


def _exact(vectors: Vectors, rows: Int, mean: Double, count: int, *, unit: bool) -> tuple[Double, Double]:
    """Return axes (K, D) and the sums of squares (K,) along them."""
    if vectors.width <= len(rows):
        products = np.zeros((vectors.width, vectors.width))
        for block in _blocks(vectors, rows, unit=unit):
            centred = block - mean
            products += centred.T @ centred
        values, ways = np.linalg.eigh(products)
        return np.ascontiguousarray(ways[:, ::-1].T[:count]), np.maximum(values[::-1][:count], 0.0)
    centred = np.concatenate(list(_blocks(vectors, rows, unit=unit))) - mean
    _, sizes, ways = np.linalg.svd(centred, full_matrices=False)
    return np.ascontiguousarray(ways[:count]), sizes[:count] ** 2


def _iterated(vectors: Vectors, rows: Int, mean: Double, count: int, *, unit: bool) -> tuple[Double, Double]:
    """Return axes and sums of squares by subspace iteration, until the first two axes stand still."""
    wide = min(count + MORE, vectors.width)
    ways = np.linalg.qr(np.random.default_rng(0).standard_normal((vectors.width, wide)))[0].astype(np.float32)
    values: Any = np.zeros(wide)
    kept = [(block - mean).astype(np.float32) for block in _blocks(vectors, rows, unit=unit)]
    for _ in range(ROUNDS):
        made = np.zeros((vectors.width, wide), np.float64)
        for block in kept:
            made += block.T @ (block @ ways)
        values, turn = np.linalg.eigh(ways.astype(np.float64).T @ made)
        values, turn = values[::-1], turn[:, ::-1]
        ways, image = ways @ turn, made @ turn
        away = np.sqrt(((image - ways * values) ** 2).sum(0))[:2]
        if away.max() <= SETTLED * values[0]:
            break
        ways = np.linalg.qr(image)[0].astype(np.float32)
    return np.ascontiguousarray(ways[:, :count].T.astype(np.float64)), np.maximum(values[:count], 0.0)
