"""The cache of stage outputs: least recently used goes first, counted in bytes. No torch."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterator, Mapping
from typing import Any, TypeVar

from models.runtime.context import Context
from models.types import Refusal, Source

T = TypeVar("T")
HOST_BYTES = 1 << 30
NETWORK = ("backbone", "head")  # stages that are the network's own values


class Cache:
    """Values by key within a budget of bytes. A value larger than the budget is not kept."""

    def __init__(self, budget_bytes: int = HOST_BYTES) -> None:
        self.budget_bytes = budget_bytes
        self.used_bytes = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def __getitem__(self, key: Hashable) -> Any:
        self._values.move_to_end(key)
        return self._values[key][0]

    def __setitem__(self, key: Hashable, value: Any) -> None:
        self.discard(key)
        size = size_of(value)
        if size > self.budget_bytes:
            return
        self._values[key] = (value, size)
        self.used_bytes += size
        while self.used_bytes > self.budget_bytes:
            _, (_, freed) = self._values.popitem(last=False)
            self.used_bytes -= freed

    def update(self, other: Cache) -> None:
        """Take over every value of another cache."""
        for key, (value, _) in other._values.items():
            self[key] = value

    def discard(self, key: Hashable) -> None:
        """Forget a key, if it is there."""
        if key in self._values:
            self.used_bytes -= self._values.pop(key)[1]


class CachedStages:
    """The stages of one scope (a model on a picture, the `source`) over a shared cache, timed into a context."""

    def __init__(self, cache: Cache, scope: Hashable, context: Context, *, source: Source | None = None) -> None:
        self.cache = cache
        self.scope = scope
        self.context = context
        self.source = source

    def run(self, name: str, make: Callable[[], T], *key: object) -> T:
        """Return the cached value of stage `name` for `key`, or make it, time it and keep it."""
        full = (self.scope, name, key)
        if full in self.cache:
            return self.cache[full]
        self.context.progress(None, name)
        with self.context.stage(name):
            value = make()
        if name in NETWORK and not_numbers(value):
            self.context.odd.append(name)
        self.cache[full] = value
        return value

    def progress(self, fraction: float | None, text: str) -> None:
        """Report how much of a long stage is done, None for unknown. Raises Cancelled when it was called off."""
        self.context.progress(fraction, text)

    def time(self, name: str, make: Callable[[], T]) -> T:
        """Make a value that is quicker to make than to keep, timed like a stage."""
        with self.context.stage(name):
            return make()

    def peek(self, name: str, *key: object) -> Any | None:
        """Return the cached value of stage `name` for `key`, or None."""
        full = (self.scope, name, key)
        if full not in self.cache:
            return None
        return self.cache[full]

    def keep(self, name: str, value: object, *key: object) -> None:
        """Keep a value of stage `name` that was made together with others."""
        self.cache[(self.scope, name, key)] = value

    def model(self, name: str) -> Any:
        """Return another model, opened, such as one whose scores pictures are compared in. Raises Refusal."""
        if self.context.model is None:
            raise Refusal(f"{name} cannot be opened here.", advice="Ask the engine.")
        return self.context.model(name)

    def meanwhile(self, name: str, steps: Iterator[None]) -> None:
        """Have work done in slices while the engine is idle, unless work of that name is under way; none of it is kept.

        The name is the engine's own, whatever the model and picture.
        """
        if self.context.later is not None:
            self.context.later(name, steps)

    def later(self, name: str, steps: Callable[[], Generator[None, None, T]], *key: object) -> None:
        """Have stage `name` made in slices while the engine is idle, unless it is there or under way.

        What turns out too large for memory stays absent and is not tried again.
        """
        full = (self.scope, name, key)
        if full not in self.cache and self.context.later is not None:
            self.context.later(full, self._finish(full, steps))

    def _finish(self, full: Hashable, steps: Callable[[], Generator[None, None, T]]) -> Iterator[None]:
        try:
            value = yield from steps()
        except MemoryError:
            value = None
        self.cache[full] = value


def not_numbers(value: Any) -> bool:
    """Tell whether a tensor in a value holds what is not a number: one sum over each tells."""
    if dataclasses.is_dataclass(value):
        return any(not_numbers(getattr(value, part.name)) for part in dataclasses.fields(value))
    match value:
        case Mapping():
            return any(not_numbers(v) for v in value.values())
        case list() | tuple():
            return any(not_numbers(v) for v in value)
        case _:
            return hasattr(value, "is_floating_point") and value.is_floating_point() and bool(value.sum().isnan())


def size_of(value: Any) -> int:
    """Return the bytes of arrays and tensors in a value; 64 for anything that has none.

    It looks through dictionaries, lists, tuples, and dataclasses that do not tell their own `nbytes`.
    """
    if dataclasses.is_dataclass(value) and not hasattr(value, "nbytes"):
        return sum(size_of(getattr(value, part.name)) for part in dataclasses.fields(value))
    match value:
        case Mapping():
            return sum(size_of(v) for v in value.values())
        case list() | tuple():
            return sum(size_of(v) for v in value)
        case _:
            return int(getattr(value, "nbytes", 64))
