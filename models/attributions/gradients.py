"""Gradients of a target with respect to the network's input: for the picture, and for many variants in batches."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from models.attributions.attribution import Probe, Verdict
from models.attributions.target import TargetParams, resolve
from models.runtime.split_batches import in_parts
from models.subject import Subject
from models.tracing.backward_graph import RECTIFIER, activations, between
from models.tracing.backward_pass import CUTS, INSTEAD, arriving, back
from models.tracing.rectifiers import Rectified
from models.tracing.traced_calls import Call, gradients, traced
from models.types import Refusal

NONE = "No gradient arrives at the picture"
ZERO = (
    "The gradient at the picture is zero everywhere: rounding as in a quantised network, or an end that is saturated, "
    f"lets none through. {INSTEAD}"
)

MOST_IN_BATCH = 16
# Larger batches are hardly faster on a CPU, and a backward pass cannot be cancelled.
BATCH_PX = {"cpu": 4 * 224 * 224, "cuda": MOST_IN_BATCH * 224 * 224}


def of_input(probe: Probe) -> Tensor:
    """Return the gradient (1, 3, h, w) at the picture, computed once for all methods that use it."""
    subject, target = probe.subject, probe.target

    def make() -> Tensor:
        return at(probe, subject.input)[0]

    return probe.stages.run("input gradient", make, subject.key, target.plus, target.minus)


def at(probe: Probe, inputs: Tensor, *, fast: bool = False) -> tuple[Tensor, Tensor]:
    """Return the gradients (N, 3, h, w) at inputs, and the target's values (N,) there.

    With `fast` the pass uses the channels-last memory format if the network supports it. Convolutions are then up to a
    fifth faster but round differently, so that a ReLU whose input is almost zero may switch. The weights keep their
    format. Raises Refusal if no gradient reaches the inputs.
    """
    if fast and probe.subject.channels_last:
        try:
            return _at(probe, inputs, torch.channels_last)
        except Refusal:  # the forward pass supports channels last, but the backward pass may not
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
    """Return how many inputs form a batch: fewer for large inputs, because the graphs fill the memory."""
    height, width = subject.size
    return max(1, min(MOST_IN_BATCH, BATCH_PX.get(subject.input.device.type, BATCH_PX["cpu"]) // (height * width)))


@dataclass(frozen=True)
class Way:
    """The path of a gradient from the scores to the picture; `missing` says why no gradient arrives, "" if one does.

    `rectifiers` counts the operations on the path that compute max(x, 0), `others` the other activation functions by
    name.
    """

    missing: str = ""
    rectifiers: int = 0
    others: Counter[str] = field(default_factory=Counter)


def way(subject: Subject, stages: Any) -> Way:
    """Return the gradient's path through the network, found in one forward and backward pass for all methods.

    That pass also caches the picture's scores and the gradient of the default class.
    """
    return stages.run("gradient's way", lambda: _way(subject, stages), subject.key)


def missing(subject: Subject, stages: Any) -> str:
    """Return in one sentence why no gradient reaches the picture, "" if one does."""
    return way(subject, stages).missing


def verdict(subject: Subject, params: Any, stages: Any) -> Verdict:
    """Return the verdict of a gradient method: valid if a gradient reaches the picture."""
    reason = missing(subject, stages)
    return Verdict("never", reason) if reason else Verdict()


def _way(subject: Subject, stages: Any) -> Way:
    reached = ""

    def see(call: Call, value: Tensor) -> None:
        nonlocal reached
        reached = call.id if value.requires_grad else reached

    x = subject.input.detach().clone().requires_grad_()
    with gradients():
        try:
            with arriving(), Rectified(None) as seen, traced(subject.net, size=subject.size, see=see):
                # The network may modify its input in place, which PyTorch forbids for a leaf: pass a copy.
                scores = subject.scores(x.clone())
        except Refusal as refusal:
            return Way(f"{refusal} {refusal.advice}")
        if not torch.isfinite(scores).all():
            return Way()  # reported by `scores_of`
        stages.keep("scores", scores.detach(), subject.key)
        nodes = between(scores, x)
        if not nodes:
            where = f"after {reached}" if reached else "before its first layer has answered"
            return Way(f"{NONE}: the network cuts it off {where} ({CUTS}). {INSTEAD}")
        counted = Counter(activations(nodes, seen))
        target = resolve(subject, TargetParams(), scores[0].detach().cpu().numpy())
        try:
            found = back(target.of(scores).sum(), x, retain_graph=True)
            stages.keep("input gradient", found, subject.key, target.plus, target.minus)
            if not found.any():
                # The gradient of another class may not be zero. With a different weight for each class, gradients of
                # several classes do not cancel (those of softmax outputs sum to zero).
                weights = torch.rand(scores.shape[1:], generator=torch.Generator().manual_seed(0)).to(scores) + 0.5
                found = back((scores * weights).sum(), x)
        except Refusal as refusal:
            return Way(f"{refusal} {refusal.advice}")
    if not found.any():
        return Way(ZERO)
    return Way(rectifiers=counted.pop(RECTIFIER, 0), others=counted)
