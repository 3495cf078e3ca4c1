"""Opens a table of paths and labels as a data set: CSV, TSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models import files
from models.datasets.listing import Progress, is_picture, natural
from models.datasets.types import MOST_NOTES, NO_LABEL, DataSet
from models.types import Refusal

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
PATHS = ("path", "image_path", "img_path", "file_path", "filepath", "filename", "file_name", "file", "image", "img")
PATHS += ("picture", "image_file", "image_id", "id", "name")
LABELS = ("label", "class", "category", "class_name", "label_name", "target", "y", "species", "breed", "diagnosis")
SPLITS = ("split", "subset", "set", "fold", "partition")
FOLDERS = ("", "images", "image", "img", "imgs", "pictures", "data", "train", "JPEGImages")
ENDINGS = ("", ".jpg", ".jpeg", ".png")
MOST_BYTES = 2_000_000_000
TOLD_EVERY = 10_000  # rows
LOOKED_AT = 50  # rows that tell which column holds paths
PIP = "pip install pyarrow"


def read(path: str, *, progress: Progress | None = None) -> DataSet:
    """Return the data set that a table lists. Raises Refusal if it cannot be read or names no picture that exists."""
    place = files.check(path)
    names, rows = _parquet(place) if place.suffix.lower() == ".parquet" else _text(place)
    at = _path_column(names, rows, place.parent)
    if at < 0:
        raise Refusal(
            f"{place.name} has no column with the paths of pictures.",
            advice=f"Name one {PATHS[0]}, with paths absolute or relative to the table. It has: {', '.join(names)}.",
        )
    label_at = _named(names, LABELS, but=at)
    if label_at < 0 and len(names) == 2:
        label_at = 1 - at
    columns = at, label_at, _named(names, SPLITS, but=at)
    return _gathered(place, rows, columns, progress)


def _gathered(
    place: Path, rows: Sequence[Sequence[str]], columns: tuple[int, int, int], progress: Progress | None
) -> DataSet:
    at, label_at, split_at = columns
    finder = _Finder(str(place.parent))
    paths: dict[str, tuple[str, str]] = {}
    notes: list[str] = []
    missing = repeated = 0
    for number, row in enumerate(rows):
        if progress is not None and number % TOLD_EVERY == 0:
            progress(number / len(rows), f"read {number:,} of {len(rows):,} rows")
        given = row[at].strip() if at < len(row) else ""
        found = finder.find(given)
        label, split = (row[i].strip() if 0 <= i < len(row) else "" for i in (label_at, split_at))
        if not found:
            missing += 1
            if len(notes) < MOST_NOTES:
                notes.append(f"row {number + 1}: {given[:200] or 'no path'} is not there")
        elif found in paths:
            repeated += 1
            if paths[found][0] != label and len(notes) < MOST_NOTES:
                notes.append(f"row {number + 1}: {given[:200]} is listed before, with the label {paths[found][0]}")
        else:
            paths[found] = label, split
    if not paths:
        first = rows[0][at][:200] if rows and at < len(rows[0]) else "not named"
        raise Refusal(
            f"None of the {len(rows):,} pictures that {place.name} lists is there.",
            advice=f"They are looked for as they are named and in {place.parent}. The first is {first}.",
        )
    if repeated:
        notes.insert(0, f"{repeated:,} rows repeat a picture and are left out.")
    if missing:
        notes.insert(0, f"{missing:,} of {len(rows):,} pictures are not there and are left out.")
    classes = tuple(sorted({label for label, _ in paths.values() if label}, key=natural))
    number_of = {label: number for number, label in enumerate(classes)}
    labels = np.array([number_of.get(label, NO_LABEL) for label, _ in paths.values()], np.int64)
    splits = tuple(split for _, split in paths.values()) if split_at >= 0 else ()
    root = os.path.commonpath([os.path.dirname(path) for path in (next(iter(paths)), *list(paths)[-1:])])
    root = str(place.parent) if root.startswith(str(place.parent)) else root
    return DataSet(place.stem, "table", root, tuple(paths), classes, labels, splits, notes=tuple(notes[:MOST_NOTES]))


class _Finder:
    """Finds pictures named in a table: as they are, relative to it, in usual folders beside it, without suffix."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._ways: list[tuple[str, str]] = [(folder_name, end) for end in ENDINGS for folder_name in FOLDERS]

    def find(self, given: str) -> str:
        """Return the absolute path of a picture, "" if there is none."""
        if not given or "\0" in given:
            return ""
        name = os.path.expanduser(given.replace("\\", os.sep) if os.sep == "/" and "/" not in given else given)
        for number, (folder, end) in enumerate(self._ways):
            found = os.path.normpath(os.path.join(self.folder, folder, name + end))
            if os.path.isfile(found):
                self._ways.insert(0, self._ways.pop(number))  # the next ones lie there too, most likely
                return found
        return ""


