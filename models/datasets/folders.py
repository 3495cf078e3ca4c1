"""Opens a folder of pictures as a data set: the subfolders are classes where it looks like that."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np

from models import files
from models.datasets.listing import Progress, natural, pictures_below
from models.datasets.types import NO_LABEL, DataSet
from models.types import Refusal

SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing", "dev", "eval", "holdout"})
STRAY = 10  # a folder of classes may hold one picture beside its subfolders for so many in them


def read(folder: str, *, progress: Progress | None = None) -> DataSet:
    """Return the pictures below a folder. Raises Refusal if there is none or the folder cannot be read.

    Each subfolder is a class if nearly all pictures lie in subfolders; where the first level is train, val or test, the
    second level is the class.
    """
    folder = os.path.abspath(folder)
    try:
        paths = list(pictures_below(folder, progress=progress))
    except OSError as error:
        raise files.refusal(Path(folder), error) from error
    name = os.path.basename(folder) or folder
    if not paths:
        raise Refusal(
            f"There is no picture in the folder {name}, nor in its subfolders.",
            advice="Choose a folder with pictures, or a table (.csv, .parquet) that lists them.",
        )
    cut = len(folder.rstrip(os.sep)) + 1
    parts = _inner([path[cut:].split(os.sep) for path in paths])
    direct = sum(len(part) == 1 for part in parts)
    first = Counter(part[0] for part in parts if len(part) > 1)
    if not first or direct * STRAY > len(paths):
        beside: tuple[str, ...] = ()
        if first:
            beside = (f"{direct:,} pictures lie beside the subfolders, so these are not taken for classes.",)
        return DataSet(name, "folder", folder, tuple(paths), notes=beside)
    split = {each.casefold() for each in first} <= SPLITS and all(len(p) > 2 for p in parts if len(p) > 1)
    level = 1 if split else 0
    names = [part[level] if len(part) > level + 1 else "" for part in parts]
    classes = tuple(sorted({each for each in names if each}, key=natural))
    row = {each: number for number, each in enumerate(classes)}
    labels = np.array([row.get(each, NO_LABEL) for each in names], np.int64)
    notes = []
    if without := names.count(""):
        notes.append(f"{without:,} pictures lie in no class's folder and have no label.")
    if len(classes) == 1:
        notes.append(f"All labelled pictures lie in one folder, {classes[0]}: there is one class.")
    splits = tuple(part[0] if len(part) > 1 else "" for part in parts) if split else ()
    return DataSet(name, "class folders", folder, tuple(paths), classes, labels, splits, notes=tuple(notes))


def _inner(parts: list[list[str]]) -> list[list[str]]:
    """Return paths below a folder without the folders that hold all of them, where folders with pictures follow."""
    while all(len(part) > 2 for part in parts) and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    return parts
