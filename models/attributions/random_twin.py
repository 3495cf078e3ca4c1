"""The randomised twin: the same network with every parameter redrawn, to test whether a map depends on the weights.

Each tensor is drawn from a normal distribution with its own mean and standard deviation, so that scores keep about
their magnitude (Adebayo et al. 2018, all layers at once). The network is neither modified nor copied: while the twin
runs, PyTorch functions receive the redrawn tensors in place of the parameters. A subject that explains a detector's box
therefore still follows the same box.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from models.subject import Subject


@dataclass(frozen=True)
class Twin:
    """The redrawn tensors by the `id` of the parameter they replace; `net` keeps the parameters alive."""

    net: nn.Module
    tensors: Mapping[int, Tensor]

    @property
    def nbytes(self) -> int:
        """Size of the tensors in bytes."""
        return sum(tensor.nbytes for tensor in self.tensors.values())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make every PyTorch function called inside receive the twin's tensors in place of the parameters."""
        with _Instead(self.tensors):
            yield

    def of(self, subject: Subject) -> Subject:
        """Return a copy of a subject whose scores are the twin's."""

        def scores(x: Tensor) -> Tensor:
            with self.running():
                return subject.scores(x)

        return replace(subject, scores=scores)


def twin(net: nn.Module, *, seed: int) -> Twin:
    """Return the twin of a network."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    with torch.inference_mode(False), torch.no_grad():
        for parameter in net.parameters():
            noise = torch.randn(parameter.shape, generator=generator).to(parameter)
            spread = parameter.std(correction=0)
            tensors[id(parameter)] = parameter.mean() + spread * noise
    return Twin(net, tensors)


class _Instead(TorchFunctionMode):
    """Replaces tensors among the arguments of every PyTorch function."""

    def __init__(self, tensors: Mapping[int, Tensor]) -> None:
        super().__init__()
        self._tensors = tensors

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {name: self._put(value) for name, value in (kwargs or {}).items()}
        return func(*(self._put(value) for value in args), **given)

    def _put(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self._tensors.get(id(value), value)
        if type(value) in (list, tuple):
            return type(value)(self._put(v) for v in value)
        return value
