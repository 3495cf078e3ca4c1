"""Ground truth as plain values. Reading files is each format's own affair, comparing with detections another's."""

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

    `crowd` (N,) marks what must be neither found nor missed: COCO's crowds, Pascal VOC's difficult objects. `path` is
    absolute; `size` is (width, height) as the annotation says, (0, 0) where it does not.
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
    """A data set's ground truth. `left_out` says, a line each, what could not be used and why.

    `omitted` counts what was left out, which may be more than there are lines; `clipped` the boxes that reached beyond
    their picture and were cut at its edge, `cut` says which, a line each. `remarks` are about the set as a whole.
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
    def told(self) -> tuple[str, ...]:
        """Everything that is to be known of how the files were read: remarks, what was left out, what was cut."""
        return (*self.remarks, *self.left_out, *self.cut)

    @cached_property
    def objects(self) -> Int:
        """How many boxes there are of each class (C,)."""
        labels = np.concatenate([np.zeros(0, np.int64), *(picture.labels for picture in self.pictures)])
        return np.bincount(labels, minlength=len(self.classes))

    @property
    def boxes(self) -> int:
        """How many boxes there are."""
        return int(self.objects.sum())

    def prepare(self) -> None:
        """Make what `of` and `objects` look into, so that the first to ask need not wait for it."""
        self.of(self.pictures[0].path if self.pictures else "")
        self.boxes  # noqa: B018 - counted and kept

    @cached_property
    def _by_path(self) -> dict[tuple[str, str], Annotated]:
        folders = {folder: os.path.realpath(folder) for folder in {os.path.dirname(p.path) for p in self.pictures}}
        return {(folders[os.path.dirname(p.path)], os.path.basename(p.path)): p for p in self.pictures}

    def of(self, path: str | Path) -> Annotated | None:
        """Return the ground truth of a picture by its path, by whichever way its folder is reached, None for none."""
        folder, name = os.path.split(os.path.abspath(path))
        return self._by_path.get((os.path.realpath(folder), name))

    def label_ids(self, classes: Sequence[str]) -> Int:
        """Return for each of the truth's classes the label id of a model whose classes are given, -1 for none.

        Surrounding blanks do not count, nor does case but where a model tells "a" from "A"; the index in `classes` is
        the label id.
        """
        labels = card.label_ids(classes)
        exact = {classes[label].strip(): label for label in labels}
        folded = {classes[label].strip().casefold(): label for label in labels}
        names = [name.strip() for name in self.classes]
        return np.array([exact.get(name, folded.get(name.casefold(), -1)) for name in names], np.int64)
