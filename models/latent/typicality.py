"""How typical a code or a score is: quantiles of the length of N(0, I), and percentiles within a sample."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from models.types import Float

SAMPLES, SLICE = 256, 64

SHARE = 0.95
TERMS = 10_000
PRECISION = 1e-12


def norm_band(size: int, *, share: float = SHARE) -> tuple[float, float]:
    """Return the interval that holds the central `share` of the lengths of z ~ N(0, I), from the chi distribution."""
    return norm_quantile(size, (1 - share) / 2), norm_quantile(size, (1 + share) / 2)


def norm_quantile(size: int, share: float) -> float:
    """Return the length below which `share` of z ~ N(0, I) lie, by bisection."""
    low, high = 0.0, math.sqrt(size) + 40.0
    while high - low > PRECISION * high:
        middle = (low + high) / 2
        low, high = (middle, high) if norm_share(size, middle) < share else (low, middle)
    return (low + high) / 2


def norm_share(size: int, length: float) -> float:
    """Return the share of z ~ N(0, I) shorter than `length`: P(D / 2, length² / 2).

    P is the regularised incomplete gamma function, computed by its power series (Abramowitz & Stegun 6.5.29), whose
    terms are all positive.
    """
    a, x = size / 2, length**2 / 2
    if x == 0:
        return 0.0
    # So far beyond the mean that the share rounds to 1; the series would need too many terms.
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
    """Return the percentage of a sample (N,) below a value, counting equal ones half; 50 for an empty sample."""
    found = np.asarray(sample)
    if found.size == 0:
        return 50.0
    return 100 * float((found < value).mean() + (found == value).mean() / 2)


def of_samples(model: Any, stages: Any) -> Float:
    """Return the discriminator's logits (SAMPLES,) for the pictures of seeds 0, 1, …, computed once per model."""

    def make() -> Float:
        codes = np.concatenate([model.space.draw(seed) for seed in range(SAMPLES)])
        found = []
        for at in range(0, SAMPLES, SLICE):
            stages.progress(at / SAMPLES, "score samples")
            found.append(model.score(model.decode(model.tensor(codes[at : at + SLICE]))).float().cpu().numpy())
        return np.concatenate(found)

    return stages.run("scores of samples", make)
