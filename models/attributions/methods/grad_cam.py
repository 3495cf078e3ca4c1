"""Grad-CAM: the sum of a layer's channels, weighted by their mean gradient.

Signed: the paper's final ReLU is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.attributions import class_activation
from models.attributions.attribution import Heatmap, LayerParams, Probe, attribution


@dataclass(frozen=True)
class Params(LayerParams):
    """A target and a layer."""


@attribution(
    id="grad_cam",
    title="Grad-CAM",
    help="Where the layer's channels speak for the target: activations weighed by their mean gradient.",
    cite="Selvaraju et al. 2017.",
    params=Params,
    verdict=class_activation.verdict,
    group="Class activation maps",
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) at the layer's own resolution (equations 1 and 2, without the ReLU)."""
    found = class_activation.evidence(probe, params.layer)
    return class_activation.heatmap(probe, found, class_activation.weighed(found))
