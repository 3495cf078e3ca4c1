"""Heads that are linear in a pooled map, found in a pass and checked by its numbers: there CAM is exact. No methods.

Either the scores are a linear layer of the mean over a map's places (ResNet), or they are the mean of a map that has a
channel for each class (SqueezeNet). A ReLU between the map and the pooling may be a function (DenseNet).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from models.runtime.forward_passes import repetition
from models.subject import Subject
from models.tracing.layers import on_picture
from models.tracing.traced_calls import Call, recorded, traced

CLOSE = 1e-4  # of the largest value compared: float32 sums over places in another order


@dataclass(frozen=True)
class Head:
    """A layer, whether a ReLU comes after it, its value (K, h, w), and the linear map `weight` (C, K), `bias` (C,) from
    the mean of its places to the scores; None where that mean is the scores.
    """

    call: Call
    rectified: bool
    value: Tensor
    weight: Tensor | None
    bias: Tensor | None

    @property
    def nbytes(self) -> int:
        """The size of the layer's value; the weights are the network's."""
        return self.value.nbytes

    def plane(self, column: int) -> Tensor:
        """Return the map (h, w) whose mean plus `offset` is this column of the scores."""
        value = self.value.relu() if self.rectified else self.value
        return value[column] if self.weight is None else torch.tensordot(self.weight[column], value, 1)

    def offset(self, column: int) -> float:
        """Return what a column of the scores has beyond the mean of its map: the bias."""
        return 0.0 if self.bias is None else float(self.bias[column])


def head_of(subject: Subject) -> Head | None:
    """Return the head of a subject's network if it is linear in a pooled map, None if it is not."""
    means: list[tuple[Call, Tensor]] = []

    def see(call: Call, value: Tensor) -> None:
        if on_picture(subject, call) and not repetition():
            planes = call.layout.planes(value)[0]
            means.append((call, torch.stack([planes.mean((1, 2)), planes.relu().mean((1, 2))])))

    with torch.no_grad(), _Linears() as linears, traced(subject.net, size=subject.size, see=see):
        scores = subject.scores(subject.input)[0]
    weight = bias = None
    pooled = scores
    if linears.last is not None and _close(linears.last[3].flatten(), scores):
        given, weight, bias, _ = linears.last
        pooled = given.flatten()
    for call, (plain, rectified) in reversed(means):
        for which, mean in ((False, plain), (True, rectified)):
            if _close(mean, pooled):
                return Head(call, which, _value(subject, call), weight, bias)
    return None


class _Linears(TorchFunctionMode):
    """Keep what the last linear function called inside was given: input, weight and bias; and what it returned."""

    def __init__(self) -> None:
        super().__init__()
        self.last: tuple[Tensor, Tensor, Tensor | None, Tensor] | None = None

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func`."""
        out = func(*args, **(kwargs or {}))
        if func is functional.linear:
            value, weight, *rest = args
            self.last = (value, weight, rest[0] if rest else (kwargs or {}).get("bias"), out)
        return out


def _value(subject: Subject, call: Call) -> Tensor:
    with torch.no_grad(), recorded(subject.net, [call.id]) as kept:
        subject.scores(subject.input)
    return call.layout.planes(kept[call.id])[0]


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= CLOSE * b.abs().max())
