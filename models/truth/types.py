"""Ground truth as plain values. Reading files is each format's own affair, comparing with detections another's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from models import cards
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
    """A data set's ground truth. `left_out` says, a line each, what could not be used and why."""

    name: str
    kind: str
    classes: tuple[str, ...]
    pictures: tuple[Annotated, ...]
    left_out: tuple[str, ...] = ()

    @cached_property
    def _by_path(self) -> dict[str, Annotated]:
        return {picture.path: picture for picture in self.pictures}

    def of(self, path: str | Path) -> Annotated | None:
        """Return the ground truth of a picture by its absolute path, None if there is none."""
        return self._by_path.get(str(Path(path).absolute()))

    def label_ids(self, classes: Sequence[str]) -> Int:
        """Return for each of the truth's classes the label id of a model whose classes are given, -1 for none.

        Names are compared without case and surrounding blanks; the index in `classes` is the label id.
        """
        known = {classes[label].strip().casefold(): label for label in cards.label_ids(classes)}
        return np.array([known.get(name.strip().casefold(), -1) for name in self.classes], np.int64)
