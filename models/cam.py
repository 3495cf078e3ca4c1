"""What the class activation maps share: one forward pass to a layer, one backward pass to it, whatever the variant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.attribution import Probe
from models.capture import Call, gradients, recorded
from models.layers import automatic, call_of
from models.subject import Subject


@dataclass(frozen=True)
class Pass:
    """One forward pass: a layer's value as a leaf of the graph that leads from it to the `scores` (1, C)."""

    call: Call
    value: Tensor
    scores: Tensor

    @property
    def nbytes(self) -> int:
        """The size of the layer's value, and about that of the graph behind it."""
        return 8 * self.value.nbytes


@dataclass(frozen=True)
class Evidence:
    """Activations and the gradient of the target, both (C, h, w), of the layer called `layer`."""

    layer: str
    activation: Tensor
    gradient: Tensor

    @property
    def nbytes(self) -> int:
        """The size of both."""
        return self.activation.nbytes + self.gradient.nbytes


def evidence(probe: Probe, layer: str) -> Evidence:
    """Return what every class activation map of a layer is made of; one forward and one backward pass for all.

    `layer` is a call's id, "" for the automatic one. Raises Refusal for a layer without places.
    """
    subject, stages, target = probe.subject, probe.stages, probe.target

    def make() -> Evidence:
        through = forward(subject, layer, stages)
        value = target.of(through.scores).sum()
        (gradient,) = torch.autograd.grad(value, through.value, retain_graph=True)
        planes = through.call.layout.planes
        return Evidence(through.call.id, planes(through.value.detach())[0], planes(gradient)[0])

    return stages.run("layer gradient", make, subject.key, layer, target.plus, target.minus)


def forward(subject: Subject, layer: str, stages: Any) -> Pass:
    """Run the network once, keeping the graph from a layer on."""

    def make() -> Pass:
        call = call_of(subject, layer or automatic(subject, stages), stages, spatial=True)
        with gradients(), recorded(subject.net, [call.id], leaf=True) as kept:
            scores = subject.scores(subject.input)
        return Pass(call, kept[call.id], scores)

    return stages.run("layer forward", make, subject.key, layer)
