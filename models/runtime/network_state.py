"""The state of a network (tensors and its modules' attributes): copy it, compare it, replace it during a pass.

A pass may change any of it: a running mean, a counter, a cache. During a pass the network gets copies of the state that
it changes, and afterwards its own state back, so that the next pass starts from the same state.
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
MOST_BYTES = 1 << 30  # up to this size, parameters are copied, compared by value, and can be restored
LIBRARIES = ("torch", "torchvision", "timm", "numpy", "builtins", "collections", "functools", "typing")
RANDOM = (np.random.Generator, np.random.RandomState, random.Random)
_ABSENT = object()


@dataclass(frozen=True)
class Place:
    """The location of a value: the module's path, which of its dictionaries, and the name in it."""

    module: str
    kind: str
    name: str

    @property
    def title(self) -> str:
        """The dotted name, for messages."""
        return f"{self.module}.{self.name}".lstrip(".")


class State:
    """A snapshot of a network's state, to find out later what has changed and to restore it."""

    def __init__(self, net: nn.Module) -> None:
        self._modules = dict(net.named_modules())
        size = sum(parameter.nbytes for parameter in net.parameters() if not lazy(parameter))
        self._skips = (PARAMETERS,) if size > MOST_BYTES else ()
        seen: dict[int, Any] = {}
        self._held = {place: (value, _copied(value, seen)) for place, value in self._all()}

    def changed(self) -> tuple[Place, ...]:
        """Return the places whose value differs from the snapshot."""
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
        """Restore everything that has changed."""
        for place in self.changed():
            value, kept = self._held.get(place, (_ABSENT, None))
            if isinstance(value, Tensor):
                with torch.inference_mode(value.is_inference()), torch.no_grad():
                    value.data.copy_(kept)
            elif value is not _ABSENT and not _same(kept, value, set()):
                value = _copied(kept, {})  # the original object itself was modified, so use the copy
            _put(self._modules[place.module], place, value)

    def _all(self) -> Iterator[tuple[Place, Any]]:
        for path, module in self._modules.items():
            for kind in (PARAMETERS, BUFFERS, ATTRIBUTES):
                if kind not in self._skips:
                    for name, value in _held(module, kind).items():
                        yield Place(path, kind, name), value


class Loan:
    """Replaces the state that a network's passes change by copies, from `give` to `take_back`."""

    def __init__(self, net: nn.Module, places: tuple[Place, ...]) -> None:
        modules = dict(net.named_modules())
        self._places = [(modules[place.module], place) for place in places if place.module in modules]
        self._own: list[Any] = []

    def give(self) -> None:
        """Replace the values by copies."""
        self.take_back()
        seen: dict[int, Any] = {}
        with torch.inference_mode(False):
            for module, place in self._places:
                value = _held(module, place.kind).get(place.name, _ABSENT)
                self._own.append(value)
                if value is not _ABSENT:
                    _put(module, place, _copied(value, seen))

    def take_back(self) -> None:
        """Put the original values back."""
        for (module, place), value in zip(self._places, self._own, strict=False):
            _put(module, place, value)
        self._own.clear()


def _held(module: nn.Module, kind: str) -> Mapping[str, Any]:
    """Return a module's values of one kind, by name."""
    if isinstance(module, torch.jit.ScriptModule):
        found = {PARAMETERS: module.named_parameters, BUFFERS: module.named_buffers}
        if kind in found:
            return dict(found[kind](recurse=False))
        return {name: module._c.getattr(name) for name in _written(module)}
    if kind:
        return getattr(module, kind, {})
    return {name: value for name, value in vars(module).items() if name not in (PARAMETERS, BUFFERS, "_modules")}


def _written(module: torch.jit.ScriptModule) -> set[str]:
    """Return the names of the attributes that a TorchScript module writes, without its parameters and buffers."""
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
    """Copy a value so that the copy shares nothing a pass could write into; return unknown types as they are."""
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
        case _ if depth < DEEP and _has_own_class(value):
            made = copy.copy(value)
            vars(made).update({name: _copied(item, seen, depth + 1) for name, item in vars(value).items()})
    seen[id(value)] = made
    return made


def _container(value: Any, make: Callable[[Any], Any]) -> Any:
    """Return a container of the same type with `make` applied to its items."""
    if isinstance(value, tuple):
        items = [make(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    made = copy.copy(value)
    with suppress(TypeError):  # subclasses may not support item assignment
        if isinstance(value, dict):
            made.update({key: make(item) for key, item in value.items()})
        elif isinstance(value, list | deque):
            for at, item in enumerate(value):
                made[at] = make(item)
    return made


def _same(kept: Any, now: Any, seen: set[tuple[int, int]]) -> bool:
    """Return whether a value equals its copy; NaN equals NaN."""
    if kept is now:
        return True
    if type(kept) is not type(now):
        return False
    if isinstance(now, dict | list | tuple | deque) or _has_own_class(now):
        if (id(kept), id(now)) in seen:  # already being compared: a reference cycle
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
    if _has_own_class(now):
        return _same(vars(kept), vars(now), seen)
    try:
        return bool(kept == now) or (kept != kept and now != now)  # noqa: PLR0124 - NaN
    except Exception:  # a user's `__eq__` may raise anything
        return False


def _bits_equal(kept: Tensor, now: Tensor) -> bool:
    if kept.shape != now.shape or kept.dtype != now.dtype or kept.device != now.device:
        return False
    if now.layout != torch.strided or now.is_quantized:
        return True
    with torch.inference_mode():
        return bool(torch.equal(kept, now)) or bool(torch.allclose(kept, now, rtol=0, atol=0, equal_nan=True))


def _has_own_class(value: Any) -> bool:
    """Return whether a value is an instance of a user's class with instance attributes."""
    kind = type(value)
    if isinstance(value, nn.Module | type) or callable(value) or not hasattr(value, "__dict__"):
        return False
    return kind.__module__.partition(".")[0] not in LIBRARIES


def lazy(value: Any) -> bool:
    """Return whether a parameter is uninitialised until the first pass gives it a shape."""
    return isinstance(value, UninitializedParameter | UninitializedBuffer)
