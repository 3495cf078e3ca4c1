"""Neuron conductance: how much of integrated gradients flows from each pixel through one channel of a layer.

The sum of captum's over the channel's places, in one backward pass for all of them: the gradient at the channel, taken
back to the pixels from the channel alone, times the way from a baseline to the picture, along that way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.attributions.attribution import Heatmap, Probe, attribution
from models.attributions.captum_passes import (
    GROUP,
    Forward,
    PathParams,
    Tapped,
    drawing,
    fitting,
    forward,
    layer_of,
    verdict,
)
from models.attributions.gradients import batch_of
from models.attributions.perturbation import baseline
from models.params import param
from models.tracing.backward_pass import arriving
from models.tracing.traced_calls import Call
from models.types import Refusal

AUTOMATIC = -1


@dataclass(frozen=True)
class Params(PathParams):
    """A target, a layer, one of its channels, and the path."""

    channel: int = param(
        AUTOMATIC,
        "Channel",
        "A channel of the layer, as clicked in Activations; -1 takes the one that speaks most for the target.",
        low=AUTOMATIC,
        high=100_000,
        step=1,
    )


@attribution(
    id="neuron_conductance",
    title="Neuron conductance",
    help="What each pixel adds to the score by way of one channel of a layer.",
    cite="Dhamdhere et al. 2018; Shrikumar et al. 2018.",
    params=Params,
    verdict=verdict,
    group=GROUP,
)
def attribute(probe: Probe, params: Params) -> Heatmap:
    """Return the map (h, w) in network pixels, summed over colour channels. Raises Refusal for an unknown channel."""
    call = layer_of(probe, params.layer)
    if params.channel >= call.layout.channels:
        raise Refusal(
            f"{call.id} has no channel {params.channel}.", advice=f"It has channels 0 to {call.layout.channels - 1}."
        )
    tapped = Tapped(probe.subject, call)
    channel = params.channel if params.channel != AUTOMATIC else _strongest_channel(probe, call, tapped)
    start = baseline(probe.subject, params.baseline)
    way = probe.subject.input - start
    nodes, weights = np.polynomial.legendre.leggauss(params.steps)

    def attempt(batch: int) -> Tensor:
        total = torch.zeros_like(way)
        run = forward(probe, "Neuron conductance", total=params.steps, run=tapped)
        for alphas, shares in zip(*(_parts(each, batch) for each in ((nodes + 1) / 2, weights / 2)), strict=True):
            alpha, share = (torch.tensor(v).to(way).view(-1, 1, 1, 1) for v in (alphas, shares))
            found = _back(probe, tapped, run, start + alpha * way, channel=channel)
            total += (share * found).sum(0, keepdim=True)
        return total * way

    found = fitting(attempt, batch_of(probe.subject), least=1)
    more = {"layer": call.id, "channel": channel, "baseline": params.baseline, "steps": params.steps}
    return Heatmap(found.sum(1)[0].float().cpu().numpy(), probe.subject.extent, more=more)


def _back(probe: Probe, tapped: Tapped, run: Forward, inputs: Tensor, *, channel: int) -> Tensor:
    """Return the gradients (N, 3, h, w) that reach inputs through one channel alone."""
    kept: list[Tensor] = []

    def keep(module: Any, given: Any, output: Tensor) -> None:
        kept.append(output)

    (call,) = tapped.calls
    hook = tapped.taps[0].register_forward_hook(keep)
    x = inputs.detach().clone().requires_grad_()
    try:
        with arriving(f"layer {call.id}"):
            scores = run(x)
            (at_layer,) = torch.autograd.grad(probe.target.of(scores).sum(), kept[0], retain_graph=True)
            mine, weight = (call.layout.planes(value)[:, channel] for value in (kept[0], at_layer))
            return torch.autograd.grad((mine * weight.detach()).sum(), x)[0]
    finally:
        hook.remove()


def _parts(values: np.ndarray, size: int) -> list[np.ndarray]:
    return [values[at : at + size] for at in range(0, len(values), size)]


def _strongest_channel(probe: Probe, call: Call, tapped: Tapped) -> int:
    """Return the channel whose activation times gradient is largest."""
    import captum.attr

    def make() -> int:
        with drawing(), arriving(f"layer {call.id}"):
            method: Any = captum.attr.LayerGradientXActivation(lambda x: probe.target.of(tapped(x)), tapped.taps[0])
            found: Tensor = method.attribute(probe.subject.input.detach().clone())
        return int(call.layout.planes(found.detach()).sum((0, 2, 3)).argmax())

    target = probe.target.plus, probe.target.minus
    return probe.stages.run("speaking channel", make, probe.subject.key, call.id, *target)
