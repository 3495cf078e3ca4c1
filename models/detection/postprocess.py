"""From candidates to shown boxes: suppression, score, classes, cut. Never runs the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torchvision.ops import boxes as box_ops

from models.detection.suppression import Suppression, SuppressionGraph, plain
from models.types import Bool, Candidates, Float, Int

MOST_REMOVED_SHOWN = 2000
GRAPH_FLOOR = 0.1


@dataclass(frozen=True)
class Shown:
    """Rows of the candidates: `rows` (K,) best first, `counts` of every label before classes were hidden and the cut,
    `cut` how many the maximum left out; `removed` (R,) rows that suppression took from a shown box, `by` (R,) positions
    in `rows`, `iou` (R,)."""

    rows: Int
    counts: dict[int, int]
    cut: int
    removed: Int
    by: Int
    iou: Float


def suppress(candidates: Candidates, graph: SuppressionGraph | None, *, iou: float, agnostic: bool) -> Suppression:
    """Return greedy NMS over all candidates, within each class unless `agnostic`: by the graph once it is there."""
    if graph is not None and iou >= graph.floor:
        return graph.tick(iou)
    group = None if agnostic else candidates.label
    return plain(candidates.boxes, candidates.score, group, iou)


def parity(candidates: Candidates, *, score: float, iou: float) -> Int:
    """Return the rows that torchvision's own `batched_nms` keeps among those above `score`, best first.

    Up to 1,000 boxes torchvision separates classes by offsetting coordinates, which rounds; at the model's own
    thresholds its answer is taken as it is, so that the boxes equal `model([image])` bit for bit.
    """
    rows = np.flatnonzero(candidates.score > score)
    boxes, scores, labels = (torch.from_numpy(c[rows]) for c in (candidates.boxes, candidates.score, candidates.label))
    return rows[box_ops.batched_nms(boxes, scores, labels, iou).numpy()]


def choose(
    candidates: Candidates,
    kept: Int,
    suppression: Suppression | None,
    *,
    score: float,
    hidden: frozenset[int],
    maximum: int,
) -> Shown:
    """Mask the survivors by score and class and cut them to `maximum`.

    With `suppression` also tell what it removed.

    Raising the score never needs suppression again: greedy NMS lets only higher scores suppress.
    """
    above = kept[candidates.score[kept] > score]
    labels, sizes = np.unique(candidates.label[above], return_counts=True)
    counts = {int(label): int(size) for label, size in zip(labels, sizes, strict=True)}
    visible = above[~_among(candidates.label[above], hidden)]
    rows = visible[:maximum]
    empty = np.zeros(0, np.int64)
    if suppression is None:
        return Shown(rows, counts, len(visible) - len(rows), empty, empty, np.zeros(0, np.float32))

    position = np.full(len(candidates), -1, np.int64)
    position[rows] = np.arange(len(rows))
    remover = suppression.removed_by
    lost = np.flatnonzero((remover >= 0) & (candidates.score > score))
    lost = lost[(position[remover[lost]] >= 0) & (position[lost] < 0)]
    lost = lost[~_among(candidates.label[lost], hidden)]
    lost = lost[np.argsort(-candidates.score[lost], kind="stable")][:MOST_REMOVED_SHOWN]
    return Shown(rows, counts, len(visible) - len(rows), lost, position[remover[lost]], suppression.removed_iou[lost])


def _among(labels: Int, hidden: frozenset[int]) -> Bool:
    return np.isin(labels, np.fromiter(hidden, np.int64, len(hidden)))
