"""GradientSHAP: expected gradients, the gradient times the way from a baseline, at random points of noisy paths.

captum's: each sample takes a baseline at random, a point at random on the way from it to the picture with noise added,
and the gradient there times that way. Its average estimates Shapley values if the network is nearly linear on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.attributions import gradients
from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.captum_passes import drawing, forward
from models.attributions.perturbation import BASELINES, baseline
from models.attributions.target import TargetParams
from models.params import param
from models.subject import Subject

EVERY = "all"


@dataclass(frozen=True)
class Params(TargetParams):
    """A target, the baselines that are drawn from, and the noise."""

    baselines: str = param(
        EVERY,
        "Baselines",
        "What stands for no picture; with all of them each sample draws one.",
        choices=(EVERY, *BASELINES),
        titles=("All of them", "Black", "Mean colour", "Blurred picture"),
    )
    sigma: float = param(
        0.09,
        "Noise",
        "Standard deviation of the noise, as a share of the range of the picture's values.",
        low=0.0,
        high=1.0,
        step=0.01,
    )
    samples: int = param(32, "Samples", "How many noisy points are averaged.", low=1, high=512, step=1)
    seed: int = param(0, "Seed", "The same seed draws the same points.", low=0, high=9999, step=1)


@attribution(
    id="gradient_shap",
    title="GradientSHAP",
    help="What each pixel adds on the way from several baselines, averaged over random points of noisy ways.",
    cite="Lundberg and Lee 2017; Erion et al. 2021.",
    params=Params,
    verdict=gradients.verdict,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w), summed over colour channels; `delta` tells how far its sum is from the mean promise."""
    import captum.attr

    subject = probe.subject
    starts = _starts(subject, params.baselines)
    spread = params.sigma * float(subject.input.max() - subject.input.min())

    def make() -> Tensor:
        with drawing(params.seed):
            method: Any = captum.attr.GradientShap(forward(probe, f"GradientSHAP: {params.samples} samples"))
            x = subject.input.detach().clone()
            return method.attribute(x, baselines=starts, n_samples=params.samples, stdevs=spread).detach()

    key = (subject.key, probe.target.plus, probe.target.minus, params.baselines, spread, params.samples, params.seed)
    found = probe.stages.run("gradient shap", make, *key)
    with torch.no_grad():
        promised = probe.score - float(torch.cat([probe.of(start[None]) for start in starts]).mean())
    delta = abs(float(found.sum()) - promised) / max(abs(promised), 1e-12)
    more = {"samples": params.samples, "baseline": params.baselines, "promised": promised}
    return Heatmap(found.sum(1)[0].float().cpu().numpy(), subject.extent, delta, more)


def _starts(subject: Subject, names: str) -> Tensor:
    """Return the baselines (B, 3, h, w) that samples draw from."""
    chosen = BASELINES if names == EVERY else (names,)
    return torch.cat([baseline(subject, name).detach() for name in chosen])
