"""Gradients of a target with respect to the network's input: of the picture itself, and of many variants in batches."""

from __future__ import annotations

import torch
from torch import Tensor

from models.attribution import Probe
from models.descent import arriving, back
from models.parts import in_parts
from models.subject import Subject
from models.types import Refusal

MOST_IN_BATCH = 16
# On processors a pass of more is hardly quicker, and its way back cannot be called off.
BATCH_PX = {"cpu": 4 * 224 * 224, "cuda": MOST_IN_BATCH * 224 * 224}


def of_input(probe: Probe) -> Tensor:
    """Return the gradient (1, 3, h, w) at the picture, once for all methods that begin with it."""
    subject, target = probe.subject, probe.target

    def make() -> Tensor:
        return at(probe, subject.input)[0]

    return probe.stages.run("input gradient", make, subject.key, target.plus, target.minus)


def at(probe: Probe, inputs: Tensor, *, fast: bool = False) -> tuple[Tensor, Tensor]:
    """Return the gradients (N, 3, h, w) at inputs, and the numbers explained (N,) there.

    With `fast` they lie channels last in memory where the network takes that: convolutions are up to a fifth faster,
    and round otherwise, so that a ReLU at its kink may turn. The network's weights stay as they are. Raises Refusal
    where no gradient arrives.
    """
    if fast and probe.subject.channels_last:
        try:
            return _at(probe, inputs, torch.channels_last)
        except Refusal:  # that the network takes them so says nothing of its way back
            pass
    return _at(probe, inputs, torch.preserve_format)


def _at(probe: Probe, inputs: Tensor, order: torch.memory_format) -> tuple[Tensor, Tensor]:

    def run(part: Tensor) -> tuple[Tensor, Tensor]:
        x = part.detach().clone(memory_format=order).requires_grad_()
        with arriving():
            values = probe.of(x)
        return back(values.sum(), x), values.detach()

    gradients, values = in_parts(run, inputs)
    return gradients, values


def batch_of(subject: Subject) -> int:
    """Return how many inputs go through the network at once: fewer of large ones, for the graphs fill the memory."""
    height, width = subject.size
    return max(1, min(MOST_IN_BATCH, BATCH_PX.get(subject.input.device.type, BATCH_PX["cpu"]) // (height * width)))
