"""Non-maximum suppression under a moving IoU threshold, with a record of which box removed which."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.types import Bool, Float, Int

MOST_EDGES = 10_000_000
TILE = 32
PAIRS = 1 << 16

Edges = tuple[NDArray[np.int32], NDArray[np.int32], Float]


@dataclass(frozen=True, eq=False)
class Suppression:
    """The outcome of greedy suppression of N candidates at one threshold.

    `kept` (K,) are candidate indices, best score first; equal scores keep their input order.
    """

    kept: Int
    _explain: Callable[[], tuple[Int, Float]] = field(repr=False)

    @cached_property
    def _removal(self) -> tuple[Int, Float]:
        return self._explain()

    @property
    def removed_by(self) -> Int:
        """(N,) the best-ranked kept candidate whose overlap with each removed one is too large; -1 for the others."""
        return self._removal[0]

    @property
    def removed_iou(self) -> Float:
        """(N,) the IoU with `removed_by`, 0 where that is -1."""
        return self._removal[1]


@dataclass(frozen=True, eq=False)
class SuppressionGraph:
    """The overlapping pairs of one image's candidates, built once; each `tick` is then exact greedy suppression.

    A pair is an edge from the better ranked box to the worse, stored where the IoU is above `floor`. `_iou` ascends, so
    the edges of any higher threshold are a suffix. Nodes are ranks; `_order` (N,) maps them to candidates.
    """

    floor: float
    _order: Int
    _columns: Float
    _better: NDArray[np.intp]
    _worse: NDArray[np.intp]
    _iou: Float
    _peak: Float

    @classmethod
    def build(
        cls, boxes: Float, score: Float, group: Int | None = None, *, floor: float = 0.1, distance: bool = False
    ) -> SuppressionGraph:
        """Build the graph of `boxes` (N, 4) xyxy in any unit and `score` (N,); see `steps`."""
        stages = cls.steps(boxes, score, group, floor=floor, distance=distance)
        while True:
            try:
                next(stages)
            except StopIteration as done:
                return done.value

    @classmethod
    def steps(
        cls, boxes: Float, score: Float, group: Int | None = None, *, floor: float = 0.1, distance: bool = False
    ) -> Generator[None, None, SuppressionGraph]:
        """Build the graph in slices of a few milliseconds, for an idle loop that may stop after any of them.

        Boxes suppress each other only within their `group` (N,), such as the label; None is one group for all. With
        `distance`, DIoU replaces IoU (Zheng et al. 2020), which spares boxes with different centres. The longest slices
        sort all edges: about 20 ms for a million. Raises ValueError for a negative floor, MemoryError for more than
        `MOST_EDGES` pairs (20 bytes each).
        """
        if not floor >= 0:
            raise ValueError(f"the floor is {floor}, it must be 0 or more")
        order = ranking(score)
        columns = columns_of(boxes[order])
        kind = np.zeros(len(order), np.int64) if group is None else np.asarray(group)[order]
        found = []
        count = 0
        for edges in pairs_above(columns, kind, floor, distance=distance):
            found.append(edges)
            count += len(edges[0])
            if count > MOST_EDGES:
                raise MemoryError(f"more than {MOST_EDGES:,} pairs overlap")
            yield
        better, worse, iou = (np.concatenate(part) for part in zip(*found, strict=True))
        yield
        # IoUs are positive, and positive floats sort like their bits. numpy sorts 16-bit integers in linear time, so
        # two stable passes (low half, high half) are a radix sort.
        bits = iou.view(np.uint32)
        fine = np.argsort(bits.astype(np.uint16), kind="stable")
        yield
        coarse = (bits >> 16).astype(np.uint16)[fine]
        yield
        coarse = np.argsort(coarse, kind="stable")
        yield
        ascending = fine[coarse]
        yield
        better = better[ascending].astype(np.intp)
        yield
        worse = worse[ascending].astype(np.intp)
        yield
        iou = iou[ascending]
        peak = np.zeros(len(order), np.float32)
        peak[worse] = iou  # the highest IoU wins: `iou` ascends, and numpy keeps the last of repeated writes
        return cls(float(floor), order, columns, better, worse, iou, peak)

    @property
    def nbytes(self) -> int:
        """The size of all columns."""
        columns = (self._order, self._columns, self._better, self._worse, self._iou, self._peak)
        return sum(column.nbytes for column in columns)

    @property
    def edges(self) -> int:
        """The number of overlapping pairs."""
        return len(self._iou)

    def tick(self, iou: float, alive: Bool | None = None) -> Suppression:
        """Return what greedy suppression keeps when an IoU above `iou` removes. Raises ValueError below `floor`.

        In each round, a box that no undecided box could remove is kept and removes its neighbours. Candidates that are
        not `alive` (N,) take no part.
        """
        if not iou >= self.floor:
            raise ValueError(f"the threshold {iou} is below the graph's floor of {self.floor}")
        limit = _single(iou)
        active = int(np.searchsorted(self._iou, limit, side="right"))
        better, worse = self._better[active:], self._worse[active:]
        if alive is None:
            kept = self._peak <= limit
            undecided = ~kept
        else:
            partaking = alive[self._order]
            both = partaking[better] & partaking[worse]
            better, worse = better[both], worse[both]
            kept = partaking.copy()
            kept[worse] = False
            undecided = partaking & ~kept
        beaten = undecided.copy()
        settled = kept
        while len(worse):
            undecided[worse[settled[better]]] = False
            live = np.flatnonzero(undecided[worse])
            live = live[undecided[better[live]]]
            better, worse = better[live], worse[live]
            settled = undecided.copy()
            settled[worse] = False
            kept |= settled
            undecided ^= settled
        beaten &= ~kept
        return Suppression(self._order[kept], lambda: self._explain(kept, beaten, active))

    def fast(self, iou: float, alive: Bool | None = None) -> Suppression:
        """Return what YOLACT's Fast NMS keeps (Bolya et al. 2019): what no better box overlaps by more than `iou`.

        A box that was removed itself removes others, so that this keeps a subset of what greedy suppression keeps. A
        box is said to be removed by the best ranked kept one among its removers, else among theirs, and so on; the IoU
        with that one may then be lower. Raises ValueError below `floor`.
        """
        if not iou >= self.floor:
            raise ValueError(f"the threshold {iou} is below the graph's floor of {self.floor}")
        active = int(np.searchsorted(self._iou, _single(iou), side="right"))
        better, worse = self._better[active:], self._worse[active:]
        partaking = np.ones(len(self._order), np.bool_) if alive is None else alive[self._order]
        both = partaking[better] & partaking[worse]
        better, worse = better[both], worse[both]
        kept = partaking.copy()
        kept[worse] = False

        def explain() -> tuple[Int, Float]:
            first = np.full(len(kept), len(kept), np.intp)
            acting = kept[better]
            np.minimum.at(first, worse[acting], better[acting])
            chained = np.full(len(kept), len(kept), np.intp)
            np.minimum.at(chained, worse, better)
            for rank in np.flatnonzero(partaking & ~kept & (first == len(kept))).tolist():  # better ones first
                first[rank] = first[chained[rank]]
            removed = np.flatnonzero(partaking & ~kept)
            return _provenance(self._order, removed, first[removed], self._columns)

        return Suppression(self._order[kept], explain)

    def _explain(self, kept: Bool, beaten: Bool, active: int) -> tuple[Int, Float]:
        better, worse = self._better[active:], self._worse[active:]
        acting = np.flatnonzero(kept[better])
        first = np.full(len(kept), len(kept), np.intp)
        np.minimum.at(first, worse[acting], better[acting])
        removed = np.flatnonzero(beaten)
        return _provenance(self._order, removed, first[removed], self._columns)


def plain(boxes: Float, score: Float, group: Int | None, iou: float, alive: Bool | None = None) -> Suppression:
    """Run torchvision's NMS group by group, at any `iou` from 0 to 1.

    Used until the graph is ready, and below its floor. Arguments as in `SuppressionGraph.steps` and `tick`.
    """
    import torch
    from torchvision.ops import nms

    order = ranking(score)
    boxes = np.asarray(boxes, np.float32)[order]
    columns = columns_of(boxes)
    kind = np.zeros(len(order), np.int64) if group is None else np.asarray(group)[order]
    partaking = np.ones(len(order), np.bool_) if alive is None else alive[order]
    members = [np.flatnonzero((kind == one) & partaking) for one in np.unique(kind)]
    kept = np.zeros(len(order), np.bool_)
    for rows in members:
        # nms sorts by score and does not promise an order for ties, so pass ranks as scores.
        falling = -torch.arange(len(rows), dtype=torch.float32)
        kept[rows[nms(torch.from_numpy(boxes[rows]), falling, float(iou)).numpy()]] = True

    def explain() -> tuple[Int, Float]:
        first = np.zeros(len(order), np.intp)
        for rows in members:
            keepers, removed = rows[kept[rows]], rows[~kept[rows]]
            step = max(1, PAIRS // max(1, len(keepers)))
            for part in (removed[at : at + step] for at in range(0, len(removed), step)):
                above = overlap(columns[:, keepers, None], columns[:, None, part]) > _single(iou)
                first[part] = keepers[above.argmax(axis=0)]
        removed = np.flatnonzero(partaking & ~kept)
        return _provenance(order, removed, first[removed], columns)

    return Suppression(order[kept], explain)


def ranking(score: Float) -> Int:
    """Return the rows by falling score (N,); equal scores keep their input order."""
    return np.argsort(-np.asarray(score, np.float32), kind="stable")


def _single(value: float) -> np.float32:
    """Return the largest float32 not above `value`.

    No float32 lies between the two, so `>` in float32 decides exactly as torchvision's comparison with the double.
    """
    near = np.float32(value)
    return near if float(near) <= value else np.nextafter(near, np.float32(-np.inf))


@np.errstate(all="ignore")
def columns_of(boxes: Float) -> Float:
    """Return the columns (5, N): x0, y0, x1, y1 and the area."""
    corners: Float = np.asarray(boxes, np.float32).reshape(-1, 4).T
    area: Float = (corners[2] - corners[0]) * (corners[3] - corners[1])
    return np.concatenate([corners, area[None]])


@np.errstate(all="ignore")
def overlap(one: Float, other: Float) -> Float:
    """Return the IoU of columns that broadcast, in float32 and in the order of operations of torchvision's kernel."""
    across = np.minimum(one[2], other[2])
    across -= np.maximum(one[0], other[0])
    np.maximum(across, 0, out=across)
    down = np.minimum(one[3], other[3])
    down -= np.maximum(one[1], other[1])
    np.maximum(down, 0, out=down)
    across *= down
    np.add(one[4], other[4], out=down)
    down -= across
    across /= down
    return across


