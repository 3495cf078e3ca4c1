"""Networks whose last numbers are known by construction, for the tests of what they are taken for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Means(nn.Module):
    """Three logits of a picture: sums of its mean colours; `head` makes of them what is returned."""

    def __init__(self, head: Callable[[Tensor], Any] = lambda y: y, *, gain: float = 6.0) -> None:
        super().__init__()
        self.conv, self.linear, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 3), head
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
            self.linear.weight.mul_(gain)

    def logits(self, x: Tensor) -> Tensor:
        return self.linear(torch.relu(self.conv(x)).mean((2, 3)))

    def forward(self, x: Tensor) -> Any:
        return self.head(self.logits(x))


class Pair(NamedTuple):
    """A tuple with names, as torchvision's Inception gives."""

    logits: Tensor
    aux_logits: Tensor


@dataclass
class Answer:
    """A data class, as libraries of transformers give."""

    loss: Tensor | None
    logits: Tensor


class ModelOutput(OrderedDict[str, Any]):
    """An ordered dictionary that is read by attribute too."""


# How logits (N, 3) may come out of a network without being anything else.
FORMS: dict[str, Callable[[Tensor], Any]] = {
    "tensor": lambda y: y,
    "places": lambda y: y[:, :, None, None],
    "row in the middle": lambda y: y[:, None],
    "no batch": lambda y: y.squeeze(0),
    "list": lambda y: [y],
    "dictionary": lambda y: {"features": y.detach()[:, :2], "loss": None, "aux_logits": -y, "logits": y},
    "named tuple": lambda y: Pair(y, -y),
    "data class": lambda y: Answer(None, y),
    "object": lambda y: SimpleNamespace(text="cat", logits=y),
    "model output": lambda y: ModelOutput(logits=y, hidden_states=(y.detach(), y.detach())),
    "features first": lambda y: (y.detach().repeat(1, 9), y + 0),
    "nested": lambda y: {"out": [{"deep": y}]},
    "half": lambda y: y.half(),
    "bfloat16": lambda y: y.bfloat16(),
    "double": lambda y: y.double(),
}
# How one number of a picture may come out of it, of one or of several pictures.
ALONE: dict[str, Callable[[Tensor], Any]] = {
    "column": lambda y: y[:, :1],
    "row": lambda y: y[:, 0],
    "squeezed": lambda y: y[:, :1].squeeze(),
    "mean of the batch": lambda y: y[:, 0].mean(),
    "places": lambda y: y[:, :1, None, None],
    "dictionary": lambda y: {"age": y[:, 0]},
}
