"""Input x gradient: the contribution of each pixel to the score if the network were linear."""

from __future__ import annotations

from dataclasses import dataclass

from models.attributions import gradients
from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.target import TargetParams


@dataclass(frozen=True)
class Params(TargetParams):
    """A target."""


@attribution(
    id="input_x_gradient",
    title="Input x gradient",
    help="What each pixel adds to the score, were the network linear: its normalised value times the gradient.",
    cite="Shrikumar et al. 2016.",
    params=Params,
    verdict=gradients.verdict,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return input times gradient (h, w), summed over colour channels.

    Completeness does not hold in general: the sum equals the score only for ReLU networks without biases.
    """
    values = (probe.subject.input * gradients.of_input(probe)).sum(1)[0]
    return Heatmap(values.cpu().numpy(), probe.subject.extent)