@np.errstate(all="ignore")
def shift(one: Float, other: Float) -> Float:
    """Return the squared distance of the centres over the squared enclosing diagonal, for columns that broadcast.

    DIoU is IoU minus this (Zheng et al. 2020, equation 6). In float32, in torchvision's order of operations.
    """
    across = np.maximum(one[2], other[2]) - np.minimum(one[0], other[0])
    down = np.maximum(one[3], other[3]) - np.minimum(one[1], other[1])
    x = (one[0] + one[2]) / 2 - (other[0] + other[2]) / 2
    y = (one[1] + one[3]) / 2 - (other[1] + other[3]) / 2
    return (x**2 + y**2) / (across**2 + down**2 + np.float32(1e-7))


def _provenance(order: Int, removed: Int, by: Int, columns: Float) -> tuple[Int, Float]:
    """Return `removed_by` and `removed_iou` (N,) from the ranks of removed boxes and of the boxes that removed them."""
    removed_by, removed_iou = np.full(len(order), -1, np.int64), np.zeros(len(order), np.float32)
    removed_by[order[removed]] = order[by]
    removed_iou[order[removed]] = overlap(columns[:, by], columns[:, removed])
    return removed_by, removed_iou


def pairs_above(columns: Float, kind: Int, floor: float, *, distance: bool = False) -> Generator[Edges, None, None]:
    """Yield the pairs of a kind with an IoU above `floor` as (better rank, worse rank, IoU), a block at a time.

    With `distance` the measure is DIoU, which is never above IoU.

    Boxes of similar size and place share a tile. A box is compared with a tile only if it meets the tile's hull and if
    the areas allow such an IoU, which cannot exceed the ratio of the smaller area to the larger.
    """
    yield np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32)
    x0, y0, x1, y1, area = columns
    sound = np.flatnonzero((x1 > x0) & (y1 > y0) & (area > 0) & np.isfinite(area))
    octave = np.floor(np.log2(area[sound]) / 2)
    cell = 2 ** (octave + 1)
    with np.errstate(over="ignore"):
        place = np.floor(x0[sound] / cell), np.floor(y0[sound] / cell)
    rank = sound[np.lexsort((*place, octave, kind[sound]))].astype(np.int32)
    columns, kind = np.ascontiguousarray(columns[:, rank]), kind[rank]
    x0, y0, x1, y1, area = columns
    needed = area * (floor * (1 - 1e-5))
    for start in range(0, len(rank), TILE):
        tile = slice(start, start + TILE)
        meets = (x0[start:] < x1[tile].max()) & (x1[start:] > x0[tile].min())
        meets &= (y0[start:] < y1[tile].max()) & (y1[start:] > y0[tile].min())
        meets &= (needed[start:] <= area[tile].max()) & (area[start:] >= needed[tile].min())
        meets &= kind[start:] <= kind[tile][-1]
        others = start + np.flatnonzero(meets)
        for at in range(0, len(others), PAIRS // TILE):
            part = others[at : at + PAIRS // TILE]
            iou = overlap(columns[:, tile, None], columns[:, None, part])
            row, column = np.nonzero(iou > _single(floor))
            one, other = start + row, part[column]
            measure = iou[row, column]
            fit = (one < other) & (kind[one] == kind[other])
            if distance:
                measure -= shift(columns[:, one], columns[:, other])
                fit &= measure > _single(floor)
            one, other = rank[one[fit]], rank[other[fit]]
            yield np.minimum(one, other), np.maximum(one, other), measure[fit]
