"""Rows that are offsets from a known set of anchors: SSD's kind, Ultra-Light and RetinaFace face detectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from models.detection import anchor_sets
from models.detection.box_rows import score_kind
from models.interpretation.box_codes import OFFSETS, BoxCode
from models.interpretation.layout import MOST_PROBABILITY, Columns, DetectorLayout
from models.interpretation.tables import ROWS, Table, View, flat_rows

Outputs = Sequence[tuple[str, Tensor]]
POINTS = 10
PLAIN_POINTS = (0, 8, 12, 14)  # columns of MediaPipe's points behind a box: of people, faces, palms


def may_be(tensors: Sequence[Tensor], size: tuple[int, int]) -> bool:
    """Return whether one of some outputs may hold boxes with points of a known set of anchors that gives both in px."""
    rows = [t for t in tensors if t.ndim == 3 and len(t) == 1 and t.shape[2] - 4 in PLAIN_POINTS[1:]]
    return any(known.plain for t in rows for known in anchor_sets.fitting(t.shape[1], size, None).values())


def hypotheses(pictures: Sequence[Outputs], size: tuple[int, int]) -> Iterator[tuple[DetectorLayout, tuple[str, ...]]]:
    """Yield layouts of boxes that are offsets from a known set of anchors, with scores in an output of their own."""
    named = [(place, name, flat_rows(t)) for place, (name, t) in enumerate(pictures[0]) if 2 <= t.ndim <= 4]
    rows = [(place, name, t) for place, name, t in named if t.ndim == 3 and len(t) == 1]
    for boxes, name, tensor in rows:
        more = tensor.shape[2] - 4
        for anchors, known in anchor_sets.fitting(tensor.shape[1], size, None).items():
            if more and not (known.plain and more in PLAIN_POINTS):
                continue
            own = Columns(0, 4, more) if more else None
            others = [(p, n, t) for p, n, t in rows if p != boxes and t.shape[1] == tensor.shape[1]]
            points = next((p for p, _, t in others if t.shape[2] == POINTS), None)
            for scores, other, values in others:
                if scores == points:
                    continue
                seen = torch.cat([flat_rows(one[scores][1])[0] for one in pictures])
                kind, background = score_kind(seen, most=MOST_PROBABILITY)
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
                        landmarks=own or (Columns(2, 0, POINTS) if points is not None else None),
                    ),
                    (f"{tensor.shape[1]:,} offsets, as many as {anchors} has anchors on this input",),
                )
