"""Saliency: how much the score changes with each pixel, the largest of the three colours' absolute gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from models.attribution import Heatmap, Probe, attribution
from models.target import TargetParams


@dataclass(frozen=True)
class Params(TargetParams):
    """A target."""


@attribution(
    id="saliency",
    title="Saliency",
    help="How strongly each pixel could change the score: the absolute gradient.",
    cite="Simonyan et al. 2013.",
    params=Params,
    signed=False,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the absolute gradient (h, w), the largest over colours."""
    x = probe.subject.input.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(probe.of(x).sum(), x)
    return Heatmap(gradient.abs().amax(1)[0].cpu().numpy(), probe.subject.extent)
