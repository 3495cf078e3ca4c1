"""How a network of somebody else's is passed through: what each pass is given, and how many go together.

What writes into its input gets copies of it, contiguous as anybody would give them; what changes itself is lent copies
of that; what draws random numbers draws the same ones for the same question; what answers several inputs otherwise
than one gets one at a time. Nothing of it is done to a network of a known family.
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
    """What the passes of a network need. `notes` say for people what was found of it.

    With `copies` each pass gets its own copy of the input; `changing` are the places of the network that a pass writes
    into. `seeded`: it draws random numbers. `alone`: one input at a time. `channels_last`: its inputs may lie so in
    memory. `repeats` passes, of other random numbers each, are averaged. With `evaluation` no module runs in training
    mode, whatever the network's code sets.
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
        """Whether a pass changes nothing of the network and draws nothing."""
        return not self.changing and not self.seeded

    @property
    def about(self) -> dict[str, Any]:
        """What a Subject says of the passes."""
        return {"channels_last": self.channels_last, "steady": self.steady}

    def subject(self, found: Subject) -> Subject:
        """Return what is looked into, so that its inputs go through the network as they must."""
        return replace(found, scores=through(self, found.scores), **self.about)


INNOCENT = Behaviour()
CAREFUL = Behaviour(copies=True, alone=True, channels_last=False)  # of what could not be observed


@dataclass
class _Now:
    """Which of the passes that are averaged this is, whether any are, and whether parts of a network run alone."""

    repetition: int = 0
    averaging: bool = False
    apart: bool = False


_now = _Now()


def repetition() -> int:
    """Return which of the passes that are averaged this one is, from 0."""
    return _now.repetition


def through(behaviour: Behaviour, run: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    """Return `run`, which takes inputs (N, ...) to a tensor or a list of tensors with N rows, one input at a time and
    averaged over passes where that is called for.
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
    """Let parts of a network run one by one inside, as parts: they are no passes of their own."""
    before, _now.apart = _now.apart, True
    try:
        yield
    finally:
        _now.apart = before


@contextmanager
def guarded(net: nn.Module, behaviour: Behaviour) -> Iterator[None]:
    """Give every pass made inside what its network needs; a pass is the outermost call of a module.

    No module is touched but for what is lent to it while it runs.
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
    """Let every source of random numbers begin anew."""
    torch.manual_seed(number)
    random.seed(number)
    np.random.seed(number)


def _copied(value: Any, made: dict[int, Any], *, channels_last: bool) -> Any:
    """Return a copy of the tensors in what a module is given; they are contiguous, or channels last where they may.

    What is given twice is one copy, which `made` keeps by identity.
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
