"""Gradients of a target with respect to the network's input: of the picture itself, and of many variants in batches."""

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


@dataclass(frozen=True)
class Way:
    """A gradient's way from the scores back to the picture: `missing` says why none arrives, "" where one does.

    `rectifiers` counts what turns x into max(x, 0) on it, `others` the other activation functions by name.
    """

    missing: str = ""
    rectifiers: int = 0
    others: Counter[str] = field(default_factory=Counter)


def way(subject: Subject, stages: Any) -> Way:
    """Return a gradient's way through the network, seen in one pass forth and back, once for all methods.

    The picture's own scores come with it, and the gradient of the class that is explained by itself.
    """
    return stages.run("gradient's way", lambda: _way(subject, stages), subject.key)


def missing(subject: Subject, stages: Any) -> str:
    """Return in one sentence why no gradient arrives at the picture, "" where one does."""
    return way(subject, stages).missing


def verdict(subject: Subject, params: Any, stages: Any) -> Verdict:
    """Return that a method which is made of gradients holds where one arrives."""
    told = missing(subject, stages)
    return Verdict("never", told) if told else Verdict()


def _way(subject: Subject, stages: Any) -> Way:
    reached = ""

    def see(call: Call, value: Tensor) -> None:
        nonlocal reached
        reached = call.id if value.requires_grad else reached

    x = subject.input.detach().clone().requires_grad_()
    with gradients():
        try:
            with arriving(), Rectified(None) as seen, traced(subject.net, size=subject.size, see=see):
                # A network may write into what it is given, though not into a leaf.
                scores = subject.scores(x.clone())
        except Refusal as refusal:
            return Way(f"{refusal} {refusal.advice}")
        if not torch.isfinite(scores).all():
            return Way()  # which is told by whoever asks for the scores
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
                # Another class may have one: each has a weight of its own, so that none makes up for another.
                weights = torch.rand(scores.shape[1:], generator=torch.Generator().manual_seed(0)).to(scores) + 0.5
                found = back((scores * weights).sum(), x)
        except Refusal as refusal:
            return Way(f"{refusal} {refusal.advice}")
    if not found.any():
        return Way(ZERO)
    return Way(rectifiers=counted.pop(RECTIFIER, 0), others=counted)
