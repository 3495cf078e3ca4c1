"""Shared by the class activation maps: one forward pass to a layer and one backward pass to it, cached for all
variants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from models.attributions.attribution import Heatmap, Probe, Verdict
from models.subject import Subject
from models.tracing.backward_pass import CUTS, INSTEAD, arriving, back
from models.tracing.extra_tokens import settled
from models.tracing.layers import automatic, call_of, chosen
from models.tracing.traced_calls import Call, Trace, gradients, leaf_of, traced

CUT = f"the network cuts it off after that layer ({CUTS})"


@dataclass(frozen=True)
class Pass:
    """One forward pass: a layer's value, as a leaf of the graph that leads from it to the `scores` (1, C).

    `nbytes` estimates the size of that graph: the sum of the outputs from the layer on.
    """

    call: Call
    value: Tensor
    scores: Tensor
    nbytes: int


@dataclass(frozen=True)
class Evidence:
    """Activations of a layer and the gradient of the target there, both (C, h, w); `layer` is the layer's id."""

    layer: str
    activation: Tensor
    gradient: Tensor

    @property
    def nbytes(self) -> int:
        """Size of both arrays in bytes."""
        return self.activation.nbytes + self.gradient.nbytes


def evidence(probe: Probe, layer: str) -> Evidence:
    """Return a layer's activations and gradients, from one forward and one backward pass shared by all variants.

    `layer` is a call's id, "" for the automatic choice. Raises Refusal for a layer without spatial positions.
    """
    target = probe.target
    through = forward(probe.subject, layer, probe.stages)

    def make() -> Evidence:
        value = target.of(through.scores).sum()
        gradient = back(value, through.value, where=f"layer {through.call.id}", retain_graph=True)
        planes = through.call.layout.planes
        return Evidence(through.call.id, planes(through.value.detach())[0], planes(gradient)[0])

    return probe.stages.run("layer gradient", make, probe.subject.key, through.call.id, target.plus, target.minus)


def weighed(found: Evidence) -> Tensor:
    """Return Grad-CAM (h, w), signed: activations weighted by their mean gradient (Selvaraju et al. 2017, eq. 1, 2)."""
    return (found.gradient.mean((1, 2))[:, None, None] * found.activation).sum(0)


def heatmap(probe: Probe, found: Evidence, values: Tensor) -> Heatmap:
    """Return the Heatmap of values (h, w) computed from a layer's evidence."""
    return Heatmap(values.cpu().numpy(), probe.subject.extent, more={"layer": found.layer}, blank=blank(found))


def blank(found: Evidence) -> str:
    """Return the layer's id if the gradient is zero at all its positions, which makes any map of it zero; else ""."""
    return "" if found.gradient.any() else found.layer


def verdict(subject: Subject, params: Any, stages: Any) -> Verdict:
    """Return whether a map of this layer can be computed. Raises Refusal if the layer has no spatial positions.

    The pass made for this check is cached and reused for the map and the scores.
    """
    through = forward(subject, params.layer, stages)
    if not through.scores.requires_grad:
        return Verdict("never", f"No gradient arrives at layer {through.call.id}: {CUT}. {INSTEAD}")
    return Verdict(reason="" if params.layer else chosen(subject, stages).why)


def forward(subject: Subject, layer: str, stages: Any) -> Pass:
    """Run the network once, keeping the graph from a layer on.

    The first pass on a picture also records the trace and the scores, so that they cost no pass of their own.
    """
    if stages.peek("trace", subject.key) is None:
        through, scores, trace = stages.time("layer forward", lambda: _run(subject, layer))
        trace = settled(subject, trace)
        stages.keep("trace", trace, subject.key)
        if through is not None:
            stages.keep("layer forward", replace(through, call=trace[layer]), subject.key, layer)
        if torch.isfinite(scores).all():
            stages.keep("scores", scores.detach(), subject.key)
    call = call_of(subject, layer or automatic(subject, stages), stages, spatial=True)
    return stages.run("layer forward", lambda: _run(subject, call.id)[0], subject.key, call.id)


def _run(subject: Subject, layer: str) -> tuple[Pass | None, Tensor, Trace]:
    kept: dict[str, Tensor] = {}

    def see(call: Call, value: Tensor) -> Tensor | None:
        return leaf_of(kept, layer, value) if call.id == layer else None

    where = f"layer {layer}"
    with arriving(where), gradients(), traced(subject.net, size=subject.size, see=see) as trace:
        scores = subject.scores(subject.input)
    if layer not in kept:
        return None, scores, trace
    value, ids = kept[layer], [call.id for call in trace.calls]
    graph = sum(math.prod(call.shape) for call in trace.calls[ids.index(layer) :] if not call.same)
    return Pass(trace[layer], value, scores, value.element_size() * graph), scores, trace
