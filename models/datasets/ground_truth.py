"""Makes a data set of the pictures of ground truth (COCO, Pascal VOC, YOLO)."""

from __future__ import annotations

import contextlib
import dataclasses
import os

import numpy as np

from models.datasets.listing import is_picture, natural
from models.datasets.types import MOST_NOTES, NO_LABEL, DataSet
from models.truth.types import Truth


def of_truth(truth: Truth, root: str) -> DataSet:
    """Return the pictures of ground truth; one whose boxes are all of one class has that label."""
    labels, objects, several = [], [], 0
    for picture in truth.pictures:
        kinds = np.unique(picture.labels)
        labels.append(int(kinds[0]) if len(kinds) == 1 else NO_LABEL)
        objects.append(len(picture))
        several += len(kinds) > 1
    notes = list(truth.notes)
    if several:
        notes.insert(0, f"{several:,} pictures show objects of several classes and have no label as a whole.")
    return DataSet(
        truth.name,
        truth.kind,
        os.path.abspath(root),
        tuple(picture.path for picture in truth.pictures),
        truth.classes,
        np.array(labels, np.int64),
        objects=np.array(objects, np.int64),
        notes=tuple(notes[:MOST_NOTES]),
    )


def with_others(found: DataSet) -> DataSet:
    """Return a data set with the pictures that lie beside its own but have no ground truth."""
    known = {os.path.realpath(path) for path in found.paths}
    more: list[str] = []
    for folder in sorted({os.path.dirname(path) for path in found.paths}):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            beside = [e.path for e in entries if not e.name.startswith(".") and e.is_file() and is_picture(e.path)]
            more += [path for path in sorted(beside, key=natural) if os.path.realpath(path) not in known]
    if not more:
        return found
    count = len(more)
    return dataclasses.replace(
        found,
        paths=(*found.paths, *more),
        labels=np.concatenate([found.labels, np.full(count, NO_LABEL, np.int64)]),
        objects=np.concatenate([found.objects, np.full(count, -1, np.int64)]),
        notes=(f"{count:,} pictures beside them have no ground truth and no label.", *found.notes),
    )
