"""Measured pictures of a data set in files, so that an engine that replaces another goes on from what that had.

A file `<key>-<number>.npz` holds some pictures by their row in the ground truth. The key stands for model, settings and
ground truth; what else may have changed, such as the code of a model, is found out by measuring one picture again.
"""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models.evaluation.measure import Measured
from models.output_files import write_whole
from models.types import Source

EVERY_S = 1.0
COLUMNS = tuple(Measured.__dataclass_fields__)
TOLERANCE = 1e-4  # of boxes in pixels and of scores: a pass need not give the same last bit again


class Kept:
    """The files of one evaluation. `add` collects pictures and writes them about once a second; it never raises."""

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self._key = folder, key
        self._waiting: dict[int, Measured] = {}
        self._written = time.monotonic()

    def add(self, row: int, measured: Measured) -> None:
        """Keep a picture."""
        self._waiting[row] = measured
        if time.monotonic() - self._written >= EVERY_S:
            self.write()

    def write(self) -> None:
        """Write what waits."""
        if not self._waiting:
            return
        columns = {f"{row}.{name}": getattr(one, name) for row, one in self._waiting.items() for name in COLUMNS}
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **columns)
        number = len(list(self._folder.glob(f"{self._key}-*.npz")))
        try:
            write_whole(self._folder / f"{self._key}-{number}.npz", content.getvalue())
        except OSError:
            return  # a full disk costs only what a replaced engine would have gained
        self._waiting, self._written = {}, time.monotonic()

    def read(self, rows: int) -> dict[int, Measured]:
        """Return the pictures kept before, of a ground truth with so many; files that cannot be read count as none."""
        found: dict[int, Measured] = {}
        for path in sorted(self._folder.glob(f"{self._key}-*.npz")):
            try:
                with path.open("rb") as file, np.load(file, allow_pickle=False) as columns:
                    there = {int(name.partition(".")[0]) for name in columns.files}
                    for row in there:
                        found[row] = Measured(*(columns[f"{row}.{name}"] for name in COLUMNS))
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                continue
        return {row: one for row, one in found.items() if 0 <= row < rows}

    def clear(self) -> None:
        """Remove the files: they are of another model."""
        for path in self._folder.glob(f"{self._key}-*.npz"):
            path.unlink(missing_ok=True)

    def resume(self, rows: int, measure: Callable[[int], Measured | None]) -> dict[int, Measured]:
        """Return what was kept, if one of its pictures `measure`d again is the same; else remove it, return nothing."""
        found = self.read(rows)
        if not found:
            return {}
        row = min(found)
        again = measure(row)
        if again is None or not same(again, found[row]):
            self.clear()
            return {}
        return found


def opened(folder: Path | None, *about: Any) -> Kept | None:
    """Return the files in a folder of what `about` says (model, settings, a Source, ...), None without a folder."""
    if folder is None:
        return None
    parts = [(each.path, each.stamp) if isinstance(each, Source) else each for each in about]
    return Kept(folder, hashlib.sha256(repr(parts).encode()).hexdigest()[:24])


def same(one: Measured, other: Measured) -> bool:
    """Return whether two measurements of a picture agree but for rounding."""
    pairs = [(getattr(one, name), getattr(other, name)) for name in ("boxes", "score", "label", "iou")]
    return all(a.shape == b.shape and np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE) for a, b in pairs)
