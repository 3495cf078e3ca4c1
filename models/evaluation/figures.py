"""All figures of a data set at one setting, as arrays and numbers, with what a score change can reuse computed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation import tide
from models.evaluation.curve import Curve, curves, operating_point, rates
from models.evaluation.funnel import best_scores, funnel
from models.evaluation.matched import COCO_IOUS, Matched, Setting, match, survivors
from models.evaluation.precision import average_precision, mean
from models.evaluation.table import Table
from models.types import Int, Result


@dataclass(frozen=True, eq=False)
class Prepared:
    """The intermediate values that do not depend on the score."""

    matched: Matched
    curves: list[Curve]
    errors: tide.Errors
    best_scores: NDArray[np.float32]


def prepare(table: Table, setting: Setting) -> Prepared:
    """Compute everything that must be redone when a setting other than the score changes."""
    matched = match(table, setting, survivors(table, setting.iou, agnostic=setting.agnostic))
    return Prepared(matched, curves(matched), tide.errors(matched), best_scores(matched))


def figures(prepared: Prepared, score: float) -> Result:
    """Return the figures at a score; only detections with a higher score count.

    Arrays over the K evaluated classes: `labels` (K,) the model's label ids; `objects` (K,); `ap` (K, 10) at `ious`
    (10,), -1 for a class without objects; `correct`, `wrong`, `missed` (K,) at the score; `precision`, `recall`, `f1`
    (K,); `confusion` (K + 1, K + 1), see `confusion`; `funnel` (7, 4 + K) and `funnel_of` (4 + K,), see `funnel`;
    `tide` (8,) and `tide_count` (6,), see `tide`. Curves of all classes pooled, then of each class, concatenated:
    `curve_start` (K + 2,), `curve_recall`, `curve_precision`, `curve_score`; `best_f1` and `best_score` (1 + K,).
    """
    matched = prepared.matched
    shown = _visible(matched)
    ap = np.stack([_average_precision(matched, hits_at, score) for hits_at in range(len(COCO_IOUS))], axis=1)
    correct, wrong, missed = (column[shown] for column in operating_point(matched, score))
    precision, recall, f1 = rates(correct, wrong, missed)
    whole = rates(correct.sum(), wrong.sum(), missed.sum())
    matrix = confusion(matched, score)
    with_background = np.append(shown, len(matched.positives))
    alive, of = funnel(matched, prepared.best_scores, score)
    columns = np.concatenate([np.arange(4), 4 + shown])
    gains, count, base = prepared.errors.tick(score)
    kept = [prepared.curves[0], *(prepared.curves[1 + row] for row in shown.tolist())]

    arrays: dict[str, NDArray[Any]] = {
        "labels": matched.table.classes[shown],
        "objects": matched.positives[shown],
        "ious": COCO_IOUS,
        "ap": ap[shown],
        "correct": correct,
        "wrong": wrong,
        "missed": missed,
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "confusion": matrix[np.ix_(with_background, with_background)],
        "funnel": alive[:, columns],
        "funnel_of": of[columns],
        "tide": gains,
        "tide_count": count,
        "curve_start": np.cumsum([0, *(len(curve.score) for curve in kept)]),
        "curve_recall": np.concatenate([curve.recall for curve in kept]),
        "curve_precision": np.concatenate([curve.precision for curve in kept]),
        "curve_score": np.concatenate([curve.score for curve in kept]),
        "best_f1": np.array([curve.best_f1 for curve in kept]),
        "best_score": np.array([curve.best_score for curve in kept]),
    }
    meta = {
        "map": mean(ap[shown].mean(1)),
        "map50": mean(ap[shown, 0]),
        "map75": mean(ap[shown, 5]),
        "tide_ap": base,
        "all_precision": float(whole[0]),
        "all_recall": float(whole[1]),
        "all_f1": float(whole[2]),
        "score": score,
        "pictures": matched.table.pictures,
        "match_iou": matched.setting.match_iou,
    }
    return Result(arrays, meta)


def _average_precision(matched: Matched, row: int, score: float) -> NDArray[np.float64]:
    hits = matched.coco[row].above(score)
    return average_precision(hits.kind, hits.place, matched.positives)


def _visible(matched: Matched) -> Int:
    hidden = matched.setting.hidden
    return np.flatnonzero([label not in hidden for label in matched.table.classes.tolist()])


def confusion(matched: Matched, score: float) -> Int:
    """Return counts (C + 1, C + 1): rows are classes of objects, columns classes of detections.

    The last row counts detections on background, the last column objects without a detection.
    """
    classes = len(matched.positives)
    row, column, _ = _cells(matched, score)
    return np.bincount(row * (classes + 1) + column, minlength=(classes + 1) ** 2).reshape(classes + 1, classes + 1)


def pictures_of_cell(matched: Matched, score: float, row: int, column: int) -> tuple[Int, Int]:
    """Return the pictures behind a cell of the confusion matrix of `figures`, rows of the table, and the count of each.

    Those with most come first.
    """
    shown = np.append(_visible(matched), len(matched.positives))
    if not (0 <= row < len(shown) and 0 <= column < len(shown)):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows, columns, pictures = _cells(matched, score)
    found, counts = np.unique(pictures[(rows == shown[row]) & (columns == shown[column])], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return found[order], counts[order]


def _cells(matched: Matched, score: float) -> tuple[Int, Int, Int]:
    """Return row, column and picture of everything that the confusion matrix counts: objects, then stray detections."""
    table, classes = matched.table, len(matched.positives)
    counted = np.flatnonzero(matched.counted)
    finder = matched.finder[counted]
    found = np.flatnonzero(finder >= 0)
    found = found[table.score[finder[found]] > np.float32(score)]
    row = table.truth_kind[counted].astype(np.int64)
    column = np.full(len(counted), classes)
    column[found] = table.kind[finder[found]]
    stray = ~(matched.taken | matched.excused) & (matched.score > np.float32(score))
    of_object = np.repeat(np.arange(table.pictures), np.diff(table.truth_start))
    return (
        np.concatenate([row, np.full(int(stray.sum()), classes)]),
        np.concatenate([column, matched.kind[stray].astype(np.int64)]),
        np.concatenate([of_object[counted], table.picture[matched.rows[stray]]]),
    )
