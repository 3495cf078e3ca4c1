"""Score-CAM: a layer's channels, each weighted by the score of the picture masked with it. Needs no gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.attributions.attribution import Heatmap, LayerParams, Probe, attribution
from models.attributions.perturbation import Sweep, progress_of, swept
from models.tracing.layers import activations, automatic, call_of
from models.types import Int

FIRST = 5  # the coarse map uses the fifth of the channels that vary most
UNIT = "channels"


@dataclass(frozen=True)
class Params(LayerParams):
    """A target and a layer."""


@attribution(
    id="score_cam",
    title="Score-CAM",
    help="A layer's channels, each weighed by how the network scores the picture seen through it.",
    cite="Wang et al. 2020.",
    params=Params,
    group="Class activation maps",
    gradient=False,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) at the layer's own resolution (algorithm 1, without the ReLU).

    The weights are a softmax over channels, so the score of a baseline picture, which the paper subtracts, cancels.
    """
    subject, stages = probe.subject, probe.stages
    call = call_of(subject, params.layer or automatic(subject, stages), stages, spatial=True)
    planes = activations(subject, call, stages)[0].float()
    columns = probe.scores.shape[1]

    def make() -> Sweep:
        order = planes.flatten(1).std(1).argsort(descending=True, stable=True)
        return Sweep(subject, lambda rows: _through(subject.input, planes, rows), order.cpu().numpy(), columns=columns)

    first = -(-len(planes) // FIRST)
    sweep = swept(stages, "score cam", make, subject.key, call.id, first=first, unit=UNIT)
    rows = np.flatnonzero(sweep.known)
    weights = torch.from_numpy(sweep.of_target(probe.target)[rows]).softmax(0).to(planes.device)
    values = (weights[:, None, None] * planes[torch.from_numpy(rows).to(planes.device)]).sum(0)
    more = {"layer": call.id, **progress_of(sweep, UNIT)}
    return Heatmap(values.cpu().numpy(), subject.extent, more=more, partial=not sweep.complete)


def _through(picture: Tensor, planes: Tensor, rows: Int) -> Tensor:
    """Return the input masked by the given channels (n, 3, h, w), each channel resized to the input and rescaled to
    0..1.
    """
    chosen = planes[torch.from_numpy(rows).to(planes.device)][:, None]
    large = functional.interpolate(chosen, picture.shape[-2:], mode="bilinear", align_corners=False)
    low, high = large.amin((2, 3), keepdim=True), large.amax((2, 3), keepdim=True)
    return picture * ((large - low) / (high - low).clamp(min=1e-8))
