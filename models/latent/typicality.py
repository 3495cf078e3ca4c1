"""How usual a code or a score is: the lengths that N(0, I) has, and where a value lies in a sample. Numpy at most."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

SHARE = 0.95
TERMS = 10_000
PRECISION = 1e-12


def norm_band(size: int, *, share: float = SHARE) -> tuple[float, float]:
    """Return the lengths between which the central `share` of z ~ N(0, I) lies: quantiles of the chi distribution."""
    return norm_quantile(size, (1 - share) / 2), norm_quantile(size, (1 + share) / 2)


def norm_quantile(size: int, share: float) -> float:
    """Return the length that `share` of z ~ N(0, I) do not reach, by bisection."""
    low, high = 0.0, math.sqrt(size) + 40.0
    while high - low > PRECISION * high:
        middle = (low + high) / 2
        low, high = (middle, high) if norm_share(size, middle) < share else (low, middle)
    return (low + high) / 2


def norm_share(size: int, length: float) -> float:
    """Return the share of z ~ N(0, I) that are shorter than `length`: P(D / 2, length² / 2).

    The regularised incomplete gamma function by its power series (Abramowitz & Stegun 6.5.29), all terms positive.
    """
    a, x = size / 2, length**2 / 2
    if x == 0:
        return 0.0
    if x > a + 40 * math.sqrt(a) + 800:
        return 1.0
    term = total = 1 / a
    for k in range(1, TERMS):
        term *= x / (a + k)
        total += term
        if term < total * 1e-17:
            break
    return min(1.0, total * math.exp(a * math.log(x) - x - math.lgamma(a)))


def percentile(value: float, sample: ArrayLike) -> float:
    """Return which percent of a sample (N,) lie below a value, those equal to it counted half. 50 for an empty one."""
    found = np.asarray(sample)
    if found.size == 0:
        return 50.0
    return 100 * float((found < value).mean() + (found == value).mean() / 2)