def _text(place: Path) -> tuple[list[str], list[list[str]]]:
    content = files.content(place, most=MOST_BYTES)
    text = content.decode("utf-8-sig", "replace") if content[:2] not in (b"\xff\xfe", b"\xfe\xff") else ""
    text = text or content.decode("utf-16", "replace")
    if place.suffix.lower() in (".jsonl", ".ndjson"):
        return _lines(place, text)
    head = "\n".join(text.splitlines()[:20])
    delimiter = (
        "\t" if place.suffix.lower() == ".tsv" else max(",;\t|", key=lambda mark: (head.count(mark), mark == ","))
    )
    csv.field_size_limit(1 << 20)
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise Refusal(f"{place.name} cannot be read as a table ({error}).", advice="Save it again as CSV.") from error
    if not rows:
        raise Refusal(f"{place.name} has no rows.", advice="Choose a table with a path in each row.")
    first = [cell.strip() for cell in rows[0]]
    finder = _Finder(str(place.parent))
    if any(finder.find(cell) or (is_suffixed(cell) and cell.lower() not in PATHS) for cell in first):
        return [f"column {number + 1}" for number in range(len(first))], rows
    return first, rows[1:]


def is_suffixed(cell: str) -> bool:
    """Return whether a text ends like the name of a picture."""
    return bool(os.path.splitext(cell)[1]) and is_picture(cell)


def _lines(place: Path, text: str) -> tuple[list[str], list[list[str]]]:
    rows: list[Mapping[str, Any]] = []
    try:
        for line in text.splitlines():
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("a line is no object")
                rows.append(row)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{place.name} cannot be read ({error}).", advice="Write one JSON object a line.") from error
    return _columns(dict.fromkeys(name for row in rows for name in row), rows)


def _columns(names: Iterable[str], rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    listed = list(names)
    return listed, [[_plain(row.get(name)) for name in listed] for row in rows]


def _parquet(place: Path) -> tuple[list[str], list[list[str]]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise Refusal(
            f"{place.name} is a Parquet table, which needs pyarrow.", advice=f"{PIP}, or save it as CSV."
        ) from error
    try:
        table = parquet.read_table(str(place))
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise Refusal(f"{place.name} cannot be read ({reason}).", advice="Write it again.") from error
    flat = [
        name
        for name, kind in zip(table.column_names, table.schema.types, strict=True)
        if not pyarrow.types.is_nested(kind) and not pyarrow.types.is_binary(kind)
    ]
    columns = [[_plain(value) for value in table.column(name).to_pylist()] for name in flat]
    return flat, [list(row) for row in zip(*columns, strict=True)] if columns else []


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _path_column(names: Sequence[str], rows: Sequence[Sequence[str]], folder: Path) -> int:
    """Return the column whose values are files, else the one named like paths, -1 if there is none."""
    finder = _Finder(str(folder))
    some = rows[:: max(1, len(rows) // LOOKED_AT)][:LOOKED_AT]
    there = [sum(bool(finder.find(row[at].strip())) for row in some if at < len(row)) for at in range(len(names))]
    if there and max(there):
        best = [at for at, count in enumerate(there) if count == max(there)]
        return min(best, key=lambda at: _order(names[at], PATHS))
    return _named(names, PATHS[:-2], but=-1)


def _named(names: Sequence[str], wanted: Sequence[str], *, but: int) -> int:
    found = [at for at, name in enumerate(names) if at != but and _order(name, wanted) < len(wanted)]
    return min(found, key=lambda at: _order(names[at], wanted), default=-1)


def _order(name: str, wanted: Sequence[str]) -> int:
    plain = name.strip().casefold().replace(" ", "_").replace("-", "_")
    return wanted.index(plain) if plain in wanted else len(wanted)
