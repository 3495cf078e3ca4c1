"""A data set as a plain value: its pictures, in order, with a label each, and notes on how it was read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from models.types import Int

NO_LABEL = -1
MOST_NOTES = 1000


@dataclass(frozen=True, eq=False)
class DataSet:
    """N pictures in a fixed order. `paths` are absolute, each once.

    `labels` (N,) are rows of `classes`, `NO_LABEL` for a picture without one. `kind` says what it was opened from:
    "folder", "class folders", "COCO", "VOC", "YOLO", "table" or "list". `root` is the folder that relative paths are
    given in. `splits` (N,) name a part such as "train" for each picture, or are empty. `objects` (N,) count the
    annotated boxes of ground truth, -1 for a picture without any, or are empty. `notes`, one line each, say what
    was left out and why, what labels were taken from.
    """

    name: str
    kind: str
    root: str
    paths: tuple[str, ...]
    classes: tuple[str, ...] = ()
    labels: Int = field(default_factory=lambda: np.zeros(0, np.int64))
    splits: tuple[str, ...] = ()
    objects: Int = field(default_factory=lambda: np.zeros(0, np.int64))
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.paths):
            object.__setattr__(self, "labels", np.full(len(self.paths), NO_LABEL, np.int64))

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def nbytes(self) -> int:
        """Approximate size in bytes."""
        return sum(map(len, self.paths)) + 120 * len(self.paths)

    def label(self, row: int) -> str:
        """Return a picture's label, "" if it has none."""
        found = int(self.labels[row])
        return self.classes[found] if found >= 0 else ""

    def shown(self, row: int) -> str:
        """Return a picture's path relative to the root, with forward slashes."""
        return relative(self.paths[row], self.root)

    @cached_property
    def counts(self) -> Int:
        """The number of pictures of each class (C,)."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes))

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each path."""
        return {path: row for row, path in enumerate(self.paths)}

    @cached_property
    def digest(self) -> str:
        """A SHA-256 of paths and labels in order."""
        found = hashlib.sha256("\0".join((*self.paths, "", *self.classes)).encode("utf-8", "surrogateescape"))
        found.update(np.ascontiguousarray(self.labels).tobytes())
        return found.hexdigest()

    def label_ids(self, classes: Sequence[str]) -> Int:
        """Return, for each of the set's classes, its index in a model's `classes`, -1 if the model has no such class.

        Names are compared without surrounding blanks and, unless one matches exactly, without case; blanks and
        underscores are the same. If none matches and all the set's names are whole numbers below the number of the
        model's classes, they are indices.
        """
        exact = {name.strip(): row for row, name in enumerate(classes)}
        folded = {_folded(name): row for row, name in reversed(list(enumerate(classes)))}
        found = [exact.get(name.strip(), folded.get(_folded(name), -1)) for name in self.classes]
        if all(row < 0 for row in found) and all(name.isdecimal() for name in self.classes):
            numbers = [int(name) for name in self.classes]
            if all(number < len(classes) for number in numbers):
                found = numbers
        return np.array(found, np.int64)


def relative(path: str, root: str) -> str:
    """Return a path relative to `root` with forward slashes, or as it is where it lies elsewhere."""
    try:
        found = os.path.relpath(path, root)
    except ValueError:  # another drive
        return path
    return path if found.startswith(os.pardir) else found.replace(os.sep, "/")


def _folded(name: str) -> str:
    return name.strip().casefold().replace("_", " ")
