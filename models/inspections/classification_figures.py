"""Classification figures: how well a classifier does on a labelled data set, with the pictures behind each number.

The source is the data set. The answer covers the pictures looked at so far; the others follow while the engine is idle,
and the meta says `partial` until all are done. It shares the pass with `embed`.

Arrays of the Result. By class that the set has (K,): `labels` columns of `classes`, `support`, `precision`, `recall`,
`f1`, `auc`, `ap` (-1 where unknown). `confusion` (C, C) over `shown` (C,), the classes that are labels or predictions:
rows are labels. By bin (15,): `bin_confidence`, `bin_accuracy` (0 where empty) and `bin_count`. Curves of
all classes together (micro), then of each of the K, one after the other: `roc_start` and `pr_start` (K + 2,), `fpr`,
`tpr`, `recall_points`, `precision_points`. Of the listed pictures (L,): `listed` rows of the data set, `listed_labels`
and `listed_predictions`, `listed_confidence`, `listed_loss`, and `thumbnails` (L, 96, 96, 3) uint8.

Meta: `top1`, `top5`, `ece`, `log_loss`, `brier`, `balanced` (mean recall), `macro_f1`, `macro_auc`, `judged` pictures,
`micro_auc`, `micro_ap`; `of`, `collected`, `failed`, `problems`, `notes`; `listed_paths`; `text`, in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.attributions.target import column
from models.capabilities import provides
from models.dataset_pass.asking import KIND, Asked, LayerParams, ask
from models.datasets.collected import DONE, lines
from models.evaluation import classification
from models.inspection import Inspection
from models.params import param
from models.pictures import images
from models.quantity import VALUE
from models.runtime.context import go_on
from models.types import Float, Int, Pixels, Refusal, Result, Source

THUMBNAIL_PX = 96


@dataclass(frozen=True)
class Params:
    """Which pictures are listed, and whether the pass goes on."""

    actual: str = param("", "Labelled as", "List pictures of this class; empty lists those of all.")
    predicted: str = param("", "Taken for", "List pictures that are taken for this class; empty lists all wrong ones.")
    count: int = param(24, "Listed", "How many pictures are listed, the worst first.", low=0, high=1000, step=1)
    collect: bool = param(True, "Go on", "Continue with the pictures that are not looked at yet.")


def answer(model: Any, source: Source, params: Params, stages: Any) -> Result:
    """Return the figures so far. Raises Refusal for a data set without labels that the model knows."""
    asked = ask(model, source.path, stages, LayerParams())
    classes = model.card.classes
    ids = asked.data_set.label_ids(classes)
    wanted = np.where(asked.data_set.labels >= 0, ids[asked.data_set.labels], -1) if len(ids) else np.zeros(0, int) - 1
    if not (wanted >= 0).any():
        _refuse(asked, classes)
    job = asked.standard(stages)
    if params.collect:
        go_on(stages, KIND, job)
    found = job.collected
    partial = params.collect and not job.complete
    rows = np.flatnonzero((found.state == DONE) & (wanted >= 0))
    chances = found.array("probabilities")[rows] if len(rows) else np.zeros((0, len(classes)), np.float32)
    if job.complete and not len(rows):
        first = next(iter(found.failures.values()), "")
        raise Refusal(f"None of the {len(asked.data_set):,} pictures could be used. The first: {first}")
    truth = wanted[rows].astype(np.int64)
    arrays, meta = figures(chances, truth)
    listed = _listed(chances, truth, params, classes)
    arrays |= _about(asked, rows, chances, truth, listed)
    meta |= {
        **asked.about,
        **job.about,
        "kind": "classification figures",
        "classes": classes,
        "judged": len(rows),
        "listed_paths": tuple(asked.data_set.shown(int(rows[at])) for at in listed),
        "root": asked.data_set.root,
        "problems": tuple(lines(found.failures, asked.data_set)),
        "notes": tuple(_notes(asked, ids)),
        "partial": partial,
        "complete": job.complete,
    }
    meta["text"] = _words(meta, arrays)
    return Result(arrays, meta)


def figures(chances: Float, truth: Int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and numbers for probabilities (M, C) and labels (M,), both without the list of pictures."""
    count = chances.shape[1]
    best = chances.argmax(1) if len(chances) else np.zeros(0, np.int64)
    rank = classification.ranks(chances, truth) if len(chances) else np.zeros(0, np.int64)
    right = best == truth
    matrix = classification.confusion(truth, best, count)
    precision, recall, f1 = classification.rates(matrix)
    labels = np.flatnonzero(matrix.sum(1))
    shown = np.flatnonzero(matrix.sum(1) + matrix.sum(0))
    confidence = chances[np.arange(len(best)), best] if len(best) else np.zeros(0, np.float32)
    sure, accuracy, counts, ece = classification.reliability(confidence, right)
    made = [classification.curves(chances[:, label], truth == label) for label in labels.tolist()]
    onehot = np.zeros((len(truth), count), bool)
    onehot[np.arange(len(truth)), truth] = True
    micro = classification.curves(chances.ravel(), onehot.ravel())
    roc = [classification.thinned(each.fpr, each.tpr) for each in (micro, *made)]
    points = [classification.thinned(each.recall, each.precision) for each in (micro, *made)]
    loss = classification.log_loss(chances, truth) if len(truth) else np.zeros(0)
    auc = np.array([each.auc for each in made])
    arrays: dict[str, np.ndarray] = {
        "labels": labels,
        "support": matrix.sum(1)[labels],
        "precision": precision[labels],
        "recall": recall[labels],
        "f1": f1[labels],
        "auc": np.nan_to_num(auc, nan=-1.0),
        "ap": np.array([each.ap for each in made]),
        "shown": shown,
        "confusion": matrix[np.ix_(shown, shown)],
        "bin_confidence": np.nan_to_num(sure),
        "bin_accuracy": np.nan_to_num(accuracy),
        "bin_count": counts,
        "roc_start": np.cumsum([0, *(len(x) for x, _ in roc)]),
        "pr_start": np.cumsum([0, *(len(x) for x, _ in points)]),
        "fpr": np.nan_to_num(np.concatenate([x for x, _ in roc])),
        "tpr": np.nan_to_num(np.concatenate([y for _, y in roc])),
        "recall_points": np.nan_to_num(np.concatenate([x for x, _ in points])),
        "precision_points": np.nan_to_num(np.concatenate([y for _, y in points])),
    }
    known = np.isfinite(auc)
    meta = {
        "top1": float(right.mean()) if len(right) else -1.0,
        "top5": float((rank < 5).mean()) if len(rank) else -1.0,
        "ece": ece if len(right) else -1.0,
        "log_loss": float(loss.mean()) if len(loss) else -1.0,
        "brier": float(((chances - onehot) ** 2).sum(1).mean()) if len(truth) else -1.0,
        "balanced": float(recall[labels].mean()) if len(labels) else -1.0,
        "macro_f1": float(f1[labels].mean()) if len(labels) else -1.0,
        "macro_auc": float(auc[known].mean()) if known.any() else -1.0,
        "micro_auc": micro.auc if np.isfinite(micro.auc) else -1.0,
        "micro_ap": micro.ap if np.isfinite(micro.ap) else -1.0,
        "confidence": float(confidence.mean()) if len(confidence) else -1.0,
    }
    return arrays, meta


