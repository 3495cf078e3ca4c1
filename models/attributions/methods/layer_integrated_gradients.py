"""Layer integrated gradients: integrated gradients with a layer's activations in the place of the pixels.

captum's: the path leads from the layer's values for the baseline straight to those for the picture.
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
    id="layer_integrated_gradients",
    title="Layer integrated gradients",
    help="What each place of a layer adds when its values go straight from those of a baseline to the picture's.",
    cite="Sundararajan et al. 2017; Kokhlikyan et al. 2020.",
    params=Params,
    verdict=verdict,
    group=GROUP,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) at the layer's own resolution, summed over channels, with its completeness error."""
    import captum.attr

    def integrated(run: Any, tap: Any, start: Tensor, batch: int) -> Tensor:
        method: Any = captum.attr.LayerIntegratedGradients(run, tap)
        given = {"n_steps": params.steps, "internal_batch_size": batch}
        found: Any = method.attribute(probe.subject.input.detach().clone(), start, **given)
        return found

    return on_layer(probe, params, "Layer integrated gradients", integrated, full=True)
