"""Analysis of one picture by a VAE: its posterior, its reconstruction, and the terms of the evidence lower bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from models.latent.generative_model import colours
from models.latent.likelihood_bounds import LIKELIHOODS, Bounds, Likelihood, Observation, bounds
from models.latent.typicality import norm_band, percentile
from models.types import Float, Pixels, Refusal

OWN = "own"
OWN_PICTURES, OWN_ERRORS = 32, 128
FAR = 10.0  # times the largest KL divergence among the model's own pictures
LEAST_NATS, LEAST_VARIANCE = 10.0, 1e-4
OUTSIDE = "This picture is unlike those the model was trained on"
MEANINGLESS = "The numbers say nothing about it."


@dataclass(frozen=True)
class Encoded:
    """A picture with its posterior and its reconstruction.

    `x` (1, C, h, w) from 0 to 1 at the model's size, the posterior's `mu` and `logvar` (1, D), `decoded` (1, C, h, w)
    from mu, and `note`, a sentence on how the picture was changed to fit the model.
    """

    x: Tensor
    mu: Tensor
    logvar: Tensor
    decoded: Tensor
    note: str

    @property
    def arrays(self) -> dict[str, Any]:
        """The picture, its reconstruction (h, w, 3), the difference (h, w) averaged over the channels, and the code."""
        difference = (self.decoded - self.x)[0].mean(0)
        return {
            "target": colours(self.x)[0],
            "picture": colours(self.decoded)[0],
            "residual": difference.float().cpu().numpy(),
            "code": self.mu[0].float().cpu().numpy(),
            "mu": self.mu[0].float().cpu().numpy(),
            "sigma": (0.5 * self.logvar[0]).exp().float().cpu().numpy(),
        }


def encode(model: Any, pixels: Pixels) -> Encoded:
    """Return the encoding of a picture (H, W, 3). Raises Refusal when the encoder returns NaN or infinity."""
    x, note = model.input(pixels)
    mu, logvar = model.encode(x)
    if not bool(torch.isfinite(mu).all() and torch.isfinite(logvar).all()):
        raise Refusal("The encoder's output is not a number (NaN or infinite).", advice="Look at its weights.")
    return Encoded(x, mu, logvar, model.decode(mu), note)


def outside(model: Any, encoded: Encoded, stages: Any) -> tuple[str, bool]:
    """Return a warning that the picture is unlike the training data, or "", and whether its code is far from the prior.

    A picture counts as unlike the training data if its reconstruction error is at least its own variance (a flat tone
    would do as well), or if the KL divergence of its posterior exceeds FAR times the largest one found for pictures
    that the model generated itself.
    """
    bounds = []
    lost = float((encoded.decoded - encoded.x).square().mean())
    flat = float(encoded.x.var(unbiased=False))
    if lost >= max(flat, LEAST_VARIANCE):
        bounds.append("its reconstruction is not closer to it than a flat tone")
    kl = float(_divergence(encoded.mu, encoded.logvar))
    usual = stages.run("divergence of own pictures", lambda: _usual(model, encoded))
    far = not kl <= FAR * usual
    if far:
        bounds.append(
            f"its code is {kl:.3g} nats from the prior, those of the model's own pictures at most {usual:.3g}"
        )
    return (f"{OUTSIDE}: {', and '.join(bounds)}. {MEANINGLESS}" if bounds else ""), far


def typical(model: Any, encoded: Encoded, stages: Any) -> str:
    """Return a sentence on how the picture's code and its reconstruction error compare with the model's own.

    The length of the code is compared with those of the prior, if that is normal, and the mean squared error with those
    of pictures that the model draws and reconstructs itself.
    """
    size = encoded.mu.shape[1]
    length = float(encoded.mu.double().norm())
    bounds = []
    if all(block.kind == "gaussian" for block in model.space.blocks):
        low, high = norm_band(size)
        bounds.append(f"Its code is {length:.1f} long; of codes of the prior 95 % are {low:.1f} to {high:.1f} long.")
    lost = float((encoded.decoded - encoded.x).square().mean())
    own = stages.run("errors of own pictures", lambda: _errors(model, encoded))
    share = percentile(lost, own)
    bounds.append(
        f"Its reconstruction error, {lost:.2g}, is above that of {share:.0f} % of {len(own)} pictures that the model "
        f"drew itself (at most {float(own.max()):.2g})."
    )
    return " ".join(bounds)


def _errors(model: Any, encoded: Encoded) -> Float:
    """Return the mean squared errors (N,) of pictures decoded from the prior, encoded and decoded again."""
    drawn = torch.randn(OWN_ERRORS, encoded.mu.shape[1], generator=torch.Generator().manual_seed(0))
    made = model.decode(drawn.to(encoded.mu)).clamp(0, 1)
    again = model.decode(model.encode(made)[0])
    return (again - made).square().flatten(1).mean(1).float().cpu().numpy()


def _usual(model: Any, encoded: Encoded) -> float:
    """Return the largest KL divergence, in nats, of pictures decoded from the prior and encoded again."""
    drawn = torch.randn(OWN_PICTURES, encoded.mu.shape[1], generator=torch.Generator().manual_seed(0))
    mu, logvar = model.encode(model.decode(drawn.to(encoded.mu)).clamp(0, 1))
    found = _divergence(mu, logvar)
    found = found[torch.isfinite(found)]
    return max(float(found.max()) if len(found) else 0.0, LEAST_NATS)


def _divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """Return KL(q || N(0, 1)) (N,) in nats, in double precision."""
    mu, logvar = mu.double(), logvar.double()
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)


def observation(model: Any, likelihood: str, sigma: float) -> Observation:
    """Return the observation model asked for, or the model's own. Raises Refusal for an unknown likelihood."""
    name = model.likelihood if likelihood == OWN else likelihood
    if name not in LIKELIHOODS:
        raise Refusal(f"The likelihood {name!r} is not known.", advice=f"Choose {' or '.join(LIKELIHOODS)}.")
    return Observation(cast(Likelihood, name), model.sigma if likelihood == OWN else sigma)


def bounded(model: Any, encoded: Encoded, seen: Observation, *, samples: int, seed: int) -> Bounds:
    """Return the bounds of one picture. A gaussian likelihood uses the decoder's own value range, Bernoulli 0 to 1."""
    plain = seen.likelihood == "bernoulli"

    def decode(codes: Tensor) -> Tensor:
        return model.decode(codes) if plain else model.generate(codes)

    x = encoded.x if plain else model.feed(encoded.x)
    return bounds(x, encoded.mu, encoded.logvar, decode, observation=seen, samples=samples, seed=seed)
