"""The modified gradients of guided backpropagation and deconvnet, and the verdict on both methods."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor

from models.attributions import gradients as gradients_of
from models.attributions.attribution import Probe, Verdict
from models.subject import Subject
from models.tracing.backward_pass import arriving, back
from models.tracing.rectifiers import Rectified, Rule

CAUTION = "It hardly depends on the network's weights (Adebayo et al. 2018): it shows edges, not reasons."


def gradient(probe: Probe, rule: Rule) -> Tensor:
    """Return the gradient (1, 3, h, w) of the target with respect to the input, with rectifiers following `rule`."""

    def make() -> Tensor:
        x = probe.subject.input.detach().clone().requires_grad_()
        with arriving(), Rectified(rule):
            value = probe.of(x).sum()
        return back(value, x)

    return probe.stages.run(f"{rule} gradient", make, probe.subject.key, probe.target.plus, probe.target.minus)


def verdict(subject: Subject, params: Any, stages: Any) -> Verdict:
    """Return the verdict: which share of the activations between score and picture are rectifiers, found by behaviour.

    Invalid if no gradient reaches the picture.
    """
    if isinstance(subject.net, torch.jit.ScriptModule):
        return Verdict(
            "never", "TorchScript hides its activation functions: none could be given another backward pass."
        )
    way = gradients_of.way(subject, stages)
    return Verdict("never", way.missing) if way.missing else judged(way.rectifiers, way.others)


def judged(covered: int, others: Counter[str]) -> Verdict:
    """Return the verdict for `covered` rectifiers and `others`, the other activation functions by name."""
    total = covered + others.total()
    rest = ", ".join(f"{count} {name}" for name, count in others.most_common())
    if not total:
        return Verdict("never", "The network calls no activation function: it would be the plain gradient.")
    if not covered:
        return Verdict("never", f"0 of {total} activations are ReLU ({rest}): it would be the plain gradient.")
    if others:
        return Verdict("partial", f"{covered} of {total} activations are ReLU; {rest} keep their plain gradient.")
    return Verdict("applies", f"All {total} activations are ReLU.")
