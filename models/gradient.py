"""Gradients of a target with respect to the network's input: of the picture itself, and of many variants in batches."""

from __future__ import annotations

import torch
from torch import Tensor

from models.attribution import Probe
from models.parts import in_parts
from models.subject import Subject

MOST_IN_BATCH = 16
# On processors a pass of more is hardly quicker, and its way back cannot be called off.
BATCH_PX = {"cpu": 4 * 224 * 224, "cuda": MOST_IN_BATCH * 224 * 224}


def of_input(probe: Probe) -> Tensor:
    """Return the gradient (1, 3, h, w) at the picture, once for all methods that begin with it."""
    subject, target = probe.subject, probe.target

    def make() -> Tensor:
        return at(probe, subject.input)[0]

    return probe.stages.run("input gradient", make, subject.key, target.plus, target.minus)


def at(probe: Probe, inputs: Tensor, *, channels_last: bool = False) -> tuple[Tensor, Tensor]:
    """Return the gradients (N, 3, h, w) at inputs, and the numbers explained (N,) there.

    With `channels_last` in memory convolutions are up to a fifth faster, and round otherwise: a ReLU at its kink may
    turn. The network's weights stay as they are.
    """
    order = torch.channels_last if channels_last else torch.preserve_format

    def run(part: Tensor) -> tuple[Tensor, Tensor]:
        x = part.detach().clone(memory_format=order).requires_grad_()
        values = probe.of(x)
        return torch.autograd.grad(values.sum(), x)[0], values.detach()

    gradients, values = in_parts(run, inputs)
    return gradients, values


def batch_of(subject: Subject) -> int:
    """Return how many inputs go through the network at once: fewer of large ones, for the graphs fill the memory."""
    height, width = subject.size
    return max(1, min(MOST_IN_BATCH, BATCH_PX.get(subject.input.device.type, BATCH_PX["cpu"]) // (height * width)))
