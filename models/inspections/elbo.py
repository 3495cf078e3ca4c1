"""ELBO: the terms of a VAE's bound on the log-likelihood of an image, in nats.

Arrays of the Result: those of `reconstruct`, and `kl` (D,) the divergence of each dimension from the prior.

Meta: `rec` the mean log-likelihood over the posterior's samples, `kl_total`, `elbo` = rec - kl_total, `iwae` the
importance-weighted bound of `samples` samples with its effective sample size `ess`, `bits_per_value` of that bound, the
`likelihood` and, for a Gaussian, its `sigma`. `outside` explains that the image is unlike those the model was made for,
so that the numbers mean nothing; `far` that the code is unlike the prior's. Both are "" otherwise. `typical` says how
long the code is beside those of the prior, and at which percentile of the model's own pictures the error is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.inspection import Inspection
from models.latent import anatomy
from models.latent.likelihood_bounds import bits_per_dim
from models.params import param
from models.types import Pixels, Result


@dataclass(frozen=True)
class Params:
    """The number of samples, and the likelihood."""

    samples: int = param(
        64, "Samples", "Samples of the posterior; the IWAE bound rises with their number.", low=1, high=4096, step=1
    )
    seed: int = param(0, "Seed", "The same seed draws the same samples.", high=999_999_999, step=1)
    likelihood: str = param(
        anatomy.OWN,
        "Likelihood",
        "How a picture is distributed around the decoded one: as the model's card says, or otherwise.",
        choices=(anatomy.OWN, "bernoulli", "gaussian"),
        titles=("The model's", "Bernoulli", "Gaussian"),
    )
    sigma: float = param(
        1.0,
        "Sigma",
        "Standard deviation of the Gaussian, in the decoder's range.",
        low=0.01,
        high=10.0,
        only=("likelihood", "gaussian"),
    )


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the terms of the bound. Raises Refusal for a NaN or infinite code, or an unsuitable likelihood."""
    seen = anatomy.observation(model, params.likelihood, params.sigma)
    found = stages.time("encode", lambda: anatomy.encode(model, pixels))
    stages.progress(None, "sample the posterior")
    bounds = anatomy.bounded(model, found, seen, samples=params.samples, seed=params.seed)
    kl = bounds.kl[0].float().cpu().numpy()
    elbo, iwae = float(bounds.elbo[0]), float(bounds.iwae[0])
    outside, far = anatomy.outside(model, found, stages)
    meta = {
        "kind": "latent",
        "rec": float(bounds.rec[0]),
        "kl_total": float(bounds.kl[0].sum()),
        "elbo": elbo,
        "iwae": iwae,
        "samples": params.samples,
        "ess": float(bounds.ess[0]),
        "bits_per_value": bits_per_dim(iwae, found.x[0].numel()),
        "likelihood": seen.likelihood,
        "note": found.note,
        "outside": outside,
        "far": far,
        "typical": anatomy.typical(model, found, stages),
    }
    if seen.likelihood == "gaussian":
        meta["sigma"] = seen.sigma
    return Result({**found.arrays, "kl": kl}, meta)


INSPECTION = Inspection(
    id="elbo",
    title="Bound on the likelihood",
    help="Reconstruction term, KL divergence by dimension, ELBO and importance-weighted bound of a picture.",
    needs=("Generates", "Encodes"),
    params=Params,
    answer=answer,
)
