"""Metrics of a data set as JSON, as a CSV file of the curves, and as text for the clipboard."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from models.evaluation.funnel import SIZES, STAGES
from models.evaluation.tide import SPECIAL, TYPES
from models.requests import Request
from models.types import Result

ALL = "all"
BACKGROUND = "background"
STAGE_TITLES = {
    "anchors": "Anchors",
    "pool": "RPN pool",
    "proposals": "Proposals",
    "candidates": "Candidates",
    "score": "Score",
    "nms": "NMS",
    "maximum": "Maximum",
}
CURVE_FIELDS = ("class", "score", "recall", "precision")
CLASS_FIELDS = ("class", "objects", "ap", "ap50", "ap75", "precision", "recall", "f1", "best_f1", "best_score")


def left_out(result: Result) -> list[str]:
    """Return what the figures leave out or changed, one line each: classes, pictures, annotations."""
    return [*result.meta["notes"], *result.meta["problems"], *result.meta.get("truth_notes", ())]


def names(result: Result) -> list[str]:
    """Return the names of the evaluated classes."""
    classes = result.meta["classes"]
    return [classes[label] for label in result.arrays["labels"].tolist()]


def class_rows(result: Result) -> list[dict[str, Any]]:
    """Return the figures of all classes together, then of each class; AP is None for a class without objects."""
    arrays, meta = result.arrays, result.meta
    of_all = (int(arrays["objects"].sum()), _known(meta["map"]), _known(meta["map50"]), _known(meta["map75"]))
    rates = (meta["all_precision"], meta["all_recall"], meta["all_f1"])
    rows: list[tuple[Any, ...]] = [(ALL, *of_all, *rates)]
    for row, name in enumerate(names(result)):
        ap = arrays["ap"][row]
        of_class = (int(arrays["objects"][row]), _known(ap.mean()), _known(ap[0]), _known(ap[5]))
        rows.append((name, *of_class, *(float(arrays[key][row]) for key in ("precision", "recall", "f1"))))
    best = zip(arrays["best_f1"].tolist(), arrays["best_score"].tolist(), strict=True)
    return [dict(zip(CLASS_FIELDS, (*row, *more), strict=True)) for row, more in zip(rows, best, strict=True)]


def funnel_rows(result: Result) -> list[tuple[str, list[int], list[int]]]:
    """Return, for each group of objects, its name, the count after each stage, and the total.

    The count is -1 for a stage that the model does not have.
    """
    groups = [ALL, *SIZES, *names(result)]
    alive, of = result.arrays["funnel"], result.arrays["funnel_of"]
    return [(name, alive[:, row].tolist(), [int(of[row])]) for row, name in enumerate(groups)]


def as_json(request: Request, result: Result) -> str:
    """Return the figures with the ground truth, the model and every parameter, as JSON."""
    arrays, meta = result.arrays, result.meta
    body = {
        "truth": {"file": request.source.name if request.source else "", "name": meta["truth"]},
        "model": {"name": request.model, "sha256": meta.get("sha256", "")},
        "parameters": dict(meta["parameters"]),
        "pictures": {"of": meta["of"], "measured": meta["pictures"], "failed": meta["failed"]},
        "classes": class_rows(result),
        "average_precision": {
            "ious": [round(v, 2) for v in arrays["ious"].tolist()],
            "by_class": {
                n: [_known(v) for v in row] for n, row in zip(names(result), arrays["ap"].tolist(), strict=True)
            },
        },
        "confusion": {
            "rule": "Rows are classes of objects, columns of detections; the last of each is background.",
            "labels": [*names(result), BACKGROUND],
            "matrix": arrays["confusion"].tolist(),
        },
        "recall_funnel": {
            name: {"objects": of[0], **{s: n for s, n in zip(STAGES, alive, strict=True) if n >= 0}}
            for name, alive, of in funnel_rows(result)
        },
        "tide": {
            "ap50": meta["tide_ap"],
            "gain_in_ap50": dict(zip((*TYPES, *SPECIAL), arrays["tide"].tolist(), strict=True)),
            "count": dict(zip(TYPES, arrays["tide_count"].tolist(), strict=True)),
        },
        "left_out": left_out(result),
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def as_csv(result: Result) -> str:
    """Return the points of the precision-recall curves, of all classes together and of each, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CURVE_FIELDS)
    start = result.arrays["curve_start"].tolist()
    columns = [result.arrays[f"curve_{name}"].tolist() for name in ("score", "recall", "precision")]
    for row, name in enumerate([ALL, *names(result)]):
        for values in zip(*(column[start[row] : start[row + 1]] for column in columns), strict=True):
            writer.writerow((name, *(f"{value:.6f}" for value in values)))
    return text.getvalue()


def as_text(result: Result) -> str:
    """Return all figures as tab-separated text: classes, confusion, funnel, error types."""
    lines = ["\t".join(CLASS_FIELDS)]
    lines += ["\t".join(_cell(value) for value in row.values()) for row in class_rows(result)]
    labels = [*names(result), BACKGROUND]
    lines += ["", "\t".join(["object \\ detection", *labels])]
    matrix = result.arrays["confusion"].tolist()
    lines += ["\t".join([name, *map(str, row)]) for name, row in zip(labels, matrix, strict=True)]
    lines += ["", "\t".join(["within reach", "objects", *STAGES])]
    lines += [
        "\t".join([name, str(of[0]), *(str(n) if n >= 0 else "" for n in alive)])
        for name, alive, of in funnel_rows(result)
    ]
    lines += ["", "\t".join(["error", "gain in AP50", "count"])]
    counts = [*map(str, result.arrays["tide_count"].tolist()), "", ""]
    gains = result.arrays["tide"].tolist()
    lines += [f"{name}\t{gain:.4f}\t{n}" for name, gain, n in zip((*TYPES, *SPECIAL), gains, counts, strict=True)]
    return "\n".join(lines)


def _known(value: float) -> float | None:
    return float(value) if value >= 0 else None


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
