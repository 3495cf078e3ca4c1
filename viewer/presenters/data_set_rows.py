"""Which pictures of a data set are shown, and in what order: by class, prediction, right or wrong, confidence, text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.types import Bool, Int

FAILED = 2  # the state of a picture
ANY = -2  # of a class or prediction
ORDERS = ("name", "label", "prediction", "confidence", "doubt", "wrong", "largest")
SHOWN = ("all", "right", "wrong", "failed", "unlabelled")


@dataclass(frozen=True)
class Choice:
    """What is shown: pictures of a `label` (row of the set's classes, -1 for none, `ANY`), of a `prediction` (row of
    the model's classes), one of `SHOWN`, with `text` in their path; in one of `ORDERS`.
    """

    label: int = ANY
    prediction: int = ANY
    shown: str = "all"
    text: str = ""
    order: str = "name"


def rows(choice: Choice, labels: Int, names: Sequence[str], columns: Mapping[str, Any]) -> Int:
    """Return the rows shown, in order. `columns` are the arrays of the answer of `embed`, empty before it."""
    count = len(labels)
    keep: Bool = np.ones(count, np.bool_)
    if choice.label != ANY:
        keep &= labels == choice.label
    prediction = columns.get("prediction", np.full(count, -1))
    if choice.prediction != ANY:
        keep &= prediction == choice.prediction
    right = columns.get("right", np.full(count, -1, np.int8))
    match choice.shown:
        case "right":
            keep &= right == 1
        case "wrong":
            keep &= right == 0
        case "failed":
            keep &= columns.get("state", np.zeros(count)) == FAILED
        case "unlabelled":
            keep &= labels < 0
    if choice.text:
        wanted = choice.text.casefold()
        keep &= np.fromiter((wanted in name.casefold() for name in names), np.bool_, count)
    found = np.flatnonzero(keep).astype(np.int64)
    keys = _keys(choice.order, labels, columns)
    return found[np.argsort(keys[found], kind="stable")] if keys is not None else found


def _keys(order: str, labels: Int, columns: Mapping[str, Any]) -> Any:
    """Return the values (N,) to sort by, smallest first; None for the set's own order."""
    confidence = columns.get("confidence")
    match order:
        case "label":
            return np.where(labels < 0, len(labels), labels)
        case "prediction" if "prediction" in columns:
            return columns["prediction"]
        case "confidence" if confidence is not None:
            return -confidence
        case "doubt" if confidence is not None:
            return np.where(columns["state"] == 1, confidence, np.inf)
        case "wrong" if confidence is not None:
            return np.where(columns["right"] == 0, -confidence, np.inf)
        case "largest" if "width" in columns:
            return -(columns["width"] * columns["height"])
    return None
