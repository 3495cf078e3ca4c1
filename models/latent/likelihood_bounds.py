"""Terms of a VAE's likelihood bounds: KL per dimension, reconstruction likelihoods, ELBO and IWAE. All in nats.

Pictures are (N, ...) in the decoder's own range, one row each. The training loss is not used, because published losses
mix means and sums, weights and signs. Kingma & Welling 2014 (1312.6114); Burda et al. 2016 (1509.00519).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from models.types import Refusal

Likelihood = Literal["bernoulli", "gaussian"]
LIKELIHOODS: tuple[Likelihood, ...] = ("bernoulli", "gaussian")

BATCH = 256
ZERO_ONE = 1e-4  # tolerance for rounding outside 0 to 1


@dataclass(frozen=True)
class Observation:
    """The observation model p(x | z): how a picture is distributed around the decoder's output.

    "bernoulli": the negative binary cross-entropy of values in 0 to 1; the decoder returns probabilities or, with
    `logits`, their logits. For pixels other than 0 and 1 it is not a normalised density (Loaiza-Ganem & Cunningham
    2019, 1907.06845). "gaussian": the density of N(decoded, sigma²) per value, normalised; it depends on the value
    range.
    """

    likelihood: Likelihood = "bernoulli"
    sigma: float = 1.0
    logits: bool = False

    def log(self, picture: Tensor, decoded: Tensor) -> Tensor:
        """Return log p(x | z) (...) per value of the pictures. Raises Refusal for values outside 0 to 1.

        The logarithm of a probability of exactly 0 or 1 is clamped to -100, as PyTorch does.
        """
        if self.likelihood == "gaussian":
            return -0.5 * ((picture - decoded) / self.sigma) ** 2 - math.log(self.sigma) - 0.5 * math.log(2 * math.pi)
        _zero_to_one(picture, "picture")
        target = picture.clamp(0, 1).expand_as(decoded)
        if self.logits:
            return -functional.binary_cross_entropy_with_logits(decoded, target, reduction="none")
        _zero_to_one(decoded, "decoder's output")
        return -functional.binary_cross_entropy(decoded.clamp(0, 1), target, reduction="none")

    def total(self, picture: Tensor, decoded: Tensor) -> Tensor:
        """Return log p(x | z) (N,) per picture, summed in double precision."""
        return self.log(picture, decoded).flatten(1).sum(1, dtype=torch.float64)


def kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """Return the KL divergence of N(mu, exp(logvar)) from N(0, 1) per picture and dimension, (N, D)."""
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar)


@dataclass(frozen=True)
class Bounds:
    """Bounds of N pictures from K posterior samples, in nats; double precision.

    `rec` (N,) is the mean of log p(x | z_k); `kl` (N, D) in closed form; `iwae` (N,) the importance-weighted bound;
    `ess` (N,) the effective sample size, 1 / sum of squared normalised weights: near 1 a single sample dominates and
    the bound is loose.
    """

    rec: Tensor
    kl: Tensor
    iwae: Tensor
    ess: Tensor

    @property
    def elbo(self) -> Tensor:
        """The evidence lower bound (N,)."""
        return self.rec - self.kl.sum(1)


def bounds(
    picture: Tensor,
    mu: Tensor,
    logvar: Tensor,
    decode: Callable[[Tensor], Tensor],
    *,
    observation: Observation,
    samples: int,
    seed: int = 0,
    batch: int = BATCH,
) -> Bounds:
    """Return the ELBO and the IWAE bound of pictures (N, ...), from K samples of their posteriors.

    The posteriors are N(mu, exp(logvar)), each (N, D). The noise is drawn on the CPU, so results are the same on every
    device and for every `batch`, the number of codes decoded at once. Both are lower bounds of log p(x); the IWAE bound
    approaches it as K grows (Burda et al., theorem 1).
    """
    generator = torch.Generator().manual_seed(seed)
    deviation, log_p, log_w = (0.5 * logvar).exp(), [], []
    group = max(1, batch // samples)
    for start in range(0, len(mu), group):
        rows = slice(start, start + group)
        # One draw per row, so that the noise does not depend on how rows are grouped.
        noise = torch.stack([torch.randn(samples, mu.shape[1], generator=generator) for _ in mu[rows]]).to(mu)
        codes = mu[rows, None] + deviation[rows, None] * noise
        whose = torch.arange(len(codes), device=mu.device).repeat_interleave(samples)
        parts = zip(codes.flatten(0, 1).split(batch), whose.split(batch), strict=True)
        found = torch.cat([observation.total(picture[rows][row], decode(code)) for code, row in parts])
        log_p.append(found.view(len(codes), samples))
        # log p(z) - log q(z | x) for z = mu + sigma noise; the constants cancel.
        ratio = 0.5 * (noise.double() ** 2 - codes.double() ** 2 + logvar[rows, None].double())
        log_w.append(log_p[-1] + ratio.sum(2))
    weight = torch.cat(log_w)
    share = weight.softmax(1)
    iwae = weight.logsumexp(1) - math.log(samples)
    return Bounds(torch.cat(log_p).mean(1), kl(mu.double(), logvar.double()), iwae, 1 / (share**2).sum(1))


def bits_per_dim(nats: float, values: int) -> float:
    """Convert a log-likelihood or bound in nats to bits per value, for a picture of `values` values.

    Lower is better. With a gaussian likelihood it comes from a density, so it depends on the range and may be negative.
    """
    return -nats / (values * math.log(2))


def _zero_to_one(values: Tensor, what: str) -> None:
    low, high = float(values.detach().min()), float(values.detach().max())
    if not (low >= -ZERO_ONE and high <= 1 + ZERO_ONE):
        message = f"The Bernoulli likelihood needs values from 0 to 1; the {what} has {low:.3g} to {high:.3g}."
        raise Refusal(message, advice="Choose the gaussian likelihood, or set the output's range.")
