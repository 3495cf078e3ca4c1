"""TIDE: detection errors by type, and the AP gained by fixing each type, at IoU 0.5 (Bolya et al. 2020).

An unmatched detection is, in this order: Loc, right class but too little overlap; Cls, on an object of another class;
Dupe, on an object already found; Bkg, on background; otherwise Both. Miss is an object that no Loc or Cls error lies
on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.evaluation.matched import Matched
from models.evaluation.precision import Hits, average_precision
from models.types import Bool, Int

Double = NDArray[np.float64]
FOREGROUND, BACKGROUND = 0.5, 0.1
CLS, LOC, BOTH, DUPE, BKG, MISS = range(6)
TYPES = ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss")
SPECIAL = ("FalsePos", "FalseNeg")
RECALLS: Double = np.arange(101) / 100


@dataclass(frozen=True, eq=False)
class Errors:
    """The part of the error analysis that does not depend on the score.

    `type` (D,) of each unmatched evaluated detection, -1 for others. `fixer` (T,) is the best Loc or Cls error on each
    object, as a row of D, -1 for none; `finder_score` (T,) is the score of the detection matched to it, 0 for none.
    """

    matched: Matched
    type: Int
    fixer: Int
    finder_score: NDArray[np.float32]

    @cached_property
    def _behind(self) -> dict[int, Int]:
        """By type of error (-1: none is fixed), how many detections before each index (D + 1,) do not count."""
        ignored = self.matched.ignored_half
        lost = [ignored | (self.type == kind) if kind >= 0 else ignored for kind in range(-1, MISS)]
        return {kind: np.concatenate([[0], np.cumsum(out)]) for kind, out in zip(range(-1, MISS), lost, strict=True)}

    def tick(self, score: float) -> tuple[Double, Int, float]:
        """Return the gains in AP from fixing each type of error, the counts of errors, and the AP, all at a score.

        The gains (8,) are in the order of `TYPES` and `SPECIAL`, the counts (6,) in that of `TYPES`. All AP values are
        from 0 to 1. AP is the mean over the classes that have objects or detections, as TIDE computes it.
        """
        matched, limit = self.matched, np.float32(score)
        hits = matched.half.above(score)
        shown = matched.detections(score)
        positives = matched.positives
        errors = (self.type >= 0) & (matched.score > limit)
        count = np.bincount(self.type[errors], minlength=6)
        lost = matched.ignored_half & (matched.score > limit)
        points = shown - np.bincount(matched.kind[lost], minlength=len(positives))

        unfound = matched.counted & (self.finder_score <= limit)
        fixed = unfound & (self.fixer >= 0)
        fixed[fixed] = matched.score[self.fixer[fixed]] > limit
        missed = np.bincount(matched.table.truth_kind[unfound & ~fixed], minlength=len(positives))
        count[MISS] = missed.sum()

        base = self._ap(hits, -1, points, positives)
        gains = []
        for kind in range(MISS):
            wrong = np.bincount(matched.kind[errors & (self.type == kind) & ~lost], minlength=len(positives))
            items = np.flatnonzero(fixed)
            items = items[self.type[self.fixer[items]] == kind] if kind in (CLS, LOC) else items[:0]
            added = np.bincount(matched.table.truth_kind[items], minlength=len(positives))
            gains.append(self._ap(hits, kind, points - wrong + added, positives, items) - base)
        gains.append(self._ap(hits, -1, points, positives - missed) - base)
        found = np.bincount(hits.kind, minlength=len(positives))
        perfect = average_precision(hits.kind, _ranks(hits.kind, found), positives, RECALLS)
        main = np.maximum(gains, 0.0)
        special = [_mean(perfect, points, positives) - base, self._ap(hits, -1, points, found) - base]
        return np.concatenate([main, special]), count, base

    def _ap(self, hits: Hits, kind: int, points: Int, positives: Int, items: Int | None = None) -> float:
        """Return the AP without the errors of one type, with `items` found by their fixers."""
        behind, first = self._behind[kind], self.matched.first
        at, label = hits.at.astype(np.float64), hits.kind
        # The rank is the index within the class, from 1, minus the detections before it that do not count.
        place = hits.at - first[label] + 1 - (behind[hits.at] - behind[first[label]])
        if items is not None and len(items):
            new_at, new_label, before = self._moved(items)
            new_place = before - first[new_label] - (behind[before] - behind[first[new_label]])
            order = np.lexsort((new_at, new_label))
            rank = np.empty(len(items), np.int64)
            rank[order] = np.arange(len(items))
            arrivals = np.searchsorted(new_label[order], np.arange(len(first)))
            new_place = new_place + rank - arrivals[new_label] + 1
            inserted = _before(new_at[order], new_label[order], at, label)
            at, label = np.concatenate([at, new_at]), np.concatenate([label, new_label])
            place = np.concatenate([place + inserted, new_place])
            order = np.lexsort((place, label))
            label, place = label[order], place[order]
        return _mean(average_precision(label, place, positives, RECALLS), points, positives)

    def _moved(self, items: Int) -> tuple[Double, Int, Int]:
        """Return where the fixers of some objects rank within the objects' classes.

        The three arrays are a sort key within the class, the class, and how many detections come before in the whole
        order.
        """
        matched = self.matched
        fixer, label = self.fixer[items], matched.table.truth_kind[items].astype(np.int64)
        before = fixer.copy()
        at = fixer.astype(np.float64)
        for kind in np.unique(label[label != matched.kind[fixer]]).tolist():
            a, b = matched.first[kind], matched.first[kind + 1]
            moved = (label == kind) & (matched.kind[fixer] != kind)
            score = matched.score[fixer[moved]]
            before[moved] = a + np.searchsorted(-matched.score[a:b], -score, side="left")
            # Place it between two detections, better scores first.
            at[moved] = before[moved] - 0.5 - score / 4
        return at, label, before


def errors(matched: Matched) -> Errors:
    """Sort the unmatched detections into types of error."""
    table = matched.table
    stand = np.full(len(table.score), -1, np.int64)
    stand[matched.rows] = np.arange(len(matched.rows))
    own, own_item = _best(matched, stand, same=True)
    other, other_item = _best(matched, stand, same=False)
    kind = np.full(len(matched.rows), BOTH)
    kind[np.maximum(own, other) <= BACKGROUND] = BKG
    kind[own >= FOREGROUND] = DUPE
    kind[other >= FOREGROUND] = CLS
    near: Bool = (own >= BACKGROUND) & (own <= FOREGROUND)
    kind[near] = LOC
    kind[matched.half.at] = -1

    fixer = np.full(len(table.crowd), -1, np.int64)
    wants = np.where(kind == LOC, own_item, np.where(kind == CLS, other_item, -1))
    rows = np.flatnonzero(wants >= 0)
    rows = rows[np.argsort(-matched.score[rows], kind="stable")]
    fixer[wants[rows[::-1]]] = rows[::-1]  # the best is written last, so it stays
    found = np.zeros(len(table.crowd), np.float32)
    found[matched.half.item] = matched.half.score
    return Errors(matched, kind, fixer, found)


def _best(matched: Matched, stand: Int, *, same: bool) -> tuple[Double, Int]:
    """Return the best IoU of each evaluated detection (D,) with an object of its class or others, and that object."""
    table = matched.table
    candidate, item, iou = table.same if same else table.any
    fit = (stand[candidate] >= 0) & matched.counted[item]
    if not same:
        fit &= table.kind[candidate] != table.truth_kind[item]
    at, item, iou = stand[candidate[fit]], item[fit], iou[fit]
    best, which = np.zeros(len(matched.rows)), np.full(len(matched.rows), -1, np.int64)
    best[at[::-1]], which[at[::-1]] = iou[::-1], item[::-1]
    return best, which


def _before(new_at: Double, new_label: Int, at: Double, label: Int) -> Int:
    """Return how many new detections precede each old one in its class; both are sorted by class, then by position."""
    scale = max(new_at.max(initial=0), at.max(initial=0)) + 2
    arrivals = np.searchsorted(new_label, np.arange(max(new_label.max(), label.max(initial=0)) + 1))
    return np.searchsorted(new_label * scale + new_at, label * scale + at) - arrivals[label]


def _ranks(kind: Int, found: Int) -> Int:
    return np.arange(len(kind)) - (np.cumsum(found) - found)[kind] + 1


def _mean(values: Double, points: Int, positives: Int) -> float:
    there = (points > 0) | (positives > 0)
    return float(np.where(positives > 0, values, 0.0)[there].mean()) if there.any() else 0.0
