"""Guided backpropagation: the gradient; each ReLU passes back only positive values, and only where it was active."""

from __future__ import annotations

from dataclasses import dataclass

from models.attributions import guided_relu
from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.target import TargetParams


@dataclass(frozen=True)
class Params(TargetParams):
    """A target."""


@attribution(
    id="guided_backprop",
    title="Guided backpropagation",
    help=f"Fine detail that excites the network on the way to the target. {guided_relu.CAUTION}",
    cite="Springenberg et al. 2015.",
    params=Params,
    verdict=guided_relu.verdict,
    signed=False,
    group="Guided",
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the absolute guided gradient (h, w), the maximum over colour channels."""
    values = guided_relu.gradient(probe, "guided").abs().amax(1)[0]
    return Heatmap(values.cpu().numpy(), probe.subject.extent, more={"caution": guided_relu.CAUTION})
