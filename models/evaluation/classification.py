"""Figures of a classifier over labelled pictures: accuracy, confusion, calibration, ROC and precision-recall.

Labels are columns of the probabilities (M, C), one for each picture. Needs numpy alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.types import Float, Int

BINS = 15
LEAST = 1e-12  # a probability of 0 would make the log loss infinite
MOST_POINTS = 512  # of a curve that is drawn
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curves:
    """One class against all others: the ROC's `fpr` and `tpr`, and `recall` and `precision`, with their areas.

    `auc` is NaN without pictures of both kinds, `ap` (average precision) without pictures of the class.
    """

    fpr: Double
    tpr: Double
    auc: float
    recall: Double
    precision: Double
    ap: float


def ranks(chances: Float, labels: Int) -> Int:
    """Return the rank (M,) of each label among a picture's classes, from 0; equal ones in the order of the classes."""
    own = chances[np.arange(len(labels)), labels][:, None]
    before = np.arange(chances.shape[1])[None] < labels[:, None]
    return ((chances > own) | ((chances == own) & before)).sum(1).astype(np.int64)


def confusion(labels: Int, predictions: Int, classes: int) -> Int:
    """Return the counts (C, C), rows being labels and columns predictions."""
    found = np.zeros((classes, classes), np.int64)
    np.add.at(found, (labels, predictions), 1)
    return found


def rates(matrix: Int) -> tuple[Double, Double, Double]:
    """Return precision, recall and F1 of each class (C,) from a confusion matrix; 0 where nothing is counted."""
    hits, predicted, support = np.diag(matrix).astype(float), matrix.sum(0), matrix.sum(1)
    precision = np.divide(hits, predicted, out=np.zeros_like(hits), where=predicted > 0)
    recall = np.divide(hits, support, out=np.zeros_like(hits), where=support > 0)
    both = precision + recall
    return precision, recall, np.divide(2 * precision * recall, both, out=np.zeros_like(hits), where=both > 0)


def reliability(confidence: Float, right: NDArray[np.bool_], bins: int = BINS) -> tuple[Double, Double, Int, float]:
    """Return, in equal bins of the confidence, its mean, the accuracy and the count (B,), and the expected calibration
    error: the mean of their difference, weighted by the count (Naeini et al. 2015). Empty bins have NaN.

    A bin contains its upper end, as in Guo et al. 2017.
    """
    at = np.clip(np.ceil(confidence.astype(np.float64) * bins).astype(np.int64) - 1, 0, bins - 1)
    count = np.bincount(at, minlength=bins)
    sure = np.bincount(at, weights=confidence, minlength=bins)
    hits = np.bincount(at, weights=right, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean, accuracy = sure / count, hits / count
    error = float(np.abs(sure - hits).sum() / max(len(confidence), 1))
    return mean, accuracy, count, error


def log_loss(chances: Float, labels: Int) -> Double:
    """Return the negative logarithm (M,) of the probability of each picture's label."""
    return -np.log(np.clip(chances[np.arange(len(labels)), labels].astype(np.float64), LEAST, 1.0))


def curves(scores: Float, positive: NDArray[np.bool_]) -> Curves:
    """Return the curves of scores (M,) for pictures that are `positive` (M,) or not; ties move together."""
    order = np.argsort(-scores, kind="stable")
    sorted_scores, hits = scores[order], positive[order].astype(np.float64)
    ends = np.flatnonzero(np.r_[sorted_scores[1:] != sorted_scores[:-1], True]) if len(scores) else np.zeros(0, int)
    found, total = np.cumsum(hits)[ends], ends + 1.0
    wrong = total - found
    positives, negatives = float(hits.sum()), float(len(hits) - hits.sum())
    tpr = np.r_[0.0, found / positives] if positives else np.r_[0.0, np.full(len(ends), np.nan)]
    fpr = np.r_[0.0, wrong / negatives] if negatives else np.r_[0.0, np.full(len(ends), np.nan)]
    auc = float(np.trapezoid(tpr, fpr)) if positives and negatives else float("nan")
    precision = found / total
    steps = np.diff(tpr) if positives else np.zeros(len(ends))
    ap = float((steps * precision).sum()) if positives else float("nan")
    return Curves(fpr, tpr, auc, tpr[1:], precision, ap)


def thinned(x: Double, y: Double, most: int = MOST_POINTS) -> tuple[Double, Double]:
    """Return at most so many points of a curve, both ends among them."""
    if len(x) <= most:
        return x, y
    rows = np.unique(np.linspace(0, len(x) - 1, most).round().astype(np.int64))
    return x[rows], y[rows]
