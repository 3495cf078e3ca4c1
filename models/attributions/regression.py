"""Weighted least squares, with an L2 penalty or a sum constraint, as fitted by LIME and KernelSHAP."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


def ridge(z: Array, y: Array, weights: Array, *, penalty: float) -> tuple[Array, float]:
    """Return the slopes (M,) and intercept of a weighted ridge regression of y (n,) on z (n, M).

    The intercept is not penalised.
    """
    total = weights.sum()
    z_mean, y_mean = weights @ z / total, weights @ y / total
    centred = z - z_mean
    normal = (centred.T * weights) @ centred + penalty * np.eye(z.shape[1])
    slopes = np.linalg.solve(normal, (centred.T * weights) @ (y - y_mean))
    return slopes, float(y_mean - z_mean @ slopes)


def complete(z: Array, y: Array, weights: Array, *, total: float) -> Array:
    """Return the slopes (M,) of a weighted regression of y (n,) on z (n, M) that sum to `total`, without intercept."""
    last = z[:, -1:]
    root = np.sqrt(weights)
    slopes: Array = np.linalg.lstsq((z[:, :-1] - last) * root[:, None], (y - last[:, 0] * total) * root, rcond=None)[0]
    return np.append(slopes, total - slopes.sum())


def explained(y: Array, fitted: Array, weights: Array) -> float:
    """Return the weighted R² of a fit to y (n,); 1 if y is constant."""
    rest = (weights * (y - fitted) ** 2).sum()
    whole = (weights * (y - weights @ y / weights.sum()) ** 2).sum()
    return float(1 - rest / whole) if whole > 0 else 1.0
