"""Detections matched to objects at one setting of everything but the score.

Raising the score threshold changes nothing here: a box is only suppressed by boxes with a higher score, and each
detection is matched before those with a lower score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detection.matching import ALMOST_ONE
from models.evaluation.precision import Hits
from models.evaluation.survival import at, level_of
from models.evaluation.table import Table
from models.types import Bool, Float, Int

Double = NDArray[np.float64]
COCO_IOUS: Double = np.linspace(0.5, 0.95, 10)
MOST_OF_A_CLASS = 100


@dataclass(frozen=True)
class Setting:
    """The settings other than the score. `hidden` are label ids to leave out of every figure."""

    iou: float
    agnostic: bool
    maximum: int
    match_iou: float
    hidden: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class Matched:
    """The D evaluated detections, sorted by class, then by falling score, and the objects they match.

    `rows` (D,) of the table, `kind`, `score`; `first` (C + 1,) is where each class begins. `positives` (C,) counts the
    objects to be found, `counted` (T,) marks them.

    `coco` are the correct detections at COCO's ten IoUs, `hits` those at the setting's `match_iou`, `half` those at
    0.5. `ignored` and `ignored_half` (D,) mark detections excused by a crowd. `finder` (T,) is the detection matched to
    an object regardless of class, -1 for none; `taken` and `excused` (D,) are the counterparts for detections. `alive`
    (N,) are the candidates left by suppression and the maximum per picture, `kept` (N,) those left by suppression
    alone.
    """

    table: Table
    setting: Setting
    kept: Bool
    alive: Bool
    rows: Int
    kind: Int
    score: Float
    first: Int
    positives: Int
    counted: Bool
    coco: tuple[Hits, ...]
    hits: Hits
    half: Hits
    ignored: Bool
    ignored_half: Bool
    finder: Int
    taken: Bool
    excused: Bool

    def detections(self, score: float) -> Int:
        """Return how many detections of each class (C,) have a higher score."""
        return np.array([_above(self.score[a:b], score) for a, b in zip(self.first[:-1], self.first[1:], strict=True)])


def match(table: Table, setting: Setting, kept: Bool) -> Matched:
    """Match the candidates that suppression left, `kept` (N,), to the objects."""
    hidden = np.isin(table.label, list(setting.hidden)) if setting.hidden else None
    kept = kept if hidden is None else kept & ~hidden
    alive = _within(kept, table.start, setting.maximum)
    shown = np.array([label not in setting.hidden for label in table.classes.tolist()], np.bool_)
    counted = (table.truth_kind >= 0) & ~table.crowd
    counted[counted] = shown[table.truth_kind[counted]]

    rows = table.ranked[alive[table.ranked]]
    if setting.maximum > MOST_OF_A_CLASS:
        rows = _best_of_class(table, rows)
        judged = np.zeros(len(alive), np.bool_)
        judged[rows] = True
    else:
        judged = alive
    kind = table.kind[rows].astype(np.int64)
    first = np.searchsorted(kind, np.arange(len(table.classes) + 1))
    stand = np.zeros(len(alive), np.int64)
    stand[rows] = np.arange(len(rows))
    find = _Finder(table, judged, rows, kind, first, stand, counted)
    coco = {float(iou): find.hits(float(iou)) for iou in COCO_IOUS}
    match_iou = setting.match_iou
    hits, ignored = coco.get(match_iou) or find.hits(match_iou)
    finder, taken, excused = find.of_any_class(match_iou)
    positives = np.bincount(table.truth_kind[counted], minlength=len(table.classes))
    return Matched(
        table,
        setting,
        kept,
        alive,
        rows,
        kind,
        table.score[rows],
        first,
        positives,
        counted,
        tuple(pair[0] for pair in coco.values()),
        hits,
        coco[0.5][0],
        ignored,
        coco[0.5][1],
        finder,
        taken,
        excused,
    )


def survivors(table: Table, iou: float, *, agnostic: bool) -> Bool:
    """Return the candidates (N,) that greedy NMS keeps.

    They are read from the stored bits, or computed again for a threshold between two of their levels.
    """
    level = level_of(iou)
    if level is not None:
        return at(table.survives, level)
    from models.detection.suppression import plain

    kept = np.zeros(len(table.score), np.bool_)
    for start, one in zip(table.start.tolist(), table.measured, strict=False):
        group = None if agnostic else one.label.astype(np.int64)
        kept[start + plain(one.boxes, one.score, group, iou).kept] = True
    return kept


@dataclass(frozen=True, eq=False)
class _Finder:
    """Matches the evaluated detections to the objects, at any IoU."""

    table: Table
    judged: Bool
    rows: Int
    kind: Int
    first: Int
    stand: Int
    counted: Bool

    def __post_init__(self) -> None:
        for name in ("same", "any", "covered"):
            candidate, item, iou = getattr(self.table, name)
            keep = self.judged[candidate]
            if name != "covered":
                keep &= self.counted[item]
            object.__setattr__(self, f"_{name}", (candidate[keep], item[keep], iou[keep]))

    def hits(self, iou: float) -> tuple[Hits, Bool]:
        """Return the correct detections of the right class, and which detections (D,) a crowd of that class excuses."""
        candidate, item = self._turns("_same", iou)
        found = np.full(len(self.rows), -1, np.int64)
        found[self.stand[candidate]] = item
        stand = np.flatnonzero(found >= 0)
        candidate, item, kind = self.rows[stand], found[stand], self.kind[stand]
        ignored = self._in_crowd(iou, stand, own=True)
        place = stand - self.first[kind] + 1
        if ignored.any():
            before = np.cumsum(ignored)
            earlier = np.concatenate([[0], before])[self.first[kind]]
            place = place - (before[stand] - earlier)
        return Hits(candidate, item, kind, self.table.score[candidate], stand, place), ignored

    def of_any_class(self, iou: float) -> tuple[Int, Bool, Bool]:
        """Return the match of each object (T,) regardless of class, and the matched and excused detections (D,)."""
        candidate, item = self._turns("_any", iou)
        finder = np.full(len(self.counted), -1, np.int64)
        finder[item] = candidate
        taken = np.zeros(len(self.rows), np.bool_)
        taken[self.stand[candidate]] = True
        return finder, taken, self._in_crowd(iou, self.stand[candidate], own=False)

    def _turns(self, pairs: str, iou: float) -> tuple[Int, Int]:
        candidate, item, found = getattr(self, pairs)
        near = found >= min(iou, ALMOST_ONE)
        candidate, item = candidate[near], item[near]
        rows = take_turns(candidate, item, candidates=len(self.judged), items=len(self.counted))
        return candidate[rows], item[rows]

    def _in_crowd(self, iou: float, taken: Int, *, own: bool) -> Bool:
        """Return the unmatched detections (D,) that lie in a crowd, one of their `own` class or of any."""
        candidate, item, share = self._covered  # type: ignore[attr-defined]
        fit = share >= min(iou, ALMOST_ONE)
        if own:
            fit &= self.table.kind[candidate] == self.table.truth_kind[item]
        excused = np.zeros(len(self.rows), np.bool_)
        excused[self.stand[candidate[fit]]] = True
        excused[taken] = False
        return excused


def _within(kept: Bool, start: Int, maximum: int) -> Bool:
    """Return which of the kept candidates are among the best `maximum` of their picture."""
    before = np.concatenate([[0], np.cumsum(kept, dtype=np.int32)])
    if not len(start) or (before[start[1:]] - before[start[:-1]]).max(initial=0) <= maximum:
        return kept
    return kept & (before[1:] - np.repeat(before[start[:-1]], np.diff(start)) <= maximum)


def _best_of_class(table: Table, rows: Int) -> Int:
    """Return the rows within COCO's maximum number of detections per class and picture."""
    picture, kind = table.picture[rows], table.kind[rows].astype(np.int64)
    group = picture * len(table.classes) + kind
    order = np.argsort(group, kind="stable")
    sorted_group = group[order]
    rank = np.arange(len(rows)) - np.searchsorted(sorted_group, sorted_group)
    keep = np.zeros(len(rows), np.bool_)
    keep[order[rank < MOST_OF_A_CLASS]] = True
    return rows[keep]


def _above(falling: Float, score: float) -> int:
    """Return how many of falling scores are higher, compared in single precision as `>` on the column does."""
    return int(np.searchsorted(-falling, -np.float32(score), side="left"))


def take_turns(candidate: Int, item: Int, *, candidates: int, items: int) -> Int:
    """Return the rows of the pairs in which the candidate gets the object.

    The pairs (P,) are sorted by the rank of their candidates, each candidate's best object first. Candidates are served
    in order of rank, but one need not wait for others that compete for different objects: each round serves every
    candidate that comes first at the best object left to it.
    """
    left = np.arange(len(candidate))
    first_at = np.empty(items, np.intp)
    served: Bool = np.zeros(candidates, np.bool_)
    gone: Bool = np.zeros(items, np.bool_)
    taken = [left[:0]]
    while len(left):
        who, what = candidate[left], item[left]
        rows = np.arange(len(left))
        first_at[what[::-1]] = rows[::-1]  # numpy keeps the last of repeated writes: the first row
        now = first_at[what] == rows
        now[1:] &= who[1:] != who[:-1]
        taken.append(left[now])
        served[who[now]] = True
        gone[what[now]] = True
        left = left[~(served[who] | gone[what])]
    return np.concatenate(taken)
