"""Peaks of heat maps: which cells are objects, which neighbours they silence, and which corners make a box.

Zhou, Wang and Krähenbühl 2019 (CenterNet) take the cells that are the largest of their 3x3 neighbourhood; of equal
neighbours the one with the lower index counts. Law and Deng 2018 (CornerNet) take every pair of the best upper left and
lower right corners of one class, whose embeddings are near and which lie as corners do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.types import Float, Int

WINDOW = 3
MOST_KILLED = 2000
TAG_DISTANCE = 1.0
PAIRED, OTHER_CLASS, TAGS_APART, NOT_CORNERS = range(4)
REASONS = ("a box", "another class", "embeddings too far apart", "not below and to the right")


@dataclass(frozen=True)
class Corners:
    """One kind of corner: `scores` (C, h, w) from 0 to 1, and of each cell (R,) its `points` (R, 2) in pixels of the
    picture and its embedding in `tags`.
    """

    scores: Float
    points: Float
    tags: Float


@dataclass(frozen=True)
class HeatMaps:
    """What a heat-map detector says of a picture before peaks are taken, by cell, in rows of R = h * w.

    `scores` (C, h, w) are from 0 to 1; `cells` (R, 2) the middle of each cell, `centres` (R, 2) and `boxes` (R, 4) what
    an object there would have, all in pixels of the picture. `sides` (R, 2) are width and height in cells. `corners`
    are the upper left and the lower right ones where the network has them.
    """

    scores: Float
    cells: Float
    centres: Float
    boxes: Float
    sides: Float
    corners: tuple[Corners, Corners] | None = None

    @property
    def nbytes(self) -> int:
        """The size of the arrays in bytes."""
        own = sum(each.nbytes for each in (self.scores, self.cells, self.centres, self.boxes, self.sides))
        return own + sum(c.scores.nbytes + c.points.nbytes + c.tags.nbytes for c in self.corners or ())


@dataclass(frozen=True)
class Peaks:
    """Cells that count as objects, best first: `label` and `cell` (K,), `score` (K,).

    Cells above the score that a neighbour silenced: `killed_label`, `killed` (M,), and `by` (M,), the neighbour's cell.
    """

    label: Int
    cell: Int
    score: Float
    killed_label: Int
    killed: Int
    by: Int


def surviving(maps: Tensor, window: int = WINDOW) -> Tensor:
    """Return which cells of maps (..., h, w) are the largest within `window` cells, an odd number, of their own map.

    Of equal cells within reach of each other only that with the lowest index survives.
    """
    reach, alive = window // 2, torch.ones_like(maps, dtype=torch.bool)
    for place, near in enumerate(_neighbours(maps, reach)):
        if place != window * window // 2:
            alive &= near < maps if place < window * window // 2 else near <= maps
    return alive


def find(scores: Float, *, window: int = WINDOW, most: int = 100, least: float = 0.0) -> Peaks:
    """Return the peaks of maps (C, h, w) whose score is above `least`, at most `most`; equal ones in their order."""
    maps = torch.from_numpy(np.ascontiguousarray(scores, np.float32))
    cells = maps[0].numel()
    alive, above = surviving(maps, window), maps > least
    own = (alive & above).flatten().nonzero()[:, 0]
    order = maps.flatten()[own].sort(descending=True, stable=True).indices[:most]
    kept = own[order]
    lost = (above & ~alive).flatten().nonzero()[:, 0]
    lost = lost[maps.flatten()[lost].sort(descending=True, stable=True).indices[:MOST_KILLED]]
    label, cell = lost // cells, lost % cells
    return Peaks(
        (kept // cells).numpy(),
        (kept % cells).numpy(),
        maps.flatten()[kept].numpy(),
        label.numpy(),
        cell.numpy(),
        _killers(maps, label, cell, window).numpy(),
    )


@dataclass(frozen=True)
class Pairs:
    """Every pair of an upper left (K,) and a lower right corner (M,), and why it is or is not a box.

    `first` and `second` are the corners as peaks. `reason` (K, M) is an index of REASONS, `distance` (K, M) that of the
    embeddings, `score` (K, M) the mean of both corners.
    """

    first: Peaks
    second: Peaks
    reason: Int
    distance: Float
    score: Float


def pair(corners: tuple[Corners, Corners], *, window: int, most: int, least: float, distance: float) -> Pairs:
    """Return all pairs of corners above the score `least`; embeddings may be up to `distance` apart.

    The reason given is the first that fails: the class, the embeddings, the places.
    """
    first, second = (find(each.scores, window=window, most=most, least=least) for each in corners)
    (tl, br), tags = corners, [c.tags[p.cell] for c, p in zip(corners, (first, second), strict=True)]
    apart = np.abs(tags[0][:, None] - tags[1][None]).astype(np.float32)
    below = (br.points[second.cell][None] > tl.points[first.cell][:, None]).all(-1)
    reason = np.full(apart.shape, PAIRED, np.int64)
    reason[~below] = NOT_CORNERS
    reason[apart > distance] = TAGS_APART
    reason[first.label[:, None] != second.label[None]] = OTHER_CLASS
    score = ((first.score[:, None] + second.score[None]) / 2).astype(np.float32)
    return Pairs(first, second, reason, apart, score)


def _neighbours(maps: Tensor, reach: int) -> list[Tensor]:
    """Return maps shifted so that each cell holds its neighbour, row by row; beyond the border is -infinity."""
    height, width = maps.shape[-2:]
    padded = functional.pad(maps, (reach,) * 4, value=float("-inf"))
    side = 2 * reach + 1
    return [padded[..., y : y + height, x : x + width] for y in range(side) for x in range(side)]


def _killers(maps: Tensor, label: Tensor, cell: Tensor, window: int) -> Tensor:
    """Return the cell of the largest neighbour of each cell (M,), the first of equal ones."""
    height, width = maps.shape[-2:]
    reach = window // 2
    y, x = cell // width, cell % width
    steps = torch.arange(-reach, reach + 1)
    rows, columns = (y[:, None] + steps.repeat_interleave(window)), (x[:, None] + steps.repeat(window))
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    near = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    values = torch.where(inside, maps.flatten(1)[label[:, None], near], float("-inf"))
    best = values.argmax(1) if len(cell) else cell
    return near.gather(1, best[:, None])[:, 0] if len(cell) else cell
