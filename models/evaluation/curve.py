"""Precision-recall curves, the operating point at a score, and the score with the best F1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluation.matched import Matched
from models.types import Bool, Float, Int

Double = NDArray[np.float64]
MOST_POINTS = 256


@dataclass(frozen=True, eq=False)
class Curve:
    """The M points of one class, or of all classes pooled, by falling score: `recall`, `precision`, `score` (M,).

    `best_f1` is the highest F1 over all score thresholds. `best_score` is a threshold that reaches it, halfway between
    two detections so that rounding does not matter. Both are 0 without a correct detection.
    """

    recall: Double
    precision: Double
    score: Double
    best_f1: float
    best_score: float


def curves(matched: Matched) -> list[Curve]:
    """Return the curve of all classes pooled, followed by one for each class (C,)."""
    correct = np.zeros(len(matched.rows), np.bool_)
    correct[matched.hits.at] = True
    counts = ~matched.ignored
    pooled = np.argsort(-matched.score, kind="stable")
    whole = _curve(matched.score[pooled], correct[pooled], counts[pooled], int(matched.positives.sum()))
    found = [whole]
    for a, b, number in zip(matched.first[:-1], matched.first[1:], matched.positives.tolist(), strict=True):
        found.append(_curve(matched.score[a:b], correct[a:b], counts[a:b], number))
    return found


def _curve(score: Float, correct: Bool, counts: Bool, positives: int) -> Curve:
    score, correct = score[counts], correct[counts]
    hits = np.flatnonzero(correct)
    if not len(hits) or not positives:
        none = np.zeros(0)
        return Curve(none, none, none, 0.0, 0.0)
    number = np.arange(1, len(hits) + 1)
    # A threshold cannot separate equal scores, so it lies after the last of them.
    behind = np.searchsorted(-score, -score[hits], side="right")
    together = np.searchsorted(hits, behind)
    f1 = 2 * together / (behind + positives)
    best = int(f1.argmax())
    end = int(behind[best])
    below = float(score[end]) if end < len(score) else 0.0
    best_score = (float(score[end - 1]) + below) / 2

    chosen = np.unique(np.linspace(0, len(hits) - 1, min(len(hits), MOST_POINTS)).astype(np.intp))
    # Precision falls until just before the next correct detection, then recall and precision jump up at it.
    last = np.append(hits[1:], len(score))[chosen]
    at = np.stack([hits[chosen] + 1, last], axis=1).ravel()
    k = np.repeat(number[chosen], 2)
    return Curve(k / positives, k / at, score[at - 1].astype(np.float64), float(f1[best]), best_score)


def operating_point(matched: Matched, score: float) -> tuple[Int, Int, Int]:
    """Return the true positives, false positives and false negatives of each class (C,) at a score."""
    correct = np.bincount(matched.hits.kind[matched.hits.score > score], minlength=len(matched.positives))
    shown = matched.detections(score)
    if matched.ignored.any():
        shown = shown - np.bincount(matched.kind[matched.ignored & (matched.score > score)], minlength=len(shown))
    return correct, shown - correct, matched.positives - correct


def rates(correct: Int, wrong: Int, missed: Int) -> tuple[Double, Double, Double]:
    """Return precision, recall and F1; 0 where the denominator is 0."""
    shown, objects = correct + wrong, correct + missed
    precision = np.divide(correct, shown, out=np.zeros(np.shape(correct)), where=np.asarray(shown) > 0)
    recall = np.divide(correct, objects, out=np.zeros(np.shape(correct)), where=np.asarray(objects) > 0)
    f1 = np.divide(2 * correct, shown + objects, out=np.zeros(np.shape(correct)), where=np.asarray(shown + objects) > 0)
    return precision, recall, f1
