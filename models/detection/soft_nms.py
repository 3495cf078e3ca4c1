"""Soft-NMS and weighted boxes fusion: suppression methods that change scores or boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.detection.suppression import MOST_EDGES, columns_of, pairs_above, ranking
from models.types import Bool, Float, Int

Doubles = NDArray[np.float64]
Decay = Callable[[Float], Doubles]


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Every overlapping pair of an image's N candidates within a group, stored in both directions.

    Nodes are ranks; `order` (N,) maps them to candidates. The partners of rank r are `other[start[r] : start[r + 1]]`,
    with `iou`.
    """

    order: Int
    start: Int
    other: NDArray[np.int32]
    iou: Float

    @classmethod
    def build(cls, boxes: Float, score: Float, group: Int | None = None) -> Overlaps:
        """Return the pairs of `boxes` (N, 4) xyxy with an IoU above 0, within each `group` (N,); None is one group.

        Raises MemoryError for more than `MOST_EDGES` pairs (16 bytes each).
        """
        order = ranking(score)
        kind = np.zeros(len(order), np.int64) if group is None else np.asarray(group)[order]
        found, count = [], 0
        for edges in pairs_above(columns_of(boxes[order]), kind, 0.0):
            found.append(edges)
            count += len(edges[0])
            if count > MOST_EDGES:
                raise MemoryError(f"more than {MOST_EDGES:,} pairs overlap")
        better, worse, iou = (np.concatenate(part) for part in zip(*found, strict=True))
        source = np.concatenate([better, worse])
        by_source = np.argsort(source, kind="stable")
        start = np.searchsorted(source[by_source], np.arange(len(order) + 1)).astype(np.int64)
        return cls(order, start, np.concatenate([worse, better])[by_source], np.concatenate([iou, iou])[by_source])

    @property
    def nbytes(self) -> int:
        """The size of all columns in bytes."""
        return self.order.nbytes + self.start.nbytes + self.other.nbytes + self.iou.nbytes


@dataclass(frozen=True, eq=False)
class Softened:
    """The outcome of Soft-NMS for N candidates: `score` (N,) after all decays, `order` (N,) by falling new score."""

    score: Float
    order: Int
    _overlaps: Overlaps = field(repr=False)
    _place: Int = field(repr=False)
    _acts: Bool = field(repr=False)

    @property
    def nbytes(self) -> int:
        """The size in bytes, without the shared overlaps."""
        return self.score.nbytes + self.order.nbytes + self._place.nbytes + self._acts.nbytes

    def blame(self, rows: Int) -> tuple[Int, Float]:
        """Return for each candidate (N,) which of the candidates `rows` (K,) lowered it most, -1 for none, and the IoU.

        Both decays grow with the IoU; among equal IoUs the box taken first is named. The `rows` themselves get -1.
        """
        at, count = self._overlaps, len(self.score)
        blamed, largest = np.full(count, -1, np.int64), np.zeros(count, np.float32)
        kept = np.zeros(count, np.bool_)
        kept[rows] = True
        kept = kept[at.order]
        source = np.repeat(np.arange(count), np.diff(at.start))
        acting = np.flatnonzero(
            self._acts & kept[source] & ~kept[at.other] & (self._place[source] < self._place[at.other])
        )
        source, target, iou = source[acting], at.other[acting], at.iou[acting]
        falling = np.lexsort((self._place[source], -iou, target))
        first = falling[np.unique(target[falling], return_index=True)[1]]
        loser = at.order[target[first]]
        blamed[loser], largest[loser] = at.order[source[first]], iou[first]
        return blamed, largest


def soft(overlaps: Overlaps, score: Float, decay: Decay, alive: Bool | None = None) -> Softened:
    """Run Soft-NMS (Bodla et al. 2017, algorithm 1) over candidates with `score` (N,).

    Take the best remaining box (among equals, the one with the higher original score), then multiply the scores of the
    remaining boxes that overlap it by `decay(iou)`. Boxes taken later never change those taken earlier, so one outcome
    holds for every score threshold. Candidates that are not `alive` (N,) end at 0 and take no part.
    """
    order, start, other = overlaps.order, overlaps.start.tolist(), overlaps.other
    factor = decay(overlaps.iou)
    current = score[order].astype(np.float64)
    acts = factor < 1
    if alive is not None:
        current[~alive[order]] = 0
        acts &= alive[order][other]
    final, place = current.copy(), np.full(len(order), len(order), np.int64)
    left = current
    # A box without overlaps neither decays nor causes decay.
    alone = np.diff(overlaps.start) == 0
    left[alone] = -1
    for turn in range(len(order)):
        best = int(left.argmax())
        value = left[best]
        if value <= 0:
            break
        final[best], place[best] = value, turn
        left[best] = -1
        near = slice(start[best], start[best + 1])
        left[other[near]] *= factor[near]
    final[(place == len(order)) & ~alone] = 0
    ended = np.zeros(len(order), np.float32)
    ended[order] = final
    falling = order[np.argsort(-ended[order], kind="stable")]
    return Softened(ended, falling, overlaps, place, acts)


