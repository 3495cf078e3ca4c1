"""What is collected in a pass over a data set: the interface of a product and of its collector.

`models.dataset_pass.batch` holds what a pass gives. A minimal product, a frozen dataclass whose fields are the
parameters that its values depend on:

    @dataclass(frozen=True)
    class Brightness:
        name: ClassVar[str] = "brightness"
        version: ClassVar[int] = 1  # raise it when the same parameters give other values

        def collector(self, forward: Forward) -> Collector:
            return _Brightness()

    class _Brightness(Collecting):
        def add(self, batch: Batch) -> None:
            self.column("brightness", batch.inputs.mean((1, 2, 3)).tolist())

Its name, version and fields are part of the key of the part files, so a changed parameter never meets old values. A
collector that wants the values of layers overrides `see`, which is called for every call of the network during the pass
and must read the value at once. `column` and `array` add one row per picture of the batch, in its order; a picture that
fails gets a row by itself (None, NaN or 0). What is not one row per picture, such as the best patches of a unit, is
returned by `merged`, where `self.rows` are the rows of the part that the pictures seen so far have.

All products of a job share one forward pass per batch: `Job(opened, data_set, (Embeddings(...), Predictions(), ...))`.
One with `own_pass: ClassVar[bool] = True` does without: it passes the batch's `pixels` itself, in `check`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.dataset_pass.batch import Batch
from models.dataset_pass.forward import Forward
from models.tracing.traced_calls import Call

Array = NDArray[Any]


class Collector(Protocol):
    """Collects one product over the pictures of a shard."""

    def see(self, call: Call, value: Tensor) -> None:
        """Read a call's value for the pictures of the batch that is running; the value may change afterwards."""
        ...

    def see_input(self, module: str, value: Tensor) -> None:
        """Read the input of a module, if the product `wants_inputs` of it."""
        ...

    def forget(self) -> None:
        """Drop what was seen since the last `add`: the pass failed and is done again with fewer pictures."""
        ...

    def check(self, batch: Batch) -> None:
        """Raise Refusal if a batch has no usable values; nothing of it is kept then, by any product."""
        ...

    def add(self, batch: Batch) -> None:
        """Take in a batch that passed every product's check."""
        ...

    def part(self, rows: Sequence[int], of: int) -> tuple[dict[str, list[Any]], dict[str, Array], dict[str, Array]]:
        """Return columns, arrays (of `of` rows each) and merged arrays; `rows` are the places of what was added."""
        ...


class Product(Protocol):
    """What is collected: a frozen dataclass whose fields are plain values."""

    name: ClassVar[str]
    version: ClassVar[int]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def wants_inputs(self) -> tuple[str, ...]:
        """The paths of modules whose inputs are wanted."""
        ...

    def collector(self, forward: Forward) -> Collector:
        """Return a collector for the pictures of one shard."""
        ...


@dataclass
class Collecting:
    """The common part of collectors: keeps columns and arrays row by row."""

    rows: list[int] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)
    arrays: dict[str, list[Array]] = field(default_factory=dict)

    def see(self, call: Call, value: Tensor) -> None:
        """Ignore a layer's value."""

    def see_input(self, module: str, value: Tensor) -> None:
        """Ignore a module's input."""

    def forget(self) -> None:
        """Have nothing to drop."""

    def check(self, batch: Batch) -> None:
        """Accept every batch."""

    def add(self, batch: Batch) -> None:
        """Take in a batch."""
        raise NotImplementedError

    def column(self, name: str, values: Sequence[Any]) -> None:
        """Add a column's values for the pictures of a batch; numbers that are not finite become None."""
        self.columns.setdefault(name, []).extend(plain(value) for value in values)

    def array(self, name: str, values: Array) -> None:
        """Add an array's rows for the pictures of a batch."""
        self.arrays.setdefault(name, []).append(values)

    def merged(self) -> Mapping[str, Array]:
        """Return the arrays that do not have one row per picture."""
        return {}

    def part(self, rows: Sequence[int], of: int) -> tuple[dict[str, list[Any]], dict[str, Array], dict[str, Array]]:
        """Return columns, arrays and merged arrays, with gaps where pictures failed."""
        self.rows = list(rows)
        columns: dict[str, list[Any]] = {}
        for name, values in self.columns.items():
            whole: list[Any] = [None] * of
            for row, value in zip(rows, values, strict=True):
                whole[row] = value
            columns[name] = whole
        arrays = {}
        for name, found in self.arrays.items():
            joined = np.concatenate(found)
            gap = np.nan if joined.dtype.kind == "f" else 0
            spread = np.full((of, *joined.shape[1:]), gap, joined.dtype)
            spread[list(rows)] = joined
            arrays[name] = spread
        return columns, arrays, dict(self.merged())


def plain(value: Any) -> Any:
    """Return a value that JSON can hold."""
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
