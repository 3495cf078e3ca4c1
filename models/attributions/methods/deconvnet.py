"""Deconvnet: the gradient with ReLU applied to the backward signal instead of the mask of the forward pass."""

from __future__ import annotations

from dataclasses import dataclass

from models.attributions import guided_relu
from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.target import TargetParams


@dataclass(frozen=True)
class Params(TargetParams):
    """A target."""


@attribution(
    id="deconvnet",
    title="Deconvnet",
    help=f"What the network's layers, run backwards with rectified signals, make of the target. {guided_relu.CAUTION}",
    cite="Zeiler and Fergus 2014.",
    params=Params,
    verdict=guided_relu.verdict,
    signed=False,
    group="Guided",
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the absolute rectified gradient (h, w), the maximum over colour channels (section 2.1)."""
    values = guided_relu.gradient(probe, "deconvnet").abs().amax(1)[0]
    return Heatmap(values.cpu().numpy(), probe.subject.extent, more={"caution": guided_relu.CAUTION})
