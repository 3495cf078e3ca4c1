"""What a pass has found in a data set so far: the parts that are done, as columns and arrays over all pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets import part_files
from models.datasets.part_files import Part
from models.datasets.types import DataSet
from models.types import Int

WAITING, DONE, FAILED = 0, 1, 2
Array = NDArray[Any]


def collected(data_set: DataSet, folder: str | Path, parts: Sequence[tuple[int, str]]) -> Collected:
    """Return what lies in a folder's parts, given by first row and key. A part that is gone is left out."""
    found = [(first, part_files.read(folder, key)) for first, key in parts]
    return Collected(data_set, tuple((first, part) for first, part in found if part is not None))


@dataclass(frozen=True, eq=False)
class Collected:
    """The parts of a data set of N pictures, each with the row that its first picture has in the set.

    Arrays of parts stay memory maps: `chunks` gives them one by one, `array` joins them.
    """

    data_set: DataSet
    parts: tuple[tuple[int, Part], ...] = ()

    @property
    def nbytes(self) -> int:
        """Approximate size in bytes of the columns."""
        return 400 * len(self.data_set)

    @cached_property
    def state(self) -> NDArray[np.uint8]:
        """For each picture (N,) whether it is `WAITING`, `DONE` or `FAILED`."""
        found = np.full(len(self.data_set), WAITING, np.uint8)
        for first, part in self.parts:
            found[first : first + len(part.paths)] = DONE
            for row in part.errors:
                found[first + row] = FAILED
        return found

    @cached_property
    def failures(self) -> dict[int, str]:
        """Why pictures failed, by row of the data set."""
        return {first + row: why for first, part in self.parts for row, why in part.errors.items()}

    @property
    def done(self) -> int:
        """The number of pictures that succeeded."""
        return int((self.state == DONE).sum())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns."""
        return tuple(dict.fromkeys(name for _, part in self.parts for name in part.columns))

    def column(self, name: str, fill: Any, kind: Any = None) -> Array:
        """Return a column (N,), `fill` where a picture has no value; `kind` is the array's type, that of `fill`."""
        found = np.full(len(self.data_set), fill, kind or (object if isinstance(fill, str) else None))
        for first, part in self.parts:
            values = part.columns.get(name)
            if values is not None:
                found[first : first + len(values)] = [fill if value is None else value for value in values]
        return found

    def chunks(self, name: str) -> list[tuple[int, Array]]:
        """Return the pieces (R, ...) of an array, each with the row of its first picture."""
        return [(first, part.arrays[name]) for first, part in self.parts if name in part.arrays]

    def array(self, name: str) -> Array:
        """Return an array (N, ...) in memory, NaN (0 for whole numbers) for pictures without a row."""
        pieces = self.chunks(name)
        if not pieces:
            return np.zeros((len(self.data_set), 0), np.float32)
        kind, shape = pieces[0][1].dtype, pieces[0][1].shape[1:]
        found = np.full((len(self.data_set), *shape), np.nan if kind.kind == "f" else 0, kind)
        for first, piece in pieces:
            found[first : first + len(piece)] = piece
        return found

    def merged(self, name: str) -> list[tuple[int, Array]]:
        """Return the pieces of an array that has rows of its own, each with the row of its part's first picture."""
        return [(first, part.merged[name]) for first, part in self.parts if name in part.merged]

    def rows(self, state: int = DONE) -> Int:
        """Return the rows of the pictures in a state."""
        return np.flatnonzero(self.state == state).astype(np.int64)


def lines(failures: dict[int, str], data_set: DataSet, *, most: int = 1000) -> Sequence[str]:
    """Return one line for each failed picture, at most `most`."""
    listed = sorted(failures.items())
    found = [f"{data_set.shown(row)}: {why}" for row, why in listed[:most]]
    return found if len(listed) <= most else [*found, f"and {len(listed) - most:,} more"]
