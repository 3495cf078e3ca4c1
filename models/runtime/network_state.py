"""What a network holds besides its code: tensors, and whatever its modules keep as attributes. Copied, compared, lent.

A pass may change any of it: a running mean, a counter, a cache. While it runs it is lent copies of what it changes, and
gets its own back afterwards, so that the next pass begins where this one began.
"""

from __future__ import annotations

import copy
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

PARAMETERS, BUFFERS, ATTRIBUTES = "_parameters", "_buffers", ""
DEEP = 4
MOST_BYTES = 1 << 30  # of parameters that are compared by value, and can be put back
LIBRARIES = ("torch", "torchvision", "timm", "numpy", "builtins", "collections", "functools", "typing")
RANDOM = (np.random.Generator, np.random.RandomState, random.Random)
_ABSENT = object()


@dataclass(frozen=True)
class Place:
    """Where a module keeps something: the module's path, in which of its dictionaries, under which name."""

    module: str
    kind: str
    name: str

    @property
    def title(self) -> str:
        """The name that people know it by."""
        return f"{self.module}.{self.name}".lstrip(".")


class State:
    """What a network holds now, to tell later what has changed and to put it back."""

    def __init__(self, net: nn.Module) -> None:
        self._modules = dict(net.named_modules())
        size = sum(parameter.nbytes for parameter in net.parameters() if not lazy(parameter))
        self._skips = (PARAMETERS,) if size > MOST_BYTES else ()
        seen: dict[int, Any] = {}
        self._held = {place: (value, _copied(value, seen)) for place, value in self._all()}

    def changed(self) -> tuple[Place, ...]:
        """Return the places whose value is no longer what it was."""
        now = dict(self._all())
        gone = [place for place in self._held if place not in now]
        seen: set[tuple[int, int]] = set()
        moved = [
            place
            for place, value in now.items()
            if place not in self._held or not _same(self._held[place][1], value, seen)
        ]
        return tuple(sorted({*gone, *moved}, key=lambda place: place.title))

    def restore(self) -> None:
        """Put back what has changed."""
        for place in self.changed():
            value, kept = self._held.get(place, (_ABSENT, None))
            if isinstance(value, Tensor):
                with torch.inference_mode(value.is_inference()), torch.no_grad():
                    value.data.copy_(kept)
            elif value is not _ABSENT and not _same(kept, value, set()):
                value = _copied(kept, {})  # what it was, for its own was written into
            _put(self._modules[place.module], place, value)

    def _all(self) -> Iterator[tuple[Place, Any]]:
        for path, module in self._modules.items():
            for kind in (PARAMETERS, BUFFERS, ATTRIBUTES):
                if kind not in self._skips:
                    for name, value in _held(module, kind).items():
                        yield Place(path, kind, name), value


class Loan:
    """Copies of what a network's passes change, in its places from `give` to `take_back`."""

    def __init__(self, net: nn.Module, places: tuple[Place, ...]) -> None:
        modules = dict(net.named_modules())
        self._places = [(modules[place.module], place) for place in places if place.module in modules]
        self._own: list[Any] = []

    def give(self) -> None:
        """Put copies in the places."""
        self.take_back()
        seen: dict[int, Any] = {}
        with torch.inference_mode(False):
            for module, place in self._places:
                value = _held(module, place.kind).get(place.name, _ABSENT)
                self._own.append(value)
                if value is not _ABSENT:
                    _put(module, place, _copied(value, seen))

    def take_back(self) -> None:
        """Put what was there before the pass back."""
        for (module, place), value in zip(self._places, self._own, strict=False):
            _put(module, place, value)
        self._own.clear()


def _held(module: nn.Module, kind: str) -> Mapping[str, Any]:
    """Return what a module keeps of one kind, by name."""
    if isinstance(module, torch.jit.ScriptModule):
        found = {PARAMETERS: module.named_parameters, BUFFERS: module.named_buffers}
        if kind in found:
            return dict(found[kind](recurse=False))
        return {name: module._c.getattr(name) for name in _written(module)}
    if kind:
        return getattr(module, kind, {})
    return {name: value for name, value in vars(module).items() if name not in (PARAMETERS, BUFFERS, "_modules")}


def _written(module: torch.jit.ScriptModule) -> set[str]:
    """Return the names of the attributes, no tensors of its own, that a program writes."""
    graphs = [module._c._get_method(name).graph for name in module._c._method_names()]
    nodes = [node for graph in graphs for node in graph.findAllNodes("prim::SetAttr")]
    names = {node.s("name") for node in nodes}
    tensors = {name for name, _ in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))}
    return {name for name in names - tensors if module._c.hasattr(name)}


