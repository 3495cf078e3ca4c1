"""Rows that are offsets from a known set of anchors: SSD's kind, Ultra-Light and RetinaFace face detectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from models.detection import anchor_sets
from models.interpretation.box_codes import OFFSETS, BoxCode
from models.interpretation.layout import FIRST, LAST, NONE, PROBABILITIES, SIGMOID, SOFTMAX, Columns, DetectorLayout
from models.interpretation.tables import ROWS, Table, View, flat_rows

Outputs = Sequence[tuple[str, Tensor]]
POINTS = 10


def hypotheses(pictures: Sequence[Outputs], size: tuple[int, int]) -> Iterator[tuple[DetectorLayout, tuple[str, ...]]]:
    """Yield layouts of boxes that are offsets from a known set of anchors, with scores in an output of their own."""
    named = [(place, name, flat_rows(t)) for place, (name, t) in enumerate(pictures[0]) if 2 <= t.ndim <= 4]
    rows = [(place, name, t) for place, name, t in named if t.ndim == 3 and len(t) == 1]
    for boxes, name, tensor in rows:
        if tensor.shape[2] != 4:
            continue
        for anchors in anchor_sets.fitting(tensor.shape[1], size, None):
            others = [(p, n, t) for p, n, t in rows if p != boxes and t.shape[1] == tensor.shape[1]]
            points = next((p for p, _, t in others if t.shape[2] == POINTS), None)
            for scores, other, values in others:
                if scores == points:
                    continue
                kind, background = _kind(torch.cat([flat_rows(one[scores][1])[0] for one in pictures]))
                names = (name, other, *([pictures[0][points][0]] if points is not None else []))
                places = (boxes, scores, *([points] if points is not None else []))
                tables = tuple(Table(n, (View(p, ROWS),), None) for n, p in zip(names, places, strict=True))
                yield (
                    DetectorLayout(
                        tables,
                        (Columns(0, 0, 4),),
                        BoxCode(OFFSETS, anchors=anchors),
                        Columns(1, 0, values.shape[2]),
                        kind,
                        background,
                        landmarks=Columns(2, 0, POINTS) if points is not None else None,
                    ),
                    (f"{tensor.shape[1]:,} offsets, as many as {anchors} has anchors on this input",),
                )


def _kind(values: Tensor) -> tuple[str, str]:
    """Return what scores (R, C) are, and where their background is: the column that wins nearly everywhere."""
    winner = values.argmax(1)
    first, last = (float((winner == column).float().mean()) for column in (0, values.shape[1] - 1))
    place = NONE if values.shape[1] < 2 or max(first, last) < 0.9 else FIRST if first >= last else LAST
    if bool((values >= 0).all() and (values <= 1 + 1e-4).all()):
        whole = values.shape[1] > 1 and bool(((values.sum(1) - 1).abs() < 1e-3).all())
        return PROBABILITIES, place if whole else NONE
    return (SIGMOID, NONE) if place == NONE else (SOFTMAX, place)
