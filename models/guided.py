"""Rectifiers with another backward pass, while a network runs: guided backpropagation, deconvnet. No module is touched.

A `TorchFunctionMode` sees every activation function, a module's or not, on this thread only and only inside its block.
It counts them too: on a network without ReLU both methods would silently be the plain gradient.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import Function
from torch.overrides import TorchFunctionMode

from models.attribution import Probe, Verdict
from models.capture import gradients
from models.descent import arriving, back
from models.subject import Subject

Rule = Literal["guided", "deconvnet"]
CAUTION = "It hardly depends on the network's weights (Adebayo et al. 2018): it shows edges, not reasons."

RELU = "ReLU"
_KINDS = {
    "celu": "CELU",
    "elu": "ELU",
    "gelu": "GELU",
    "glu": "GLU",
    "hardsigmoid": "Hardsigmoid",
    "hardswish": "Hardswish",
    "hardtanh": "Hardtanh",
    "leaky_relu": "LeakyReLU",
    "mish": "Mish",
    "prelu": "PReLU",
    "relu": RELU,
    "relu6": "ReLU6",
    "rrelu": "RReLU",
    "selu": "SELU",
    "sigmoid": "sigmoid",
    "silu": "SiLU",
    "softplus": "Softplus",
    "tanh": "tanh",
}


class Rectified(TorchFunctionMode):
    """Give each ReLU called inside the backward pass of `rule`, or with None only count.

    It passes over what does not depend on the picture, as the ReLUs that make Swin v2's position biases: what requires
    no gradient.
    """

    def __init__(self, rule: Rule | None) -> None:
        super().__init__()
        self.rule = rule
        self.covered = 0
        self.others: Counter[str] = Counter()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func`, or in the place of a ReLU ours."""
        given = kwargs or {}
        name = getattr(func, "__name__", "")
        kind = _kind(name, given)
        value = args[0] if args else given.get("input")
        if not kind or not isinstance(value, Tensor) or not value.requires_grad:
            return func(*args, **given)
        if kind != RELU:
            self.others[kind] += 1
            return func(*args, **given)
        self.covered += 1
        if self.rule is None:
            return func(*args, **given)
        inplace = name == "relu_" or bool(args[1] if len(args) > 1 else given.get("inplace", False))
        return _Rectifier.apply(value, inplace, self.rule == "guided")


def _kind(name: str, given: Mapping[str, Any]) -> str:
    """Return which activation a function of this name is, "" for any other function."""
    kind = _KINDS.get(name.removesuffix("_"), "")
    # nn.ReLU6 calls hardtanh.
    return "ReLU6" if kind == "Hardtanh" and given.get("min_val") == 0 else kind


class _Rectifier(Function):
    """ReLU whose backward pass lets only positive gradients through; `gated` only where its input was positive too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, inplace: bool, gated: bool) -> Tensor:
        """Rectify, in place where the network does."""
        ctx.gated = gated
        if inplace:
            ctx.mark_dirty(value)
        out = value.relu_() if inplace else value.relu()
        if gated:
            ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Springenberg et al. 2015, figure 1; Zeiler and Fergus 2014."""
        passed = gradients[0].relu()
        if ctx.gated:
            (out,) = ctx.saved_tensors
            passed = passed * (out > 0)
        return passed, None, None


def gradient(probe: Probe, rule: Rule) -> Tensor:
    """Return the gradient (1, 3, h, w) of the target with respect to the input, by the rule."""

    def make() -> Tensor:
        x = probe.subject.input.detach().clone().requires_grad_()
        with arriving(), Rectified(rule):
            value = probe.of(x).sum()
        return back(value, x)

    return probe.stages.run(f"{rule} gradient", make, probe.subject.key, probe.target.plus, probe.target.minus)


def verdict(subject: Subject, params: Any, stages: Any) -> Verdict:
    """Return how many of the activations that one pass calls are ReLU."""

    if isinstance(subject.net, torch.jit.ScriptModule):
        return Verdict(
            "never", "TorchScript hides its activation functions: none could be given another backward pass."
        )

    def make() -> Verdict:
        with arriving(), gradients(), Rectified(None) as seen:
            subject.scores(subject.input.detach().clone().requires_grad_())
        return judged(seen.covered, seen.others)

    return stages.run("rectifiers", make, subject.key)


def judged(covered: int, others: Counter[str]) -> Verdict:
    """Return the verdict on a network with so many calls of ReLU, and of other activations by name."""
    total = covered + others.total()
    rest = ", ".join(f"{count} {name}" for name, count in others.most_common())
    if not total:
        return Verdict("never", "The network calls no activation function: it would be the plain gradient.")
    if not covered:
        return Verdict("never", f"0 of {total} activations are ReLU ({rest}): it would be the plain gradient.")
    if others:
        return Verdict("partial", f"{covered} of {total} activations are ReLU; {rest} keep their plain gradient.")
    return Verdict("applies", f"All {total} activations are ReLU.")