def _put(module: nn.Module, place: Place, value: Any) -> None:
    if isinstance(module, torch.jit.ScriptModule):
        if value is not _ABSENT:
            module._c.setattr(place.name, value)
        return
    holder = getattr(module, place.kind) if place.kind else vars(module)
    if value is _ABSENT:
        holder.pop(place.name, None)
    else:
        holder[place.name] = value


def _copied(value: Any, seen: dict[int, Any], depth: int = 0) -> Any:
    """Return a copy that shares nothing which a pass could write into; of what is not known, the thing itself."""
    if id(value) in seen:
        return seen[id(value)]
    made = value
    match value:
        case Tensor():
            made = value if lazy(value) else value.detach().clone()
            if isinstance(value, nn.Parameter) and not lazy(value):
                made = nn.Parameter(made, requires_grad=value.requires_grad)
        case np.ndarray():
            made = value.copy()
        case torch.Generator():
            made = value.clone_state()
        case dict() | list() | set() | deque() | tuple() if depth < DEEP:
            made = _container(value, lambda item: _copied(item, seen, depth + 1))
        case _ if isinstance(value, RANDOM):
            made = copy.deepcopy(value)
        case _ if depth < DEEP and _of_ones_own(value):
            made = copy.copy(value)
            vars(made).update({name: _copied(item, seen, depth + 1) for name, item in vars(value).items()})
    seen[id(value)] = made
    return made


def _container(value: Any, make: Callable[[Any], Any]) -> Any:
    """Return a container of the same kind with other items."""
    if isinstance(value, tuple):
        items = [make(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    made = copy.copy(value)
    with suppress(TypeError):  # of a kind of one's own
        if isinstance(value, dict):
            made.update({key: make(item) for key, item in value.items()})
        elif isinstance(value, list | deque):
            for at, item in enumerate(value):
                made[at] = make(item)
    return made


def _same(kept: Any, now: Any, seen: set[tuple[int, int]]) -> bool:
    """Tell whether a value is what its copy says; what is no number equals itself."""
    if kept is now:
        return True
    if type(kept) is not type(now):
        return False
    if isinstance(now, dict | list | tuple | deque) or _of_ones_own(now):
        if (id(kept), id(now)) in seen:  # they hold each other
            return True
        seen.add((id(kept), id(now)))
    match now:
        case Tensor():
            return lazy(now) or _bits_equal(kept, now)
        case np.ndarray():
            return kept.dtype == now.dtype and kept.shape == now.shape and kept.tobytes() == now.tobytes()
        case torch.Generator():
            return bool(torch.equal(kept.get_state(), now.get_state()))
        case dict():
            return kept.keys() == now.keys() and all(_same(kept[key], now[key], seen) for key in now)
        case list() | tuple() | deque():
            return len(kept) == len(now) and all(_same(a, b, seen) for a, b in zip(kept, now, strict=True))
        case np.random.Generator():
            return _same(kept.bit_generator.state, now.bit_generator.state, seen)
        case np.random.RandomState():
            return _same(kept.get_state(legacy=False), now.get_state(legacy=False), seen)
        case random.Random():
            return kept.getstate() == now.getstate()
    if _of_ones_own(now):
        return _same(vars(kept), vars(now), seen)
    try:
        return bool(kept == now) or (kept != kept and now != now)  # noqa: PLR0124 - NaN
    except Exception:  # what compares in a way of its own
        return False


def _bits_equal(kept: Tensor, now: Tensor) -> bool:
    if kept.shape != now.shape or kept.dtype != now.dtype or kept.device != now.device:
        return False
    if now.layout != torch.strided or now.is_quantized:
        return True
    with torch.inference_mode():
        return bool(torch.equal(kept, now)) or bool(torch.allclose(kept, now, rtol=0, atol=0, equal_nan=True))


def _of_ones_own(value: Any) -> bool:
    """Tell whether this is an object of somebody's own class that keeps things as attributes."""
    kind = type(value)
    if isinstance(value, nn.Module | type) or callable(value) or not hasattr(value, "__dict__"):
        return False
    return kind.__module__.partition(".")[0] not in LIBRARIES


def lazy(value: Any) -> bool:
    """Tell whether a parameter takes its shape from the first pass."""
    return isinstance(value, UninitializedParameter | UninitializedBuffer)
