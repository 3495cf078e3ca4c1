"""Layer-CAM: a layer's activations times their positive gradients, position by position; suits early layers. Signed."""

from __future__ import annotations

from dataclasses import dataclass

from models.attributions import class_activation
from models.attributions.attribution import Heatmap, LayerParams, Probe, attribution


@dataclass(frozen=True)
class Params(LayerParams):
    """A target and a layer."""


@attribution(
    id="layer_cam",
    title="Layer-CAM",
    help="Where more of the layer's activation would raise the target: activations times their positive gradient.",
    cite="Jiang et al. 2021.",
    params=Params,
    verdict=class_activation.verdict,
    group="Class activation maps",
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) at the layer's own resolution (equations 5 and 6, without the ReLU)."""
    found = class_activation.evidence(probe, params.layer)
    return class_activation.heatmap(probe, found, (found.gradient.relu() * found.activation).sum(0))
