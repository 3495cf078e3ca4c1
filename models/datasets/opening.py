"""Opens a data set: recognises what a path or text names and calls the reader of its kind."""

from __future__ import annotations

import dataclasses
import os
from collections import OrderedDict
from pathlib import Path

from models import files
from models.datasets import folders, ground_truth, packed_formats, patterns, tables
from models.datasets.listing import Progress
from models.datasets.types import DataSet
from models.truth import read as truth_files
from models.types import Refusal, Source

MOST_KEPT = 4
TABLES = ("metadata.jsonl", "metadata.csv", "_classes.csv")  # Hugging Face's and Roboflow's, of a folder's pictures
LISTS = (".txt", ".lst", ".list")
ADVICE = (
    "Choose a folder with pictures (subfolders may be classes), ground truth (COCO, VOC, YOLO), "
    "a table with paths and labels (.csv, .parquet), or patterns such as photos/**/*.jpg."
)
_kept: OrderedDict[tuple[str, tuple[int, int]], DataSet] = OrderedDict()


def open_data_set(given: str | Path, *, progress: Progress | None = None) -> DataSet:
    """Return the data set that a path, or patterns separated by semicolons or lines, name. Raises Refusal.

    Exceptions of `progress`, such as Cancelled, propagate.
    """
    text = os.fspath(given).strip()
    if not text:
        raise Refusal("No data set was named.", advice=ADVICE)
    path = os.path.abspath(os.path.expanduser(text))
    if patterns.is_pattern(text) and not files.exists(path):
        return patterns.read(patterns.split(text), progress=progress)
    if os.path.isdir(path):
        return _folder(path, progress)
    files.check(path)
    suffix = os.path.splitext(path)[1].lower()
    if suffix in tables.SUFFIXES:
        return tables.read(path, progress=progress)
    if truth_files.recognise(path):
        try:
            return _truth(path, progress)
        except Refusal:
            if (found := _labels_at(path, suffix, progress)) is not None:
                return found
            raise
    if (found := _labels_at(path, suffix, progress)) is not None:
        return found
    if suffix in LISTS:
        return patterns.read_list(path, progress=progress)
    if (packed := packed_formats.refusal(Path(path))) is not None:
        raise packed
    raise Refusal(f"{os.path.basename(path)} is no data set.", advice=ADVICE)


def data_set_at(given: str | Path, *, progress: Progress | None = None) -> DataSet:
    """Return a data set as `open_data_set`, from memory if it was opened before and its file has not changed.

    A folder is listed again each time: its time stamp tells nothing of its subfolders.
    """
    text = os.fspath(given)
    path = os.path.abspath(os.path.expanduser(text))
    if not os.path.isfile(path):
        return open_data_set(given, progress=progress)
    key = path, Source.file(path).stamp
    if key not in _kept:
        _kept[key] = open_data_set(given, progress=progress)
    _kept.move_to_end(key)
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    return _kept[key]


def _folder(path: str, progress: Progress | None) -> DataSet:
    """Return a folder's ground truth if it holds any that can be read, else its pictures."""
    if truth_files.recognise(path) or truth_files.likely_sheet(path):
        try:
            return _truth(path, progress)
        except Refusal as refusal:
            try:
                found = folders.read(path, progress=progress)
            except Refusal:
                raise refusal from None
            if (table := _table_in(path)) is not None:
                return tables.read(table, progress=progress)
            note = f"It looked like ground truth, which could not be used: {refusal}"
            return dataclasses.replace(found, notes=(note, *found.notes))
    if (table := _table_in(path)) is not None:
        return tables.read(table, progress=progress)
    try:
        return folders.read(path, progress=progress)
    except Refusal as refusal:
        raise packed_formats.refusal(Path(path)) or refusal from None


def _table_in(path: str) -> str | None:
    """Return the table of labels that lies beside pictures under one of its usual names."""
    return next((at for name in TABLES if os.path.isfile(at := os.path.join(path, name))), None)


def _labels_at(path: str, suffix: str, progress: Progress | None) -> DataSet | None:
    """Return the data set of a list or JSON that names pictures with a label each, None if it does not."""
    return tables.read_labels(path, progress=progress) if suffix in (*LISTS, ".json") else None


def _truth(path: str, progress: Progress | None) -> DataSet:
    truth = truth_files.read(path, progress=progress)
    if os.path.isdir(path):
        return ground_truth.with_others(ground_truth.of_truth(truth, path))
    return ground_truth.of_truth(truth, os.path.dirname(path))
