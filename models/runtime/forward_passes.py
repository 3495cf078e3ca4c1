"""Run forward passes of users' networks so that no pass affects another.

A network that writes into its input gets contiguous copies of it. One that changes its own state gets copies of that
state during the pass. One that draws random numbers gets the same seed for each request. One whose result depends on
the batch gets one input at a time. Networks of known families are run without any of this.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.runtime.network_state import Loan, Place
from models.subject import Subject


@dataclass(frozen=True)
class Behaviour:
    """What the passes of a network need.

    `copies`: each pass gets its own copy of the input. `changing`: the places of the network that a pass writes into.
    `seeded`: it draws random numbers. `alone`: one input at a time. `channels_last`: inputs may use that memory format.
    `repeats`: the number of passes with different random numbers that are averaged. `evaluation`: no module runs in
    training mode, even if the network's code sets it. `notes` describe the findings for people.
    """

    copies: bool = False
    changing: tuple[Place, ...] = ()
    seeded: bool = False
    alone: bool = False
    channels_last: bool = True
    repeats: int = 1
    evaluation: bool = False
    notes: tuple[str, ...] = ()

    @property
    def steady(self) -> bool:
        """Whether a pass changes no state of the network and draws no random numbers."""
        return not self.changing and not self.seeded

    @property
    def about(self) -> dict[str, Any]:
        """The fields of a Subject that describe passes."""
        own = {"channels_last": self.channels_last, "steady": self.steady}
        return {**own, "alone": self.alone, "repeats": self.repeats}

    def subject(self, found: Subject) -> Subject:
        """Return a subject whose scores are computed by passes of this behaviour."""
        return replace(found, scores=through(self, found.scores), **self.about)


INNOCENT = Behaviour()
CAREFUL = Behaviour(copies=True, alone=True, channels_last=False)  # for networks whose passes could not be observed


@dataclass
class _Now:
    """The state of the current pass: its number among averaged ones, whether passes are averaged, and whether parts of
    a network are run separately.
    """

    repetition: int = 0
    averaging: bool = False
    apart: bool = False


_now = _Now()


def repetition() -> int:
    """Return the number, from 0, of the current pass among the averaged ones."""
    return _now.repetition


def through(behaviour: Behaviour, run: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    """Wrap `run`, which maps inputs (N, ...) to a tensor or a list of tensors with N rows.

    Where the behaviour requires it, the wrapped function passes one input at a time and averages over passes.
    """
    if not behaviour.alone and behaviour.repeats == 1:
        return run

    def passes(x: Tensor) -> Any:
        if _now.averaging:
            return run(x)
        made = [_mean(run, part, behaviour.repeats) for part in (x.split(1) if behaviour.alone else (x,))]
        if len(made) == 1:
            return made[0]
        if isinstance(made[0], Tensor):
            return torch.cat(made)
        return [torch.cat(column) for column in zip(*made, strict=True)]

    return passes


def _mean(run: Callable[[Tensor], Any], x: Tensor, repeats: int) -> Any:
    _now.averaging = True
    try:
        total = run(x)
        for number in range(1, repeats):
            _now.repetition = number
            more = run(x)
            total = total + more if isinstance(total, Tensor) else [a + b for a, b in zip(total, more, strict=True)]
    finally:
        _now.averaging, _now.repetition = False, 0
    if repeats == 1:
        return total
    return total / repeats if isinstance(total, Tensor) else [each / repeats for each in total]


@contextmanager
def apart() -> Iterator[None]:
    """Mark calls inside the block as parts of a network, which `guarded` must not treat as passes of their own."""
    before, _now.apart = _now.apart, True
    try:
        yield
    finally:
        _now.apart = before


@contextmanager
def guarded(net: nn.Module, behaviour: Behaviour) -> Iterator[None]:
    """Prepare every pass inside the block as its network needs; a pass is the outermost call of a module.

    Uses global hooks, so modules are unchanged except for the state lent to them during a pass.
    """
    if not behaviour.copies:
        yield
        return
    loan, around = Loan(net, behaviour.changing), list[int]()

    def before(module: nn.Module, inputs: Any) -> Any:
        around.append(id(module))
        if behaviour.evaluation and module.training:
            module.training = False
        if len(around) > 1 or _now.apart:
            return None
        if behaviour.seeded:
            seed(_now.repetition)
        if behaviour.changing:
            loan.give()
        return _copied(inputs, {}, channels_last=behaviour.channels_last)

    def after(module: nn.Module, inputs: Any, output: Any) -> None:
        if around and around[-1] == id(module):
            around.pop()
        if not around:
            loan.take_back()

    hooks = [
        nn.modules.module.register_module_forward_pre_hook(before),
        nn.modules.module.register_module_forward_hook(after, always_call=True),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        loan.take_back()


def seed(number: int) -> None:
    """Seed torch, Python and numpy."""
    torch.manual_seed(number)
    random.seed(number)
    np.random.seed(number)


def _copied(value: Any, made: dict[int, Any], *, channels_last: bool) -> Any:
    """Copy the tensors in a module's inputs, as contiguous or, where allowed, channels-last tensors.

    `made` holds the copies by identity, so that an object passed twice stays one object.
    """
    if id(value) in made:
        return made[id(value)]
    found: Any = value
    kind: Any = type(value)
    match value:
        case Tensor() if value.layout != torch.strided:
            found = value.clone()
        case Tensor():
            last = channels_last and value.dim() == 4 and value.is_contiguous(memory_format=torch.channels_last)
            found = value.clone(memory_format=torch.channels_last if last else torch.contiguous_format)
        case Mapping():
            found = kind((key, _copied(item, made, channels_last=channels_last)) for key, item in value.items())
        case list() | tuple():
            items = [_copied(item, made, channels_last=channels_last) for item in value]
            found = kind(*items) if hasattr(value, "_fields") else kind(items)
    made[id(value)] = found
    return found
