"""Layer conductance: how much of integrated gradients flows through each unit of a layer.

captum's: the gradient at the layer times the layer's change from step to step, summed along the path of the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.captum_passes import GROUP, PathParams, on_layer, verdict


@dataclass(frozen=True)
class Params(PathParams):
    """A target, a layer and the path."""


@attribution(
    id="layer_conductance",
    title="Layer conductance",
    help="What flows through each place of a layer on the way from a baseline; behind it nothing else is left out.",
    cite="Dhamdhere et al. 2018; Shrikumar et al. 2018.",
    params=Params,
    verdict=verdict,
    group=GROUP,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) at the layer's own resolution, summed over channels, with its completeness error."""
    import captum.attr

    def conductance(run: Any, tap: Any, start: Tensor, batch: int) -> Tensor:
        method: Any = captum.attr.LayerConductance(run, tap)
        given = {"n_steps": params.steps, "internal_batch_size": batch}
        return method.attribute(probe.subject.input.detach().clone(), start, **given)

    return on_layer(probe, params, "Layer conductance", conductance, full=True)
