"""Where the rows of a recognised detector come from: the cells of its grid, or anchors, in a table's order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.detection.anchor_sets import KNOWN
from models.interpretation.box_codes import OFFSETS, YOLOV3, YOLOV5
from models.interpretation.grids import LAST, Grid
from models.interpretation.layout import DetectorLayout

Size = tuple[int, int]


@dataclass(frozen=True)
class Origins:
    """The R origins of a network's rows, by level, row, column, anchor of the cell.

    `boxes` (R, 4) xyxy in px of the input: anchors where they are `anchored`, else cells. `grids` are the rows and
    columns of each level, `per_cell` how many origins a cell has on each. `order` (R,) is the network's row of each
    origin, None where both orders are the same.
    """

    boxes: Tensor
    grids: list[Size]
    per_cell: list[int]
    order: Tensor | None
    anchored: bool


def origins_of(layout: DetectorLayout, size: Size) -> Origins | None:
    """Return the origins of a layout's rows on an input of `size` (h, w), None for rows that lie nowhere."""
    if layout.code.name == OFFSETS:
        known = KNOWN[layout.code.anchors]
        centred = known.centred(size)
        per_cell = [len(sizes) for sizes in known.sizes]
        return Origins(_around(centred[:, :2], centred[:, 2:]), known.grids(size), per_cell, None, anchored=True)
    grid = layout.grid
    if layout.final or grid is None:
        return None
    order = _order(grid)
    cells, strides = grid.corners()
    sides = strides[:, None].expand(-1, 2)
    anchored = layout.code.name in (YOLOV3, YOLOV5)
    boxes = _around((cells + 0.5) * sides, layout.code.anchor_sides(grid) if anchored else sides)
    boxes = boxes if order is None else boxes[order]
    return Origins(boxes, grid.shapes, [grid.per_cell] * len(grid.strides), order, anchored)


def _order(grid: Grid) -> Tensor | None:
    """Return the network's row of each origin (R,): within a level those of one cell are brought together."""
    if grid.order == LAST or grid.per_cell == 1:
        return None
    found, start = [], 0
    for count in replace(grid, per_cell=1).counts:
        rows = torch.arange(grid.per_cell * count).reshape(grid.per_cell, count)
        found.append(start + rows.T.flatten())
        start += grid.per_cell * count
    return torch.cat(found)


def _around(centres: Tensor, sides: Tensor) -> Tensor:
    return torch.cat([centres - sides / 2, centres + sides / 2], 1)
