"""All measured pictures of a data set as one table, sorted once so that a slider change only has to mask and count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.measure import Measured
from models.truth.types import Annotated
from models.types import Bool, Float, Int

Double = NDArray[np.float64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Table:
    """N candidates, picture by picture, best first within a picture; and T objects in the same order of pictures.

    `classes` (C,) are the label ids that both the model and the ground truth have; `kind` (N,) and `truth_kind` (T,)
    are rows of it, -1 for others. `start` (P + 1,) is the first candidate of each picture, `truth_start` the first
    object. `survives` (BYTES, N), see `survival`. `ranked` are the candidates of the C classes by class, then by
    falling score, then in their own order. `area` (T,) in square pixels of the original; `crowd` (T,); `reach` (3, T).

    Pairs of a candidate and an object of the C classes, ordered by candidate, then by falling IoU: `same` with the same
    class, `any` with any class, and `covered` for candidates inside a crowd, with the share inside. Each is (candidate,
    object, IoU).
    """

    classes: Int
    start: Int
    score: Float
    label: NDArray[np.int16]
    kind: NDArray[np.int16]
    survives: Bytes
    ranked: Int
    truth_start: Int
    truth_kind: NDArray[np.int16]
    crowd: Bool
    area: Double
    reach: Float
    same: tuple[Int, Int, Double]
    any: tuple[Int, Int, Double]
    covered: tuple[Int, Int, Double]
    measured: Sequence[Measured]

    @property
    def pictures(self) -> int:
        """The number of pictures."""
        return len(self.start) - 1

    @property
    def picture(self) -> Int:
        """The picture of each candidate (N,)."""
        return np.repeat(np.arange(self.pictures), np.diff(self.start))

    @property
    def nbytes(self) -> int:
        """The size of all columns in bytes, without the `measured` pictures."""
        columns: list[Any] = [*self.same, *self.any, *self.covered]
        columns += [getattr(self, name) for name in self.__dataclass_fields__ if name != "measured"]
        return sum(getattr(column, "nbytes", 0) for column in columns)


def assemble(
    measured: Sequence[Measured], truth: Sequence[Annotated], label_ids: Int, survives: Sequence[Bytes] | None = None
) -> Table:
    """Build the table from measured pictures and their ground truth, in the same order.

    `label_ids` holds the model's label id for each class of the truth, -1 for none. `survives` replaces the pictures'
    own survival, for example by survival across classes.
    """
    start = _starts([len(one.score) for one in measured])
    truth_start = _starts([len(one) for one in truth])
    score = _joined([one.score for one in measured], np.float32)
    label = _joined([one.label for one in measured], np.int16)
    classes = np.unique(label_ids[label_ids >= 0])
    row_of = np.full(max(int(label.max(initial=0)), int(classes.max(initial=0))) + 1, -1, np.int16)
    row_of[classes] = np.arange(len(classes))
    truth_label = label_ids[_joined([one.labels for one in truth], np.int64)]
    truth_kind = np.where(truth_label >= 0, row_of[truth_label], np.int16(-1)).astype(np.int16)
    crowd = _joined([one.crowd for one in truth], np.bool_)
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(one.boxes for one in truth)]).astype(np.float64)
    kind = row_of[label]

    pairs = [one.pair for one in measured]
    counts = [pair.shape[1] for pair in pairs]
    both = np.concatenate([np.zeros((2, 0), np.int32), *pairs], axis=1)
    candidate = both[0] + np.repeat(start[:-1], counts)
    item = both[1] + np.repeat(truth_start[:-1], counts)
    iou = _joined([one.iou for one in measured], np.float64)
    judged = (kind[candidate] >= 0) & (truth_kind[item] >= 0)
    alike, crowded = kind[candidate] == truth_kind[item], crowd[item]
    flags = [one.survives for one in measured] if survives is None else survives
    falling = np.argsort(-score, kind="stable")
    by_class = falling[np.argsort(kind[falling], kind="stable")]
    return Table(
        classes,
        start,
        score,
        label,
        kind,
        np.ascontiguousarray(np.concatenate(flags).T) if len(flags) else np.zeros((13, 0), np.uint8),
        by_class[np.searchsorted(kind[by_class], 0) :],
        truth_start,
        truth_kind,
        crowd,
        (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
        np.concatenate([np.zeros((3, 0), np.float32), *(one.reach for one in measured)], axis=1),
        _chosen(judged & alike & ~crowded, candidate, item, iou),
        _chosen(judged & ~crowded, candidate, item, iou),
        _chosen(judged & crowded, candidate, item, iou),
        measured,
    )


def _chosen(mask: Bool, candidate: Int, item: Int, iou: Double) -> tuple[Int, Int, Double]:
    return candidate[mask], item[mask], iou[mask]


def _starts(counts: Sequence[int]) -> Int:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)


def _joined(parts: Sequence[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *parts])
