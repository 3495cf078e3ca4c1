"""Saliency: the absolute gradient of the score at each pixel, the maximum over colour channels."""

from __future__ import annotations

from dataclasses import dataclass

from models.attributions import gradients
from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.target import TargetParams


@dataclass(frozen=True)
class Params(TargetParams):
    """A target."""


@attribution(
    id="saliency",
    title="Saliency",
    help="How strongly each pixel could change the score: the absolute gradient.",
    cite="Simonyan et al. 2013.",
    params=Params,
    verdict=gradients.verdict,
    signed=False,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the absolute gradient (h, w), the maximum over colour channels (section 3.1)."""
    return Heatmap(gradients.of_input(probe).abs().amax(1)[0].cpu().numpy(), probe.subject.extent)
