"""The boxes that a detector would learn from as layers and rows: objects, positives, negatives, the costliest first."""

from __future__ import annotations

import numpy as np

from models.types import Result
from viewer.canvas.layers import CORRECT, TRUTH, WRONG, Boxes, Layer
from viewer.translation import tr

OBJECTS, POSITIVES, NEGATIVES, CHOSEN = "learnt objects", "positives", "negatives", "sampled box"
LABELLED = 8
MOST_NEGATIVES = 150


def layers(result: Result, *, positives: bool = True, negatives: bool = True, chosen: int = -1) -> list[Layer]:
    """Return objects and sample as layers; `chosen` is the row of a box to draw thickly."""
    arrays, found = result.arrays, list[Layer]()
    cost = arrays["class_loss"] + arrays["box_loss"]
    for wanted, mask, id_, colour in (
        (negatives, ~arrays["positive"], NEGATIVES, WRONG),
        (positives, arrays["positive"], POSITIVES, CORRECT),
    ):
        rows = np.flatnonzero(mask)[:MOST_NEGATIVES]
        if wanted and len(rows):
            texts = [f"{cost[row]:.3f}" if at < LABELLED else "" for at, row in enumerate(rows.tolist())]
            found.append(
                Boxes(id_, arrays["boxes"][rows], np.full(len(rows), colour), texts, ids=rows, width=1.2, opacity=0.7)
            )
    names = [name(result, row) for row in range(len(arrays["truth_boxes"]))]
    if names:
        found.append(
            Boxes(OBJECTS, arrays["truth_boxes"], np.full(len(names), TRUTH), names, dashed=True, hoverable=False)
        )
    if 0 <= chosen < len(arrays["boxes"]):
        colour = CORRECT if arrays["positive"][chosen] else WRONG
        words = [text(result, chosen)]
        found.append(Boxes(CHOSEN, arrays["boxes"][[chosen]], np.array([colour]), words, width=4.0, hoverable=False))
    return found


def name(result: Result, row: int) -> str:
    """Return the class of an object."""
    classes, label = result.meta["classes"], int(result.arrays["truth_labels"][row])
    return classes[label] if 0 <= label < len(classes) else str(label)


def text(result: Result, row: int) -> str:
    """Return what a box costs."""
    arrays = result.arrays
    return f"{float(arrays['class_loss'][row] + arrays['box_loss'][row]):.4f}"


def rows(result: Result, most: int) -> list[tuple[str, ...]]:
    """Return the costliest boxes as rows of text: hard negatives first, then positives."""
    arrays, found = result.arrays, list[tuple[str, ...]]()
    negative = np.flatnonzero(~arrays["positive"])[:most]
    positive = np.flatnonzero(arrays["positive"])[:most]
    for row in np.concatenate([negative, positive]).tolist():
        kind = name(result, int(arrays["truth"][row])) if arrays["positive"][row] else tr("negative")
        values = (arrays["iou"][row], arrays["class_loss"][row], arrays["box_loss"][row])
        iou, of_class, of_box = (float(value) for value in values)
        found.append((kind, f"{iou:.2f}", f"{of_class:.4f}", f"{of_box:.4f}" if arrays["positive"][row] else "–"))
    return found


def listed(result: Result, most: int) -> list[int]:
    """Return the row of the result behind each row of text."""
    positive = result.arrays["positive"]
    return [*np.flatnonzero(~positive)[:most].tolist(), *np.flatnonzero(positive)[:most].tolist()]


def object_rows(result: Result) -> list[tuple[str, ...]]:
    """Return the objects as rows of text, those that cost most first."""
    arrays = result.arrays
    order = np.argsort(-arrays["truth_loss"], kind="stable").tolist()
    return [
        (name(result, row), f"{arrays['learners'][row]:,}", f"{float(arrays['truth_loss'][row]):.4f}") for row in order
    ]
