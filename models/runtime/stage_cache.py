"""The cache of stage outputs: least recently used, with a budget in bytes."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterator, Mapping
from typing import Any, TypeVar

from models.runtime.context import Context
from models.types import Refusal, Source

T = TypeVar("T")
HOST_BYTES = 1 << 30
NETWORK = ("backbone", "head")  # stages that hold the network's own values, checked for NaN


class Cache:
    """Values by key within a budget of bytes. A value larger than the budget is not stored."""

    def __init__(self, budget_bytes: int = HOST_BYTES) -> None:
        self.budget_bytes = budget_bytes
        self.used_bytes = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def __getitem__(self, key: Hashable) -> Any:
        self._values.move_to_end(key)
        return self._values[key][0]

    def get(self, key: Hashable, default: Any = None) -> Any:
        """Return the value of a key, or `default`."""
        return self[key] if key in self._values else default

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
        """Add every value of another cache."""
        for key, (value, _) in other._values.items():
            self[key] = value

    def discard(self, key: Hashable) -> None:
        """Remove a key, if present."""
        if key in self._values:
            self.used_bytes -= self._values.pop(key)[1]


class CachedStages:
    """The stages of one scope (a model on an image, the `source`) over a shared cache, timed into a context."""

    def __init__(self, cache: Cache, scope: Hashable, context: Context, *, source: Source | None = None) -> None:
        self.cache = cache
        self.scope = scope
        self.context = context
        self.source = source

    def run(self, name: str, make: Callable[[], T], *key: object) -> T:
        """Return the cached value of stage `name` for `key`; otherwise compute, time and store it. Raises Cancelled."""
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
        """Report the fraction done of a long stage, None if unknown. Raises Cancelled."""
        self.context.progress(fraction, text)

    def time(self, name: str, make: Callable[[], T]) -> T:
        """Compute a value that is cheaper to compute than to store, timed like a stage."""
        with self.context.stage(name):
            return make()

    def peek(self, name: str, *key: object) -> Any | None:
        """Return the cached value of stage `name` for `key`, or None."""
        full = (self.scope, name, key)
        if full not in self.cache:
            return None
        return self.cache[full]

    def keep(self, name: str, value: object, *key: object) -> None:
        """Store a value of stage `name` that was computed outside `run`."""
        self.cache[(self.scope, name, key)] = value

    def model(self, name: str) -> Any:
        """Return another opened model, such as a classifier in whose scores images are compared. Raises Refusal."""
        if self.context.model is None:
            raise Refusal(f"{name} cannot be opened here.", advice="Ask the engine.")
        return self.context.model(name)

    def while_idle(self, name: str, steps: Iterator[None]) -> None:
        """Run work in slices while the engine is idle, unless work of that name is pending; its result is not cached.

        The name is global to the engine, not specific to this model and image.
        """
        if self.context.later is not None:
            self.context.later(name, steps)

    def later(self, name: str, steps: Callable[[], Generator[None, None, T]], *key: object) -> None:
        """Compute stage `name` in slices while the engine is idle, unless it is cached or pending.

        A value too large for memory is cached as None and is not tried again.
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
    """Return whether a value holds a tensor with NaN; one sum per tensor shows it."""
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
    """Return the size in bytes of the arrays and tensors in a value; 64 for anything without a size.

    Looks through dictionaries, lists, tuples, and dataclasses without their own `nbytes`.
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
