"""A network's outputs as tables: one row for each box it may have found, gathered over pyramid levels.

Outputs come as (N, R, K), transposed as (N, K, R), as maps (N, K, h, w), as maps with anchors (N, A, h, w, K) or packed
(N, A * K, h, w), with channels last as (N, h, w, K), (N, h, w, A, K) or (N, h, w, A * K), and one for each level or all
in one. A `View` says how one output is read as rows; a `Table` is the
views of all its levels, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.interpretation.grids import FIRST, LAST, Grid, fitting, level_of

ROWS, COLUMNS, MAP, ANCHOR_MAP, PACKED_MAP = "rows", "columns", "map", "anchor map", "packed map"
LAST_MAP, LAST_ANCHOR_MAP, LAST_PACKED_MAP = "last_map", "last_anchor_map", "last_packed_map"
FLAT_MAPS = (MAP, LAST_MAP)
BARE = "bare rows"  # (R, K), without a dimension for N
WIDEST = 2000
LEAST_ROWS = 32
DARKNET = 5  # anchors of a cell of YOLOv2, which has one level
DARKNET_COLUMNS = tuple(DARKNET * (5 + classes) for classes in (1, 20, 80))


def mask_rows(tensor: Tensor) -> Tensor:
    """Return masks (R, h, w) of an output (R, h, w), (R, 1, h, w) or (1, R, 1, h, w)."""
    tensor = tensor[0] if tensor.ndim == 5 and len(tensor) == 1 else tensor
    return tensor[:, 0] if tensor.ndim == 4 and tensor.shape[1] == 1 else tensor


@dataclass(frozen=True)
class View:
    """How output number `output` is read as rows: its `form`, and how many anchors a packed map has."""

    output: int
    form: str = ROWS
    anchors: int = 1

    def rows(self, tensor: Tensor) -> Tensor:
        """Return the output (N, ...) as rows (N, R, K)."""
        match self.form:
            case "bare rows":
                return tensor[None]
            case "columns":
                return flat_rows(tensor).transpose(1, 2)
            case "map":
                return tensor.flatten(2).transpose(1, 2)
            case "anchor map":
                return tensor.flatten(1, 3)
            case "last_map":
                return tensor.flatten(1, 2)
            case "last_anchor_map":
                return tensor.flatten(1, 3)
            case "last_packed_map":
                return tensor.unflatten(3, (self.anchors, -1)).flatten(1, 3)
            case "packed map":
                split = tensor.unflatten(1, (self.anchors, -1))  # (N, A, K, h, w)
                return split.permute(0, 1, 3, 4, 2).flatten(1, 3)
            case _:
                return flat_rows(tensor)


@dataclass(frozen=True)
class Table:
    """Rows gathered from the views of every level; `grid` is where they lie, None for rows that lie nowhere."""

    name: str
    views: tuple[View, ...]
    grid: Grid | None

    def rows(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return the rows (N, R, K) of a network's outputs."""
        made = [view.rows(outputs[view.output]) for view in self.views]
        return made[0] if len(made) == 1 else torch.cat(made, 1)


def flat_rows(tensor: Tensor) -> Tensor:
    """Return an output as (N, R, K): sides of 1 between are dropped, a vector has one column."""
    if tensor.ndim <= 1:
        return tensor.reshape(1, -1, 1)
    if tensor.ndim == 2:
        rows = tensor.shape[0] != 1 and tensor.shape[1] in (5, 6, 7)
        levels = tensor.shape[0] >= LEAST_ROWS and tensor.shape[1] in (1, 4, 10)  # SCRFD's, without a dimension for N
        return tensor[None] if rows or levels else tensor[:, :, None]
    if tensor.ndim > 3:
        kept = [n for n in tensor.shape[1:-1] if n != 1] or [1]
        tensor = tensor.reshape(tensor.shape[0], *kept, tensor.shape[-1])
        tensor = tensor.flatten(1, -2) if tensor.ndim > 3 else tensor
    return tensor


def gather(outputs: Sequence[tuple[str, Tensor]], size: tuple[int, int]) -> list[list[Table]]:
    """Return the ways to read outputs by name as tables of equal length, likeliest first.

    Raises nothing: outputs that are no table are left out.
    """
    single = _whole(outputs, size)
    levels = _by_level(outputs, size)
    return [tables for tables in (*levels, *single) if tables]


def _whole(outputs: Sequence[tuple[str, Tensor]], size: tuple[int, int]) -> list[list[Table]]:
    """Return readings in which one output holds all levels."""
    by_grid: dict[Grid, list[Table]] = {}
    for place, (name, tensor) in enumerate(outputs):
        rows = flat_rows(tensor)
        if tensor.ndim < 2 or rows.ndim != 3 or (tensor.ndim == 4 and min(tensor.shape[2:]) > 1):
            continue
        for form, count, width in ((ROWS, *rows.shape[1:]), (COLUMNS, rows.shape[2], rows.shape[1])):
            if width > WIDEST or (form == COLUMNS and width < 5):
                continue
            for grid in fitting(count, size):
                by_grid.setdefault(grid, []).append(Table(name, (View(place, form),), grid))
    return list(by_grid.values())


