"""The aggregate posterior of an encoder over many pictures: active dimensions and posterior collapse.

Posteriors are given by mu and logvar, (N, D) each, one row per picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.types import Bool

Real = NDArray[np.floating[Any]]
Double = NDArray[np.float64]

ACTIVE = 0.01  # Burda et al. 2016 (1509.00519), section 5.2: variance over pictures of the posterior's mean
WEAK_NATS = 0.1
BAND = (2.5, 97.5)


@dataclass(frozen=True)
class Aggregate:
    """Statistics of the posteriors of N pictures, per dimension (D,).

    `mean` and `variance` of mu over the pictures; `sd` of the aggregate posterior, the mixture of all N gaussians,
    which is 1 where it matches the prior; `noise`, the root of the mean posterior variance; `kl`, the mean divergence
    from N(0, 1) in nats. `norm` is the median length of mu, `band` the interval that holds 95 % of the lengths.
    """

    count: int
    mean: Double
    variance: Double
    sd: Double
    noise: Double
    kl: Double
    norm: float
    band: tuple[float, float]

    @property
    def active(self) -> Bool:
        """Dimensions that vary with the picture, by Burda's criterion."""
        return self.variance > ACTIVE

    @property
    def weak(self) -> Bool:
        """Dimensions with a mean KL below WEAK_NATS, active or not."""
        return self.kl < WEAK_NATS

    @property
    def collapsed(self) -> Bool:
        """Dimensions whose posterior equals the prior for every picture: neither active nor informative."""
        return self.weak & ~self.active

    @property
    def verdict(self) -> str:
        """A summary in words."""
        return _verdict(self)


def aggregate(mu: Real, logvar: Real) -> Aggregate:
    """Aggregate the posteriors of N pictures, mu and logvar (N, D)."""
    means, variances = mu.astype(np.float64), np.exp(logvar.astype(np.float64))
    kl = 0.5 * (means**2 + variances - 1 - logvar).mean(0)
    lengths = np.linalg.norm(means, axis=1)
    low, high = np.percentile(lengths, BAND)
    spread, noise = means.var(0), variances.mean(0)
    middle = float(np.median(lengths))
    both = np.sqrt(spread + noise)
    return Aggregate(len(mu), means.mean(0), spread, both, np.sqrt(noise), kl, middle, (float(low), float(high)))


def _verdict(found: Aggregate) -> str:
    size, total = len(found.kl), float(found.kl.sum())
    lost, weak = int(found.collapsed.sum()), int((found.weak & found.active).sum())
    if lost == size:
        return f"Posterior collapse: all {size} dimensions are the prior, whatever the picture (KL {total:.2g} nats)."
    said = [f"{size - lost} of {size} dimensions are in use, with {total:.1f} nats in all."]
    if lost:
        said.append(f"{_dimensions(lost)} collapsed to the prior.")
    if weak:
        said.append(
            f"{_dimensions(weak)} active by Burda's rule, but {'carry' if weak > 1 else 'carries'} "
            f"less than {WEAK_NATS:g} nats{' each' if weak > 1 else ''}."
        )
    return " ".join(said)


def _dimensions(count: int) -> str:
    return "1 dimension is" if count == 1 else f"{count} dimensions are"
