"""The difference between the detections of one picture at two settings: pairing of boxes, and layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.detection.suppression import columns_of, overlap
from models.types import Bool, Int, Result
from viewer.canvas.layers import CHANGED, ONLY_A, ONLY_B, Boxes
from viewer.presenters import detections
from viewer.translation import tr

LAYER = "compare"
SAME_PLACE_IOU = 0.5
RESCORED = 0.0005
MOVED_PX = 0.05
ROLES = ("only_a", "only_b", "changed", "same")


@dataclass(frozen=True, eq=False)
class Difference:
    """Rows of the detections of `a` and `b`: `only_a`, `only_b`, and pairs (n, 2) `changed` or the `same`.

    A pair is changed if the box has moved or the score differs.
    """

    a: Result
    b: Result
    only_a: Int
    only_b: Int
    changed: Int
    same: Int

    @property
    def counts(self) -> dict[str, int]:
        """The number of each role."""
        return {role: len(getattr(self, role)) for role in ROLES}


def differ(a: Result, b: Result) -> Difference:
    """Pair the detections of two results: by id, the rest by class and IoU of at least 0.5, the largest IoU first."""
    common, in_a, in_b = np.intersect1d(a.arrays["ids"], b.arrays["ids"], return_indices=True)
    left_a = np.setdiff1d(np.arange(len(a.arrays["ids"])), in_a)
    left_b = np.setdiff1d(np.arange(len(b.arrays["ids"])), in_b)
    pairs = np.concatenate([np.stack([in_a, in_b], 1).reshape(len(common), 2), nearest(a, b, left_a, left_b)])
    pairs = pairs[np.argsort(pairs[:, 0])].astype(np.int64)
    rescored = np.abs(a.arrays["scores"][pairs[:, 0]] - b.arrays["scores"][pairs[:, 1]]) > RESCORED
    other = rescored | _moved(a, b, pairs)
    return Difference(
        a, b, np.setdiff1d(left_a, pairs[:, 0]), np.setdiff1d(left_b, pairs[:, 1]), pairs[other], pairs[~other]
    )


def layers(difference: Difference, *, labels: bool = True, selected: int = -1) -> list[Boxes]:
    """Return unchanged boxes, faint, and changed ones: solid for A, dashed for B. `selected` is a detection's id."""
    d, a, b = difference, difference.a, difference.b
    texts_a, texts_b = detections.detection_texts(a), detections.detection_texts(b)
    now, was = d.changed.T
    changed = [_change(d, i, j) for i, j in d.changed.tolist()]
    moved = was[_moved(a, b, d.changed)]

    def made(name: str, result: Result, rows: Int, texts: Sequence[str] = (), **style: Any) -> Boxes:
        ids = result.arrays["ids"][rows]
        role = style.pop("role", None)
        colours = result.arrays["labels"][rows] if role is None else np.full(len(rows), role)
        chosen = np.flatnonzero(ids == selected)
        row = int(chosen[0]) if len(chosen) else -1
        boxes = result.arrays["boxes"][rows]
        return Boxes(f"{LAYER} {name}", boxes, colours, texts, ids=ids, selected=row, **style)

    same, only_a, only_b = d.same[:, 0], d.only_a, d.only_b
    return [
        made("same", a, same, [texts_a[i] for i in same], opacity=0.35, width=1.2, labelled=False),
        made("before", b, moved, role=CHANGED, dashed=True, width=1.2, hoverable=False),
        made("changed", a, now, changed, role=CHANGED, labelled=labels),
        made(
            "only b",
            b,
            only_b,
            [tr("{texts_b} only in B", texts_b=texts_b[i]) for i in only_b],
            role=ONLY_B,
            dashed=True,
            labelled=labels,
        ),
        made(
            "only a",
            a,
            only_a,
            [tr("{texts_a} only in A", texts_a=texts_a[i]) for i in only_a],
            role=ONLY_A,
            labelled=labels,
        ),
    ]


def _change(d: Difference, row_a: int, row_b: int) -> str:
    """Return class and score in A, and the score in B, or that only the box differs."""
    name = d.a.meta["classes"][d.a.arrays["labels"][row_a]]
    scores = [f"{each.arrays['scores'][row]:.2f}" for each, row in ((d.a, row_a), (d.b, row_b))]
    return (
        tr("{name} {scores} moved", name=name, scores=scores[0])
        if scores[0] == scores[1]
        else tr("{name} {scores}, in B {scores_2}", name=name, scores=scores[0], scores_2=scores[1])
    )


def _moved(a: Result, b: Result, pairs: Int) -> Bool:
    return np.abs(a.arrays["boxes"][pairs[:, 0]] - b.arrays["boxes"][pairs[:, 1]]).max(axis=1, initial=0) > MOVED_PX


def nearest(a: Result, b: Result, rows_a: Int, rows_b: Int) -> Int:
    """Return pairs (n, 2) of rows of the same label with sufficient overlap, each row once, the largest IoU first."""
    found, shared = [np.empty((0, 2), np.int64)], [np.empty(0, np.float32)]
    labels_a, labels_b = a.arrays["labels"][rows_a], b.arrays["labels"][rows_b]
    for label in np.intersect1d(labels_a, labels_b):
        of_a, of_b = rows_a[labels_a == label], rows_b[labels_b == label]
        columns_a, columns_b = columns_of(a.arrays["boxes"][of_a]), columns_of(b.arrays["boxes"][of_b])
        iou = overlap(columns_a[:, :, None], columns_b[:, None])
        one, other = np.nonzero(iou >= SAME_PLACE_IOU)
        found.append(np.stack([of_a[one], of_b[other]], 1))
        shared.append(iou[one, other])
    candidates = np.concatenate(found)[np.argsort(-np.concatenate(shared), kind="stable")]
    taken_a, taken_b, pairs = set(), set(), []
    for i, j in candidates.tolist():
        if i not in taken_a and j not in taken_b:
            taken_a.add(i)
            taken_b.add(j)
            pairs.append((i, j))
    return np.array(pairs, np.int64).reshape(-1, 2)
