"""The cells of a detector's pyramid levels: how many rows a network gives for an input, and where each cell is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

STRIDES = (
    (8, 16, 32),
    (8, 16, 32, 64),
    (8, 16, 32, 64, 128),
    (4, 8, 16, 32),
    (4, 8, 16, 32, 64),
    (16, 32),
    (16, 32, 64),
    (4,),
    (8,),
    (16,),
    (32,),
)
PER_CELL = (1, 2, 3, 5, 6, 9)
LAST, FIRST = "anchor last", "anchor first"


@dataclass(frozen=True)
class Grid:
    """Cells of pyramid levels on an input of `size` (h, w) px, `per_cell` rows for each.

    Rows come level by level; within a level by row, column, anchor ("anchor last") or by anchor, row, column ("anchor
    first"). With `up` a level has ceil(side / stride) cells a side, else floor.
    """

    size: tuple[int, int]
    strides: tuple[int, ...]
    per_cell: int = 1
    order: str = LAST
    up: bool = True

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Rows and columns of each level."""
        fit = math.ceil if self.up else math.floor
        height, width = self.size
        return [(fit(height / stride), fit(width / stride)) for stride in self.strides]

    @property
    def counts(self) -> list[int]:
        """How many rows of output each level has."""
        return [rows * columns * self.per_cell for rows, columns in self.shapes]

    @property
    def count(self) -> int:
        """How many rows of output there are."""
        return sum(self.counts)

    def corners(self) -> tuple[Tensor, Tensor]:
        """Return each row's upper left corner of its cell (R, 2), x and y in cells, and its stride (R,) in px."""
        places, strides = [], []
        for stride, (rows, columns) in zip(self.strides, self.shapes, strict=True):
            y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
            cells = torch.stack([x, y], -1).reshape(-1, 2).float()
            repeated = (
                cells.repeat_interleave(self.per_cell, 0) if self.order == LAST else cells.repeat(self.per_cell, 1)
            )
            places.append(repeated)
            strides.append(torch.full((len(repeated),), float(stride)))
        return torch.cat(places), torch.cat(strides)

    def anchor_of_rows(self) -> tuple[Tensor, Tensor]:
        """Return each row's level (R,) and its anchor within the cell (R,)."""
        levels, anchors = [], []
        for level, (rows, columns) in enumerate(self.shapes):
            own = torch.arange(self.per_cell)
            cells = rows * columns
            anchors.append(own.repeat(cells) if self.order == LAST else own.repeat_interleave(cells))
            levels.append(torch.full((cells * self.per_cell,), level))
        return torch.cat(levels), torch.cat(anchors)


def fitting(count: int, size: tuple[int, int]) -> list[Grid]:
    """Return the grids that have `count` rows on an input of `size` (h, w), the usual ones first."""
    return list(_fitting(count, size))


@lru_cache(maxsize=64)
def _fitting(count: int, size: tuple[int, int]) -> tuple[Grid, ...]:
    found: list[Grid] = []
    for per_cell in PER_CELL:
        for strides in STRIDES:
            for up in (True, False):
                grid = Grid(size, strides, per_cell, FIRST if per_cell > 1 else LAST, up)
                if grid.count == count and grid.shapes not in [g.shapes for g in found if g.per_cell == per_cell]:
                    found += [grid, replace(grid, order=LAST)] if per_cell > 1 else [grid]
    return tuple(found)


def level_of(count: int, size: tuple[int, int]) -> list[tuple[int, int]]:
    """Return (stride, rows per cell) of the single levels that have `count` rows."""
    found = []
    for per_cell in PER_CELL:
        for stride in (4, 8, 16, 32, 64, 128):
            for fit in (math.ceil, math.floor):
                if (
                    fit(size[0] / stride) * fit(size[1] / stride) * per_cell == count
                    and (stride, per_cell) not in found
                ):
                    found.append((stride, per_cell))
    return found