def _listed(chances: Float, truth: Int, params: Params, classes: tuple[str, ...]) -> Int:
    """Return which pictures are listed, the one with the least probability of its label first."""
    best = chances.argmax(1) if len(chances) else np.zeros(0, np.int64)
    keep = np.ones(len(truth), bool)
    if params.actual:
        keep &= truth == column(params.actual, classes)
    if params.predicted:
        keep &= best == column(params.predicted, classes)
    else:
        keep &= best != truth
    rows = np.flatnonzero(keep)
    loss = classification.log_loss(chances[rows], truth[rows]) if len(rows) else np.zeros(0)
    return rows[np.argsort(-loss, kind="stable")][: params.count]


def _about(asked: Asked, rows: Int, chances: Float, truth: Int, listed: Int) -> dict[str, np.ndarray]:
    best = chances[listed].argmax(1) if len(listed) else np.zeros(0, np.int64)
    loss = classification.log_loss(chances[listed], truth[listed]) if len(listed) else np.zeros(0)
    return {
        "listed": rows[listed].astype(np.int64),
        "listed_labels": truth[listed],
        "listed_predictions": best.astype(np.int64),
        "listed_confidence": chances[listed, best] if len(listed) else np.zeros(0, np.float32),
        "listed_loss": loss,
        "thumbnails": _thumbnails([asked.data_set.paths[row] for row in rows[listed].tolist()]),
    }


