"""The layout of a detector's output: which columns are boxes, scores, objectness, and how they decode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.detection.box_rows import FIRST, NONE, PROBABILITIES, SIGMOID, SOFTMAX
from models.detection.peaks import surviving
from models.interpretation.box_codes import BoxCode
from models.interpretation.grids import Grid
from models.interpretation.tables import Table

MOST_PROBABILITY = 1 + 1e-4  # rounding in half precision goes above 1
PRODUCT, ROOT = "product", "root of the product"
LEAST = 1e-12


@dataclass(frozen=True)
class Columns:
    """Columns `start` to `start + count` of table number `table`."""

    table: int
    start: int
    count: int

    def of(self, tables: Sequence[Tensor]) -> Tensor:
        """Return them (N, R, count) of the tables' rows (N, R, K)."""
        return tables[self.table][..., self.start : self.start + self.count]


@dataclass(frozen=True)
class DetectorLayout:
    """How outputs stand for boxes with scores.

    `scores` are the columns of the classes, `background` says which of them is that of no object. Where there is
    `objectness` a score is its product with the class's, or the root of that. `labels` is the column of the class where
    a row has one score and names its class. `final` says that boxes were suppressed inside the network. `peaks` says
    that scores are heat maps of which the local maxima count. `landmarks` are columns of points of each box, in threes
    (x, y, visibility) or in pairs as `point_width` says, `coefficients` those of mask prototypes, `angle` that of an
    oriented box. `masks` is the output that has a mask of the whole picture for each row, -1 where there is none.
    """

    tables: tuple[Table, ...]
    boxes: tuple[Columns, ...]
    code: BoxCode
    scores: Columns
    kind: str = PROBABILITIES
    background: str = NONE
    objectness: Columns | None = None
    objectness_kind: str = PROBABILITIES
    combine: str = PRODUCT
    labels: Columns | None = None
    final: bool = False
    peaks: bool = False
    classes: int = 0
    landmarks: Columns | None = None
    point_width: int = 2
    coefficients: Columns | None = None
    angle: Columns | None = None
    masks: int = -1

    @property
    def class_count(self) -> int:
        """How many classes there are, without that of no object."""
        if self.labels is not None:
            return self.classes
        return self.scores.count - (self.background != NONE)

    def decode(self, outputs: Sequence[Tensor], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return boxes (N, R, 4) xyxy in px of an input of `size` (h, w), and scores (N, R, C) from 0 to 1."""
        return self.boxed(outputs, size), self.scored(outputs)

    def boxed(self, outputs: Sequence[Tensor], size: tuple[int, int], order: Tensor | None = None) -> Tensor:
        """Return boxes (N, R, 4) as `decode`; with an `order` (K,) those of its rows alone."""
        rows = [table.rows(outputs).float() for table in self.tables]
        columns = torch.cat([part.of(rows) for part in self.boxes], -1)
        if order is None or self.code.anchored:
            made = self.code.corners(columns, size, self.grid)
            return made if order is None else made[:, order]
        return self.code.corners(columns[:, order], size, self.grid, order)

    def scored(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return scores (N, R, C) from 0 to 1, as `decode`."""
        return self.probabilities([table.rows(outputs).float() for table in self.tables])

    @property
    def has_masks(self) -> bool:
        """Whether each box comes with a mask."""
        return self.coefficients is not None or self.masks >= 0

    def rows(self, outputs: Sequence[tuple[str, Tensor]]) -> int:
        """Return how many rows of boxes there are among outputs by name."""
        return int(self.tables[self.boxes[0].table].rows([tensor for _, tensor in outputs]).shape[1])

    @property
    def grid(self) -> Grid | None:
        """Where the rows lie, None where they lie nowhere."""
        return self.tables[self.boxes[0].table].grid

    def probabilities(self, rows: Sequence[Tensor]) -> Tensor:
        """Return the score of every class (N, R, C) from 0 to 1."""
        found = _probability(self.scores.of(rows), self.kind)
        if self.background != NONE:
            found = found[..., 1:] if self.background == FIRST else found[..., :-1]
        if self.peaks:
            found = self._peaks(found)
        if self.objectness is not None:
            found = found * _probability(self.objectness.of(rows), self.objectness_kind)
            if self.combine == ROOT:
                found = found.clamp_min(LEAST).sqrt()
        if self.labels is not None:
            label = self.labels.of(rows)[..., 0].round().long().clamp(0, self.classes - 1)
            found = found * functional.one_hot(label, self.classes).to(found)
        return found

    def factor(self, outputs: Sequence[Tensor]) -> Tensor | None:
        """Return the objectness (N, R) from 0 to 1 that is a factor of every score, None where there is none."""
        if self.objectness is None:
            return None
        rows = [table.rows(outputs).float() for table in self.tables]
        return _probability(self.objectness.of(rows), self.objectness_kind)[..., 0]

    def _peaks(self, scores: Tensor) -> Tensor:
        """Return the scores with 0 wherever one of the eight neighbours of its map is higher, or the same and first."""
        grid = self.tables[self.scores.table].grid
        assert grid is not None
        ((height, width),) = grid.shapes
        maps = scores.transpose(1, 2).unflatten(2, (height, width))
        return torch.where(surviving(maps), maps, maps.new_zeros(())).flatten(2).transpose(1, 2)


def _probability(values: Tensor, kind: str) -> Tensor:
    return {SIGMOID: values.sigmoid(), SOFTMAX: values.softmax(-1)}.get(kind, values)
