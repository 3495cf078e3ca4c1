"""Internal influence: the gradient at a layer, averaged along the path from a baseline to the picture.

captum's. It is not multiplied by the layer's values, so it does not add up to the score.
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
    id="internal_influence",
    title="Internal influence",
    help="How strongly each place of a layer could change the score, averaged on the way from a baseline.",
    cite="Leino et al. 2018.",
    params=Params,
    verdict=verdict,
    group=GROUP,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) at the layer's own resolution, summed over channels."""
    import captum.attr

    def influence(run: Any, tap: Any, start: Tensor, batch: int) -> Tensor:
        method: Any = captum.attr.InternalInfluence(run, tap)
        given = {"n_steps": params.steps, "internal_batch_size": batch}
        return method.attribute(probe.subject.input.detach().clone(), start, **given)

    return on_layer(probe, params, "Internal influence", influence, full=False)
