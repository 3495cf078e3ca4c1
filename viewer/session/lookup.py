"""Find classes by word, name or label, and detections by id, in documents and results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.types import Result


def row_of(result: Result, selected: int) -> int:
    """Return the row of the detection with an id, -1 if it is not shown."""
    rows = np.flatnonzero(result.arrays["ids"] == selected)
    return int(rows[0]) if len(rows) else -1


def word_for(label: int, classes: Sequence[str]) -> str:
    """Return the word that denotes a class: its name, or its number if an earlier class has the same name."""
    name = classes[label]
    return name if classes.index(name) == label else str(label)


def label_of(word: str, classes: Sequence[str]) -> int:
    """Return the label id of a name or number, -1 if there is none."""
    if word in classes:
        return list(classes).index(word)
    return int(word) if word.isascii() and word.isdigit() and int(word) < len(classes) else -1


def title_for(word: str, classes: Sequence[str]) -> str:
    """Return the name of the class that a word denotes."""
    label = label_of(word, classes)
    return classes[label] if label >= 0 else word


def name_of(result: Result, row: int) -> str:
    """Return the class name of a detection."""
    return class_name(result, int(result.arrays["labels"][row]))


def class_name(result: Result, label: int) -> str:
    """Return the name of a label, or its number if it has none."""
    names = result.meta["classes"]
    return names[label] if label < len(names) else str(label)
