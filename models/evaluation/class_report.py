"""Figures of a classifier as text: a row for each class, and the confusion matrix, for a CSV file or the clipboard."""

from __future__ import annotations

import csv
import io
from typing import Any

from models.types import Result

FIELDS = ("class", "pictures", "recall", "precision", "f1", "auc", "ap")


def names(result: Result) -> list[str]:
    """Return the names of the classes that the data set has."""
    return [result.meta["classes"][label] for label in result.arrays["labels"].tolist()]


def shown(result: Result) -> list[str]:
    """Return the names of the classes in the confusion matrix."""
    return [result.meta["classes"][label] for label in result.arrays["shown"].tolist()]


def class_rows(result: Result) -> list[tuple[Any, ...]]:
    """Return the figures of each class; None where there is none, as without pictures of other classes."""
    arrays = result.arrays
    columns = [arrays[name].tolist() for name in ("support", "recall", "precision", "f1", "auc", "ap")]
    return [
        (name, *(None if isinstance(value, float) and value < 0 else value for value in row))
        for name, row in zip(names(result), zip(*columns, strict=True), strict=True)
    ]


def as_csv(result: Result) -> str:
    """Return the rows of the classes, then the confusion matrix with labels down and predictions across, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for row in class_rows(result):
        writer.writerow(
            ["" if value is None else f"{value:.6f}" if isinstance(value, float) else value for value in row]
        )
    writer.writerow([])
    writer.writerow(["labelled \\ taken for", *shown(result)])
    for name, row in zip(shown(result), result.arrays["confusion"].tolist(), strict=True):
        writer.writerow([name, *row])
    return text.getvalue()
