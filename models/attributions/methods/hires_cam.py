"""HiRes-CAM: a layer's activations times their gradients, place by place, added up over channels. Signed."""

from __future__ import annotations

from dataclasses import dataclass

from models import cam
from models.attribution import Heatmap, LayerParams, Probe, attribution


@dataclass(frozen=True)
class Params(LayerParams):
    """A target and a layer."""


@attribution(
    id="hires_cam",
    title="HiRes-CAM",
    help="Where the layer itself speaks for the target: activations times their own gradient, place by place.",
    cite="Draelos and Carin 2020.",
    params=Params,
    verdict=cam.verdict,
    group="Class activation maps",
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) at the layer's own resolution (section 3.3, without the ReLU)."""
    found = cam.evidence(probe, params.layer)
    return cam.heatmap(probe, found, (found.gradient * found.activation).sum(0))