def _by_level(outputs: Sequence[tuple[str, Tensor]], size: tuple[int, int]) -> list[list[Table]]:
    """Return readings in which every level has outputs of its own."""
    found: list[list[Table]] = []
    for packed in (1, 3, DARKNET):
        pieces = [
            (place, name, *piece) for place, (name, t) in enumerate(outputs) for piece in _pieces(t, size, packed)
        ]
        if not pieces:
            continue
        for per_cell in sorted({per_cell for *_, per_cell in pieces}):
            own = [piece for piece in pieces if piece[-1] == per_cell]
            strides = tuple(sorted({stride for _, _, _, stride, _, _ in own}))
            groups = _groups(own, strides)
            alone = len(strides) == 1 and (
                len(groups) == 1 or any(v.form not in FLAT_MAPS for g in groups for _, v in g)
            )
            if not groups or (
                alone and per_cell != DARKNET
            ):  # one map of one size is what any network of features gives
                continue
            order = FIRST if any(view.form in (ANCHOR_MAP, PACKED_MAP) for g in groups for _, view in g) else LAST
            for up in (True, False):
                grid = Grid(size, strides, per_cell, order, up)
                tables = [Table(_common(group), tuple(view for _, view in group), grid) for group in groups]
                if all(sum(_count(v, outputs) for v in t.views) == grid.count for t in tables):
                    found.append(tables)
                    break
    return found


def _pieces(tensor: Tensor, size: tuple[int, int], packed: int) -> list[tuple[str, int, int, int]]:
    """Return (form, stride, columns, rows per cell) of the ways in which a tensor is one level."""
    height, width = size
    found: list[tuple[str, int, int, int]] = []
    if tensor.ndim == 5:
        for stride in (8, 16, 32, 64):
            cells = (-(-height // stride), -(-width // stride))
            if tensor.shape[2:4] == cells and tensor.shape[1] <= 9:
                found.append((ANCHOR_MAP, stride, tensor.shape[4], tensor.shape[1]))
            elif tensor.shape[1:3] == cells and tensor.shape[3] <= 9:
                found.append((LAST_ANCHOR_MAP, stride, tensor.shape[4], tensor.shape[3]))
        if found or tensor.shape[1] <= 9:
            return found
    if tensor.ndim == 4 and min(tensor.shape[2:]) > 1:
        for stride in (4, 8, 16, 32, 64, 128):
            if tensor.shape[2:4] == (-(-height // stride), -(-width // stride)):
                if packed == 1:
                    found.append((MAP, stride, tensor.shape[1], 1))
                elif packed == DARKNET and (stride != 32 or tensor.shape[1] not in DARKNET_COLUMNS):
                    continue
                elif tensor.shape[1] % packed == 0 and tensor.shape[1] // packed >= 5:
                    found.append((PACKED_MAP, stride, tensor.shape[1] // packed, packed))
        if not found:
            found += _channels_last(tensor, size, packed)
    elif packed == 1 and tensor.ndim >= 2:
        rows = flat_rows(tensor)
        if rows.ndim == 3:
            found += [(ROWS, stride, rows.shape[2], n) for stride, n in level_of(rows.shape[1], size) if n in (1, 2, 3)]
            if not found and rows.shape[1] >= 4:
                found += [(COLUMNS, stride, rows.shape[1], n) for stride, n in level_of(rows.shape[2], size) if n == 1]
    return found


def _channels_last(tensor: Tensor, size: tuple[int, int], packed: int) -> list[tuple[str, int, int, int]]:
    """Return (form, stride, columns, rows per cell) of the ways in which (N, h, w, K), as of Keras, is one level."""
    columns = int(tensor.shape[3])
    strides = [s for s in (4, 8, 16, 32, 64, 128) if tensor.shape[1:3] == (-(-size[0] // s), -(-size[1] // s))]
    if packed == 1:
        return [(LAST_MAP, stride, columns, 1) for stride in strides]
    if packed == DARKNET and (strides != [32] or columns not in DARKNET_COLUMNS):
        return []
    if columns % packed or columns // packed < 5:
        return []
    return [(LAST_PACKED_MAP, stride, columns // packed, packed) for stride in strides]


def _groups(
    pieces: Sequence[tuple[int, str, str, int, int, int]], strides: tuple[int, ...]
) -> list[list[tuple[str, View]]]:
    """Return tables as lists of (name, view), one for each stride: the n-th output of every level with such columns."""
    by_level: dict[int, list[tuple[int, str, str, int, int, int]]] = {stride: [] for stride in strides}
    taken: set[int] = set()
    for piece in pieces:
        if piece[0] not in taken:
            taken.add(piece[0])
            by_level[piece[3]].append(piece)
    counts = {len(level) for level in by_level.values()}
    if len(counts) != 1 or not counts.pop():
        return []
    groups = []
    for row in zip(*by_level.values(), strict=True):
        if len({piece[4] for piece in row}) != 1:
            return _by_columns(by_level, strides)
        groups.append([(name, View(place, form, n)) for place, name, form, _, _, n in row])
    return groups


def _by_columns(
    by_level: dict[int, list[tuple[int, str, str, int, int, int]]], strides: tuple[int, ...]
) -> list[list[tuple[str, View]]]:
    """Return tables of outputs that stand in another order on other levels, matched by their columns."""
    groups: list[list[tuple[str, View]]] = []
    widths = [piece[4] for piece in by_level[strides[0]]]
    if len(set(widths)) != len(widths):
        return []
    for width in widths:
        group = []
        for stride in strides:
            own = [piece for piece in by_level[stride] if piece[4] == width]
            if len(own) != 1:
                return []
            place, name, form, _, _, n = own[0]
            group.append((name, View(place, form, n)))
        groups.append(group)
    return groups


def _common(group: Sequence[tuple[str, View]]) -> str:
    """Return what the names of a table's outputs have in common, else the first name."""
    names = [name for name, _ in group]
    first = names[0]
    for length in range(len(first), 0, -1):
        if all(name.startswith(first[:length]) for name in names):
            return first[:length].rstrip("_.0123456789") or first
    return first


def _count(view: View, outputs: Sequence[tuple[str, Tensor]]) -> int:
    return int(view.rows(outputs[view.output][1]).shape[1])