def gaussian(sigma: float) -> Decay:
    """Return Soft-NMS's Gaussian decay exp(-IoU^2 / sigma) (Bodla et al. 2017, equation 3)."""
    return lambda iou: np.exp(-np.square(iou, dtype=np.float64) / sigma)


def linear(threshold: float) -> Decay:
    """Return Soft-NMS's linear decay 1 - IoU for IoU above the threshold (Bodla et al. 2017, equation 2).

    The paper decays at the threshold too; its code, like torchvision's NMS, only above it. This follows the code.
    """
    return lambda iou: np.where(iou > threshold, 1 - iou.astype(np.float64), 1.0)


@dataclass(frozen=True, eq=False)
class Fused:
    """The outcome of weighted boxes fusion: C clusters, best first.

    `rows` (C,): the best member of each cluster; `score` (C,) and `boxes` (C, 4): fused from the members; `cluster`
    (N,): the position of each candidate's cluster, -1 for candidates that took no part.
    """

    rows: Int
    score: Float
    boxes: Float
    cluster: Int

    def mean(self, values: Float, score: Float) -> Float:
        """Return the mean (C, 4) of the members' `values` (N, 4), weighted by their `score` (N,)."""
        return _mean(values, score, self.cluster, len(self.rows))


def fuse(boxes: Float, score: Float, group: Int | None, iou: float, alive: Bool) -> Fused:
    """Run weighted boxes fusion (Solovyev et al. 2021, section 3) on one model's `boxes` (N, 4) that are `alive` (N,).

    In order of score, each box joins the cluster whose fused box it overlaps most, if by more than `iou`, or starts a
    new cluster. The fused box is the mean of its members, weighted by their scores; the score is the mean of theirs.
    The paper's rescaling by min(T, M) / M, for T boxes of M models, is 1 for one model.
    """
    order = ranking(score)
    order = order[alive[order]]
    cluster = np.full(len(score), -1, np.int64)
    kind = np.zeros(len(order), np.int64) if group is None else np.asarray(group)[order]
    lead: list[int] = []
    for one in np.unique(kind):
        members = order[kind == one]
        joined, opened = _clusters(boxes[members], score[members], iou)
        cluster[members] = joined + len(lead)
        lead += members[opened].tolist()

    rows = np.array(lead, np.int64)
    members = np.maximum(np.bincount(cluster[order], minlength=len(rows)), 1)
    mean = (np.bincount(cluster[order], score[order], len(rows)) / members).astype(np.float32)
    # Among equal means, the cluster whose best member has the higher score comes first.
    falling = np.lexsort((rows, -score[rows], -mean))
    position = np.full(len(rows) + 1, -1, np.int64)
    position[falling] = np.arange(len(rows))
    cluster = position[cluster]
    return Fused(rows[falling], mean[falling], _mean(boxes, score, cluster, len(rows)), cluster)


def _mean(values: Float, score: Float, cluster: Int, count: int) -> Float:
    part = np.flatnonzero(cluster >= 0)
    weight, cluster = score[part].astype(np.float64), cluster[part]
    sums = [np.bincount(cluster, weight * values[part, side], count) for side in range(4)]
    return (np.stack(sums, 1) / np.bincount(cluster, weight, count)[:, None]).astype(np.float32)


@np.errstate(all="ignore")
def _clusters(boxes: Float, score: Float, iou: float) -> tuple[Int, Int]:
    """Return the cluster of each box (n,) of one group, given best first, and the box that started each cluster (c,).

    Computed in double precision, with plain Python numbers where numpy's overhead per call would dominate.
    """
    joined, opened = [], []
    left, top, right, bottom, area = np.zeros((5, len(boxes)))
    sums: list[list[float]] = []
    for row, ((x0, y0, x1, y1), weight) in enumerate(zip(boxes.tolist(), score.tolist(), strict=True)):
        many = len(opened)
        best = -1
        if many:
            across = np.minimum(right[:many], x1)
            across -= np.maximum(left[:many], x0)
            down = np.minimum(bottom[:many], y1)
            down -= np.maximum(top[:many], y0)
            np.maximum(across, 0, out=across)
            np.maximum(down, 0, out=down)
            shared = across * down
            shared /= area[:many] + max(x1 - x0, 0.0) * max(y1 - y0, 0.0) - shared
            best = int(shared.argmax())
            if not shared[best] > iou:
                best = -1
        if best < 0:
            best = many
            opened.append(row)
            sums.append([0.0] * 5)
        joined.append(best)
        known = sums[best]
        for side, value in enumerate((x0 * weight, y0 * weight, x1 * weight, y1 * weight, weight)):
            known[side] += value
        fused = [value / known[4] for value in known[:4]]
        left[best], top[best], right[best], bottom[best] = fused
        # An inverted box has no area. A negative area could make a union 0, and the ratio NaN.
        area[best] = max(fused[2] - fused[0], 0.0) * max(fused[3] - fused[1], 0.0)
    return np.array(joined, np.int64), np.array(opened, np.int64)
