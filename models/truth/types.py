"""Ground truth as plain values: annotated pictures and data sets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from models.cards import card
from models.types import Bool, Float, Int


@dataclass(frozen=True, eq=False)
class Annotated:
    """One picture's ground truth: `boxes` (N, 4) xyxy in its pixels, `labels` (N,) rows of the truth's `classes`.

    `crowd` (N,) marks objects that count neither as found nor as missed: COCO's crowds, Pascal VOC's difficult objects.
    `path` is absolute; `size` is (width, height) as annotated, (0, 0) if not given.
    """

    path: str
    size: tuple[int, int]
    boxes: Float
    labels: Int
    crowd: Bool

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Truth:
    """A data set's ground truth. `left_out` says what could not be used and why, one line each.

    `omitted` counts what was left out, which may be more than the lines; `clipped` counts the boxes that extended
    beyond their picture and were clipped, listed in `cut`, one line each. `remarks` are about the data set as a whole.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    pictures: tuple[Annotated, ...]
    left_out: tuple[str, ...] = ()
    omitted: int = 0
    clipped: int = 0
    cut: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """All notes on how the files were read: remarks, what was left out, what was clipped."""
        return (*self.remarks, *self.left_out, *self.cut)

    @cached_property
    def objects(self) -> Int:
        """The number of boxes of each class (C,)."""
        labels = np.concatenate([np.zeros(0, np.int64), *(picture.labels for picture in self.pictures)])
        return np.bincount(labels, minlength=len(self.classes))

    @property
    def boxes(self) -> int:
        """The number of boxes."""
        return int(self.objects.sum())

    def prepare(self) -> None:
        """Compute the cached indexes of `of` and `objects` in advance, so that the first call is fast."""
        self.of(self.pictures[0].path if self.pictures else "")
        self.boxes  # noqa: B018 - computes and caches `objects`

    @cached_property
    def _by_path(self) -> dict[tuple[str, str], Annotated]:
        folders = {folder: os.path.realpath(folder) for folder in {os.path.dirname(p.path) for p in self.pictures}}
        return {(folders[os.path.dirname(p.path)], os.path.basename(p.path)): p for p in self.pictures}

    @property
    def distinct(self) -> bool:
        """Whether no picture stands in it twice, so that a path tells which one is meant."""
        return len(self._by_path) == len(self.pictures)

    def of(self, path: str | Path) -> Annotated | None:
        """Return a picture's ground truth by its path, or None. Symbolic links in its folder are resolved."""
        folder, name = os.path.split(os.path.abspath(path))
        return self._by_path.get((os.path.realpath(folder), name))

    def label_ids(self, classes: Sequence[str]) -> Int:
        """Return, for each of the truth's classes, the label id in a model's `classes` (the index), -1 if it has none.

        Surrounding blanks are ignored. Case is ignored too, unless a name matches exactly.
        """
        labels = card.label_ids(classes)
        exact = {classes[label].strip(): label for label in labels}
        folded = {classes[label].strip().casefold(): label for label in labels}
        names = [name.strip() for name in self.classes]
        return np.array([exact.get(name, folded.get(name.casefold(), -1)) for name in names], np.int64)
