"""Grad-CAM++: a layer's channels, weighted by their positive gradients at the positions that matter most. Signed."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from models.attributions import class_activation
from models.attributions.attribution import Heatmap, LayerParams, Probe, attribution


@dataclass(frozen=True)
class Params(LayerParams):
    """A target and a layer."""


@attribution(
    id="grad_cam_pp",
    title="Grad-CAM++",
    help="Grad-CAM with weights that keep small and repeated objects, from positive gradients alone.",
    cite="Chattopadhay et al. 2018.",
    params=Params,
    verdict=class_activation.verdict,
    group="Class activation maps",
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) at the layer's own resolution (equations 10 and 19, for the exponential of the score)."""
    found = class_activation.evidence(probe, params.layer)
    gradient, activation = found.gradient, found.activation
    square = gradient.square()
    # The exponential of the score cancels in the weights; it would only scale the whole map.
    below = 2 * square + activation.sum((1, 2), keepdim=True) * square * gradient
    alpha = torch.where(below == 0, 0, square / below)
    weights = (alpha * gradient.relu()).sum((1, 2))
    return class_activation.heatmap(probe, found, (weights[:, None, None] * activation).sum(0))