def _thumbnails(paths: list[str]) -> Pixels:
    """Return small pictures (L, s, s, 3), each in the middle of a square; grey where a picture is gone by now."""
    made = np.full((len(paths), THUMBNAIL_PX, THUMBNAIL_PX, 3), 128, np.uint8)
    for row, path in enumerate(paths):
        try:
            small = images.thumbnail(Source.file(path), side=THUMBNAIL_PX)
        except Refusal:
            continue
        height, width = small.shape[:2]
        top, left = (THUMBNAIL_PX - height) // 2, (THUMBNAIL_PX - width) // 2
        made[row, top : top + height, left : left + width] = small
    return made


def _refuse(asked: Asked, classes: tuple[str, ...]) -> None:
    """Raise the refusal of a data set without a label that the model knows."""
    data_set, known = asked.data_set, ", ".join(classes[:8])
    if not data_set.classes:
        raise Refusal(
            f"{data_set.name} has no labels.",
            advice="Choose a folder with a folder for each class, or a table with paths and labels.",
        )
    raise Refusal(
        f"{asked.model.card.name} knows none of the classes of {data_set.name}: {', '.join(data_set.classes[:8])}.",
        advice=f"It knows {known}. Name the folders like its classes, or by their numbers.",
    )


def _notes(asked: Asked, ids: Int) -> list[str]:
    """Return what the figures leave out, one line each."""
    data_set, notes = asked.data_set, [*asked.data_set.notes]
    for row, name in enumerate(data_set.classes):
        if ids[row] < 0 and data_set.counts[row]:
            notes.append(f"The model has no class {name}: {int(data_set.counts[row]):,} pictures are left out.")
    if bare := int((data_set.labels < 0).sum()):
        notes.append(f"Pictures without a label that are left out: {bare:,}.")
    return notes


def _words(meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    if not meta["judged"]:
        return "No picture has been looked at yet."
    said = [f"Of {meta['judged']:,} pictures {meta['top1']:.1%} are right, {meta['top5']:.1%} among the best five."]
    gap = meta["confidence"] - meta["top1"]
    tendency = "overconfident" if gap > 0.02 else "too modest" if gap < -0.02 else "about as sure as it is right"
    said.append(
        f"It is {tendency}: calibration error (ECE) {meta['ece']:.3f}, mean confidence {meta['confidence']:.1%}."
    )
    if len(arrays["labels"]) == 1:
        said.append("There is a single class, so nothing can be told apart: ROC needs two.")
    elif len(arrays["labels"]):
        worst = int(arrays["recall"].argmin())
        name = meta["classes"][int(arrays["labels"][worst])]
        said.append(f"The hardest class is {name}: {arrays['recall'][worst]:.1%} of its pictures are right.")
    return " ".join(said)


def lacks(model: Any) -> dict[str, str]:
    """Return why there are no figures: of a model that tells no classes, or values rather than classes."""
    head = getattr(model, "head", None)
    if provides(model, "Classifies") and getattr(head, "quantity", "") == VALUE:
        return {"": f"{model.card.name} tells values rather than classes."}
    return {}


INSPECTION = Inspection(
    id="classification_figures",
    title="Classification figures",
    help="Accuracy, confusion, calibration, ROC and precision-recall over a labelled data set, with the pictures.",
    needs=("Classifies",),
    params=Params,
    answer=answer,
    reads="folder",
    lacks=lacks,
)
