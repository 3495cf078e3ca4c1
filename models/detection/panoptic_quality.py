"""Panoptic quality PQ = SQ x RQ of segments against true ones (Kirillov et al. 2019), as panopticapi counts it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.types import Int, Real

MATCHED = 0.5  # IoU above which two segments match, which at most one pair of each can
NONE = 0  # the number of pixels without a segment, and of pixels whose truth is unknown


@dataclass(frozen=True)
class Quality:
    """What matched: `pairs` (M, 2) segments found and true, with their `iou` (M,); `wrong` (F,) found ones without a
    match, `missed` (G,) true ones without. Tables by class (C,): `hits`, `extra` and `lost` count them, `overlap` is
    the sum of IoU.
    """

    pairs: Int
    iou: Real
    wrong: Int
    missed: Int
    hits: Int
    extra: Int
    lost: Int
    overlap: Real

    @property
    def known(self) -> Int:
        """The classes that are found or true in the picture."""
        return np.flatnonzero(self.hits + self.extra + self.lost)

    @property
    def segmentation(self) -> Real:
        """SQ (C,), the mean IoU of the matched segments, 0 without any."""
        return self.overlap / np.maximum(self.hits, 1)

    @property
    def recognition(self) -> Real:
        """RQ (C,), the F1 score of finding segments, 0 for a class without any."""
        return self.hits / np.maximum(self.hits + 0.5 * self.extra + 0.5 * self.lost, 0.5)

    @property
    def panoptic(self) -> Real:
        """PQ (C,)."""
        return self.segmentation * self.recognition

    def __add__(self, other: Quality) -> Quality:
        """Return the counts of both pictures; segments are listed of the first."""
        sums = (self.hits + other.hits, self.extra + other.extra, self.lost + other.lost, self.overlap + other.overlap)
        return Quality(self.pairs, self.iou, self.wrong, self.missed, *sums)


def measure(
    found: Int, found_class: Int, truth: Int, truth_class: Int, *, classes: int, crowd: Int | None = None
) -> Quality:
    """Return the quality of segments `found` (H, W) against `truth` (H, W).

    Segments are numbered from 1, and 0 is no segment; `found_class` (S + 1,) and `truth_class` (T + 1,) are the classes
    by number. Pixels whose truth is 0 count neither for nor against a segment. `crowd` lists the numbers of true
    segments that cannot be matched: a found segment of their class that lies mostly in them, or where the truth is
    unknown, is not wrong.
    """
    rows, columns = len(found_class), len(truth_class)
    table = np.bincount((found * columns + truth).ravel(), minlength=rows * columns).reshape(rows, columns)
    area, true_area = table.sum(1), table.sum(0)
    crowds = np.zeros(columns, np.bool_)
    crowds[[] if crowd is None else crowd] = True
    union = area[:, None] + true_area[None] - table - table[:, :1]
    iou = table / np.maximum(union, 1)
    same = found_class[:, None] == truth_class[None]
    match = (iou > MATCHED) & same & ~crowds[None]
    match[NONE], match[:, NONE] = False, False
    pairs = np.argwhere(match)
    left = (area > 0) & ~match.any(1)
    left[NONE] = False
    forgiven = table[:, NONE] + (table * (same & crowds[None])).sum(1)
    left &= forgiven / np.maximum(area, 1) <= MATCHED
    missed = (true_area > 0) & ~match.any(0) & ~crowds
    missed[NONE] = False
    wrong, lost = np.flatnonzero(left), np.flatnonzero(missed)
    own = iou[pairs[:, 0], pairs[:, 1]]
    of = truth_class[pairs[:, 1]]
    return Quality(
        pairs,
        own,
        wrong,
        lost,
        np.bincount(of, minlength=classes),
        np.bincount(found_class[wrong], minlength=classes),
        np.bincount(truth_class[lost], minlength=classes),
        np.bincount(of, own, minlength=classes).astype(np.float64),
    )
