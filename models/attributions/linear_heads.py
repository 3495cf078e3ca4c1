"""Detect heads that are linear in a pooled map, for which CAM is exact: found in one pass and verified numerically.

The scores are either a linear layer of the spatial mean of a map (ResNet), or the spatial mean of a map with one
channel per class (SqueezeNet). The ReLU between map and pooling may be a function (DenseNet).
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

CLOSE = 1e-4  # of the largest value: float32 sums over positions in a different order differ by rounding


@dataclass(frozen=True)
class Head:
    """A pooled linear head: the layer, whether a ReLU follows it, its value (K, h, w), and the linear map to the
    scores.

    `weight` (C, K) and `bias` (C,) map the spatial mean to the scores; None if the mean is the scores.
    """

    call: Call
    rectified: bool
    value: Tensor
    weight: Tensor | None
    bias: Tensor | None

    @property
    def nbytes(self) -> int:
        """Size of the layer's value in bytes; the weights belong to the network."""
        return self.value.nbytes

    def plane(self, column: int) -> Tensor:
        """Return the map (h, w) whose mean plus `offset` equals this column of the scores."""
        value = self.value.relu() if self.rectified else self.value
        return value[column] if self.weight is None else torch.tensordot(self.weight[column], value, 1)

    def offset(self, column: int) -> float:
        """Return the bias of a column of the scores: its score minus the mean of its map."""
        return 0.0 if self.bias is None else float(self.bias[column])


def head_of(subject: Subject) -> Head | None:
    """Return the head of a subject's network if it is linear in a pooled map, else None."""
    means: list[tuple[Call, Tensor]] = []

    def see(call: Call, value: Tensor) -> None:
        if on_picture(subject, call) and not repetition():
            planes = call.layout.planes(value.float())[0]
            means.append((call, torch.stack([planes.mean((1, 2)), planes.relu().mean((1, 2))])))

    with torch.no_grad(), Linears() as linears, traced(subject.net, size=subject.size, see=see):
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


class Linears(TorchFunctionMode):
    """Record the input, weight, bias and output of the last linear function called inside."""

    def __init__(self) -> None:
        super().__init__()
        self.last: tuple[Tensor, Tensor, Tensor | None, Tensor] | None = None

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func` and record it if it is a linear function."""
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
