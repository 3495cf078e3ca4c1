"""Priors on a plane, and how far codes are from one: the maximum mean discrepancy with its permutation bound.

The priors are those of adversarial autoencoders (Makhzani et al. 2016, figure 4): a standard normal distribution, a
mixture of ten long gaussians around the origin, and a swiss roll. All use NumPy alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.types import Real

GAUSSIAN, MIXTURE, SWISS_ROLL = "gaussian", "mixture", "swiss_roll"
PRIORS = {GAUSSIAN: "Gaussian", MIXTURE: "Mixture of ten", SWISS_ROLL: "Swiss roll"}
PARTS, AWAY, ALONG, ACROSS = 10, 1.5, 0.5, 0.12  # of the mixture: where its parts lie, and their standard deviations
TURNS, FIRST_TURN, WIDEST, THICK = 1.75, 0.25, 2.5, 0.06  # of the swiss roll: its spiral and its spread
ROLL_STEPS = 400
PERMUTATIONS, LEVEL = 500, 0.95
MOST_FOR_WIDTH = 1000


def sample(prior: str, count: int, rng: np.random.Generator, *, dimensions: int = 2) -> Real:
    """Draw codes (count, D) float32 from a prior by its name. Only the gaussian has other than two dimensions."""
    if prior == MIXTURE:
        angle = 2 * math.pi * rng.integers(PARTS, size=count) / PARTS
        along, across = AWAY + ALONG * rng.standard_normal(count), ACROSS * rng.standard_normal(count)
        at = np.stack([along * np.cos(angle) - across * np.sin(angle), along * np.sin(angle) + across * np.cos(angle)])
        return at.T.astype(np.float32)
    if prior == SWISS_ROLL:
        middle = _spiral(np.sqrt(rng.uniform(size=count)))
        return (middle + THICK * rng.standard_normal((count, 2))).astype(np.float32)
    return rng.standard_normal((count, dimensions)).astype(np.float32)


def density(prior: str, at: Real) -> Real:
    """Return the density (N,) of a prior at places (N, D)."""
    at = at.astype(np.float64)
    if prior == MIXTURE:
        angle = 2 * math.pi * np.arange(PARTS) / PARTS
        along = at[:, :1] * np.cos(angle) + at[:, 1:] * np.sin(angle) - AWAY
        across = -at[:, :1] * np.sin(angle) + at[:, 1:] * np.cos(angle)
        parts = np.exp(-0.5 * ((along / ALONG) ** 2 + (across / ACROSS) ** 2)) / (2 * math.pi * ALONG * ACROSS)
        return parts.mean(1)
    if prior == SWISS_ROLL:
        middles = _spiral(np.sqrt((np.arange(ROLL_STEPS) + 0.5) / ROLL_STEPS))
        squares = ((at[:, None] - middles) ** 2).sum(2)
        return np.exp(-0.5 * squares / THICK**2).mean(1) / (2 * math.pi * THICK**2)
    return np.exp(-0.5 * (at**2).sum(1)) / (2 * math.pi) ** (at.shape[1] / 2)


def _spiral(share: Real) -> Real:
    """Return places (N, 2) on the swiss roll's spiral, at shares of its way."""
    angle = 2 * math.pi * (FIRST_TURN + TURNS * share)
    radius = WIDEST * (FIRST_TURN + TURNS * share) / (FIRST_TURN + TURNS)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


@dataclass(frozen=True)
class Discrepancy:
    """The squared maximum mean discrepancy `mmd`, and the `bound` that 95 of 100 random divisions stay below."""

    mmd: float
    bound: float
    p: float

    @property
    def within(self) -> bool:
        """Whether the two samples may be of one distribution, as far as this test tells."""
        return self.mmd <= self.bound


def discrepancy(
    one: Real, other: Real, *, permutations: int = PERMUTATIONS, level: float = LEVEL, seed: int = 0
) -> Discrepancy:
    """Compare samples (N, D) and (M, D) by their maximum mean discrepancy (Gretton et al. 2012, equation 5, biased).

    The kernel is gaussian with the median distance of the pooled sample as its width. The bound is the quantile of the
    discrepancies when the pooled sample is divided at random, `p` the share of divisions that are at least as large.
    """
    pooled = np.concatenate([one, other]).astype(np.float64)
    squares = ((pooled[:, None] - pooled) ** 2).sum(2)
    few = squares[:: max(1, len(pooled) // MOST_FOR_WIDTH)]
    kernel = np.exp(-squares / max(float(np.median(few[few > 0])) if (few > 0).any() else 1.0, 1e-12))
    weights = np.concatenate([np.full(len(one), 1 / len(one)), np.full(len(other), -1 / len(other))])
    rng = np.random.default_rng(seed)
    shuffled = np.stack([weights, *(rng.permutation(weights) for _ in range(permutations))])
    found = np.maximum(((shuffled @ kernel) * shuffled).sum(1), 0)
    own, others = float(found[0]), found[1:]
    return Discrepancy(own, float(np.quantile(others, level)), float((1 + (others >= own).sum()) / (1 + permutations)))
