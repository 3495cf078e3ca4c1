"""SmoothGrad: the gradient averaged over noisy copies of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.attributions import gradients
from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.target import TargetParams
from models.params import param


@dataclass(frozen=True)
class Params(TargetParams):
    """A target, and the noise."""

    sigma: float = param(
        0.15,
        "Noise",
        "Standard deviation of the noise, as a share of the range of the picture's values.",
        low=0.0,
        high=1.0,
        step=0.01,
    )
    samples: int = param(32, "Samples", "How many noisy copies are averaged.", low=1, high=512, step=1)
    seed: int = param(0, "Seed", "The same seed draws the same noise.", low=0, high=9999, step=1)


@attribution(
    id="smooth_grad",
    title="SmoothGrad",
    help="The gradient with its flicker averaged out over noisy copies of the picture.",
    cite="Smilkov et al. 2017.",
    params=Params,
    verdict=gradients.verdict,
    signed=False,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the absolute mean gradient (h, w), the maximum over colour channels (section 3)."""
    x = probe.subject.input
    spread = params.sigma * float(x.max() - x.min())
    # Drawn on the CPU and one at a time, so that a seed gives the same noise on every device and for every batch size.
    generator = torch.Generator().manual_seed(params.seed)
    total, batch = torch.zeros_like(x), gradients.batch_of(probe.subject)
    for done in range(0, params.samples, batch):
        probe.stages.progress(done / params.samples, f"{done} of {params.samples} samples")
        noise = [_noise(x, generator) for _ in range(min(batch, params.samples - done))]
        total += gradients.at(probe, x + spread * torch.cat(noise))[0].sum(0)
    return Heatmap((total / params.samples).abs().amax(1)[0].cpu().numpy(), probe.subject.extent)


def _noise(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator).to(x)
