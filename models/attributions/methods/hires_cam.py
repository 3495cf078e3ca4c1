"""HiRes-CAM: a layer's activations times their gradients, position by position, summed over channels. Signed."""

from __future__ import annotations

from dataclasses import dataclass

from models.attributions import class_activation
from models.attributions.attribution import Heatmap, LayerParams, Probe, attribution


@dataclass(frozen=True)
class Params(LayerParams):
    """A target and a layer."""


@attribution(
    id="hires_cam",
    title="HiRes-CAM",
    help="Where the layer itself speaks for the target: activations times their own gradient, place by place.",
    cite="Draelos and Carin 2020.",
    params=Params,
    verdict=class_activation.verdict,
    group="Class activation maps",
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) at the layer's own resolution (section 3.3, without the ReLU)."""
    found = class_activation.evidence(probe, params.layer)
    return class_activation.heatmap(probe, found, (found.gradient * found.activation).sum(0))
