"""From candidates to shown boxes: suppression by the chosen method, score threshold, hidden classes, maximum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.ops import boxes as box_ops

from models.detection.soft_nms import Fused, Softened
from models.detection.suppression import Suppression, SuppressionGraph, columns_of, overlap, plain
from models.types import Bool, Candidates, Float, Int

MOST_REMOVED_SHOWN = 2000
GRAPH_FLOOR = 0.1

Explain = Callable[[Int], tuple[Int, Float]]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method of suppression made of N candidates.

    `kept` (K,): the candidates that survive, best first, for fusion one representative per cluster. After the method:
    `score` (N,), `boxes` (N, 4) in network pixels, `drawn` (N, 4) in pixels of the original image. `explain(rows)`
    returns for each candidate (N,) which of the kept `rows` removed or absorbed it, -1 for none, and at which IoU.
    """

    kept: Int
    score: Float
    boxes: Float
    drawn: Float
    explain: Explain


@dataclass(frozen=True)
class Shown:
    """The shown boxes, as rows of the candidates.

    `rows` (K,) best first, with their final `scores` (K,), `boxes` (K, 4) in network pixels and `drawn` (K, 4) in
    pixels of the original image; `counts` by label before classes are hidden and the maximum applies; `cut`, how many
    the maximum left out. `removed` (R,): rows that a shown box removed, `by` (R,) its position in `rows`, `iou` (R,),
    `removed_scores` (R,) their scores after the method.
    """

    rows: Int
    scores: Float
    boxes: Float
    drawn: Float
    counts: dict[int, int]
    cut: int
    removed: Int
    by: Int
    iou: Float
    removed_scores: Float


def suppress(
    candidates: Candidates,
    graph: SuppressionGraph | None,
    group: Int | None,
    *,
    iou: float,
    alive: Bool | None = None,
    distance: bool = False,
    fast: bool = False,
) -> Suppression:
    """Run greedy NMS over the candidates that are `alive` (N,), within each `group` (N,), by the graph where it covers
    `iou`. With `distance`, run DIoU-NMS, with `fast` Fast NMS.
    """
    if fast:
        covers = graph is not None and iou >= graph.floor
        whole = graph if covers else SuppressionGraph.build(candidates.boxes, candidates.score, group, floor=iou)
        assert whole is not None
        return whole.fast(iou, alive)
    if graph is not None and iou >= graph.floor:
        return graph.tick(iou, alive)
    if distance:
        made = SuppressionGraph.build(candidates.boxes, candidates.score, group, floor=iou, distance=True)
        return made.tick(iou, alive)
    return plain(candidates.boxes, candidates.score, group, iou, alive)


def parity(candidates: Candidates, *, score: float, iou: float) -> Int:
    """Return the rows above `score` that torchvision's own `batched_nms` keeps, best first.

    torchvision separates classes by offsetting coordinates (for up to 1,000 boxes), which rounds. At the model's own
    thresholds its result is used unchanged, so that the boxes equal `model([image])` bit for bit.
    """
    rows = np.flatnonzero(candidates.score > score)
    boxes, scores, labels = (torch.from_numpy(c[rows]) for c in (candidates.boxes, candidates.score, candidates.label))
    return rows[box_ops.batched_nms(boxes, scores, labels, iou).numpy()]


def removing(candidates: Candidates, kept: Int, suppression: Suppression | None) -> Outcome:
    """Return the outcome of a method that removes boxes and leaves the others unchanged."""

    def explain(rows: Int) -> tuple[Int, Float]:
        assert suppression is not None
        return suppression.removed_by, suppression.removed_iou

    return Outcome(kept, candidates.score, candidates.boxes, candidates.drawn, explain)


def softening(candidates: Candidates, softened: Softened, limits: Float) -> Outcome:
    """Return the outcome of Soft-NMS, where a box's final score must exceed its limit (N,)."""
    kept = softened.order[softened.score[softened.order] > limits[softened.order]]
    return Outcome(kept, softened.score, candidates.boxes, candidates.drawn, softened.blame)


def fusing(candidates: Candidates, fused: Fused) -> Outcome:
    """Return the outcome of weighted boxes fusion: the best member of a cluster represents it, with the fused box."""
    score, boxes, drawn = (column.copy() for column in (candidates.score, candidates.boxes, candidates.drawn))
    score[fused.rows], boxes[fused.rows] = fused.score, fused.boxes
    drawn[fused.rows] = fused.mean(candidates.drawn, candidates.score)

    def explain(rows: Int) -> tuple[Int, Float]:
        lead = np.append(fused.rows, -1)[fused.cluster]
        lead[fused.rows] = -1
        members = np.flatnonzero(lead >= 0)
        iou = np.zeros(len(score), np.float32)
        with np.errstate(all="ignore"):
            shared = overlap(columns_of(candidates.boxes[members]), columns_of(boxes[lead[members]]))
        iou[members] = np.nan_to_num(shared)
        return lead, iou

    return Outcome(fused.rows, score, boxes, drawn, explain)


def choose(
    candidates: Candidates, outcome: Outcome, *, limits: Float, hidden: frozenset[int], maximum: int, explain: bool
) -> Shown:
    """Select from the kept candidates those above their limit (N,) and not hidden, at most `maximum`.

    With `explain`, also collect what suppression removed.

    Raising the score never needs suppression again: in greedy NMS and Soft-NMS only higher scores act on lower ones.
    """
    kept, score = outcome.kept, outcome.score
    above = kept[score[kept] > limits[kept]]
    labels, sizes = np.unique(candidates.label[above], return_counts=True)
    counts = {int(label): int(size) for label, size in zip(labels, sizes, strict=True)}
    visible = above[~_among(candidates.label[above], hidden)]
    rows = visible[:maximum]
    lost, by, iou = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    if explain:
        position = np.full(len(candidates), -1, np.int64)
        position[rows] = np.arange(len(rows))
        remover, shared = outcome.explain(above)
        lost = np.flatnonzero((remover >= 0) & (candidates.score > limits))
        lost = lost[(position[remover[lost]] >= 0) & (position[lost] < 0)]
        lost = lost[~_among(candidates.label[lost], hidden)]
        lost = lost[np.argsort(-candidates.score[lost], kind="stable")][:MOST_REMOVED_SHOWN]
        by, iou = position[remover[lost]], shared[lost]
    return Shown(
        rows,
        score[rows],
        outcome.boxes[rows],
        outcome.drawn[rows],
        counts,
        len(visible) - len(rows),
        lost,
        by,
        iou,
        score[lost],
    )


def _among(labels: Int, hidden: frozenset[int]) -> Bool:
    return np.isin(labels, np.fromiter(hidden, np.int64, len(hidden)))
