"""Opens a table of paths and labels as a data set: CSV, TSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models import files
from models.datasets.listing import Progress, is_picture, natural
from models.datasets.types import MOST_NOTES, NO_LABEL, DataSet
from models.texts import plain_text
from models.truth import marked
from models.types import Refusal

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
PATHS = ("path", "image_path", "img_path", "file_path", "filepath", "filename", "file_name", "file", "image", "img")
PATHS += ("picture", "image_file", "image_name", "파일명", "이미지", "파일", "사진", "image_id", "id", "name")
LABELS = ("label", "class", "category", "class_name", "label_name", "target", "y", "species", "breed", "diagnosis")
LABELS += ("class_label", "labels", "emotion", "class_id", "label_id", "라벨", "레이블", "클래스", "분류")
_CODE = re.compile(r"^[0-9a-f]{8}-")  # Label Studio's, before an uploaded picture's name
YES, NO = ("1", "1.0", "true", "True"), ("0", "0.0", "-1", "false", "False", "")
MOST_SHOWN = 8  # columns in a message
SPLITS = ("split", "subset", "set", "fold", "partition")
FOLDERS = ("", "images", "image", "img", "imgs", "pictures", "data", "train", "JPEGImages", "test", "val")
FOLDERS += ("../images", "..")
ENDINGS = ("", ".jpg", ".jpeg", ".png")
MOST_BYTES = 2_000_000_000
TOLD_EVERY = 10_000  # rows
LOOKED_AT = 50  # rows that tell which column holds paths
PIP = "pip install pyarrow"
Table = Sequence[Sequence[str]]


def read(path: str, *, progress: Progress | None = None) -> DataSet:
    """Return the data set that a table lists. Raises Refusal if it cannot be read or names no picture that exists."""
    place = files.check(path)
    names, rows = _parquet(place) if place.suffix.lower() == ".parquet" else _text(place)
    at = _path_column(names, rows, place.parent)
    if at < 0:
        raise Refusal(
            f"{place.name} has no column with the paths of pictures.",
            advice=f"Name one {PATHS[0]}, with paths absolute or relative to the table. It has: {_shown(names)}.",
        )
    label_at = _named(names, LABELS, but=at)
    if label_at < 0 and len(names) == 2:
        label_at = 1 - at
    split_at = _named(names, SPLITS, but=at)
    notes: list[str] = []
    if label_at < 0:
        rows, label_at, notes = _one_hot(names, rows, at)
    return _gathered(place, rows, (at, label_at, split_at), progress, notes)


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_SHOWN:,} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more


def _one_hot(names: Sequence[str], rows: Table, at: int) -> tuple[Table, int, list[str]]:
    """Return rows with a column of labels behind them, where a column for each class says yes or no.

    Also that column, -1 for none, and what is said about it.
    """
    flags = [
        n for n in range(len(names)) if n != at and all(n < len(row) and row[n].strip() in YES + NO for row in rows)
    ]
    flags = [n for n in flags if any(row[n].strip() in YES for row in rows)]
    if len(flags) < 2:
        others = [name for n, name in enumerate(names) if n != at and name.strip()]
        note = f"No column is taken for labels: name one label. There are: {_shown(others)}."
        return rows, -1, [note] if others else []
    counts = [sum(row[n].strip() in YES for n in flags) for row in rows]
    if max(counts) > 1:
        several = sum(count > 1 for count in counts)
        return (
            rows,
            -1,
            [f"{several:,} pictures have several labels each ({_shown([names[n] for n in flags])}): none is taken."],
        )
    labelled = [[*row, next((names[n].strip() for n in flags if row[n].strip() in YES), "")] for row in rows]
    return [[*row[: len(names)], row[-1]] for row in labelled], len(names), ["Each label is the column that says 1."]


def read_labels(path: str, *, progress: Progress | None = None) -> DataSet | None:
    """Return the data set of a list or JSON file that names pictures with a label each, None if it does not."""
    place = files.check(path)
    try:
        text, _ = plain_text.decoded(files.content(place, most=MOST_BYTES))
        rows = _json_rows(text) if place.suffix.lower() == ".json" else _words(place, text)
    except (ValueError, RecursionError):
        return None
    return _gathered(place, rows, (0, 1, -1), progress, []) if rows else None


def _json_rows(text: str) -> Table:
    """Return pictures' names with labels in JSON: by name, as objects, or as Label Studio's choices."""
    content = json.loads(text)
    if isinstance(content, dict):
        pairs = list(content.items())
        given = all(is_suffixed(str(name)) and isinstance(label, str | int) for name, label in pairs)
        return [[str(name), str(label)] for name, label in pairs] if pairs and given else []
    rows = []
    for one in content if isinstance(content, list) else ():
        name, label = _studio_choice(one) if isinstance(one, dict) and "data" in one else _object(one)
        if not name:
            return []
        rows.append([name, label])
    return rows if any(label for _, label in rows) else []


def _object(one: Any) -> tuple[str, str]:
    plain = {str(key).casefold(): value for key, value in one.items()} if isinstance(one, dict) else {}
    name = next((str(plain[key]) for key in PATHS if isinstance(plain.get(key), str)), "")
    return name, next((_plain(plain[key]) for key in LABELS if isinstance(plain.get(key), str | int)), "")


def _studio_choice(one: Mapping[str, Any]) -> tuple[str, str]:
    data = one.get("data")
    name = next((str(v) for v in data.values() if isinstance(v, str)), "") if isinstance(data, dict) else ""
    name = marked.plain_name(name)
    for result in (r for a in one.get("annotations") or () if isinstance(a, dict) for r in a.get("result") or ()):
        chosen = result.get("value", {}).get("choices") if isinstance(result, dict) else None
        if isinstance(chosen, list) and len(chosen) == 1:
            return name, str(chosen[0])
    return name, ""


def _words(place: Path, text: str) -> Table:
    """Return the rows of a list with a picture and its label a line, apart by a blank, a tab or a comma."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    finder = _Finder(str(place.parent))
    some = lines[:: max(1, len(lines) // LOOKED_AT)][:LOOKED_AT]
    if not some or any(finder.find(line) for line in some):
        return []
    ways: tuple[Callable[[str], list[str]], ...] = (
        lambda line: line.split("\t"),
        lambda line: [part.strip() for part in line.split(",")],
        lambda line: line.rsplit(maxsplit=1),
        lambda line: line.split(),
    )
    for way in ways:
        cut = [way(line) for line in some]
        if all(len(row) > 1 for row in cut) and all(finder.find(row[0]) for row in cut):
            return [way(line)[:2] for line in lines]
    return []


def _gathered(
    place: Path, rows: Table, columns: tuple[int, int, int], progress: Progress | None, said: Sequence[str]
) -> DataSet:
    at, label_at, split_at = columns
    finder = _Finder(str(place.parent))
    paths: dict[str, tuple[str, str]] = {}
    notes: list[str] = list(said)
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
        if "://" in given or given.startswith("/data/"):  # an address, as web tools write it
            given = os.path.basename(given)
            given = _CODE.sub("", given) if not os.path.isfile(os.path.join(self.folder, given)) else given
        name = os.path.expanduser(given.replace("\\", os.sep) if os.sep == "/" and "/" not in given else given)
        for number, (folder, end) in enumerate(self._ways):
            found = os.path.normpath(os.path.join(self.folder, folder, name + end))
            if os.path.isfile(found):
                self._ways.insert(0, self._ways.pop(number))  # the next ones lie there too, most likely
                return found
        return ""


def _text(place: Path) -> tuple[list[str], list[list[str]]]:
    content = files.content(place, most=MOST_BYTES)
    try:
        text, _ = plain_text.decoded(content)
    except UnicodeError as error:
        raise Refusal(f"{place.name} is no text.", advice="Save it as CSV in UTF-8.") from error
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
    packed = [name for name in table.column_names if name not in flat]
    if packed and not any(_order(name, PATHS) < len(PATHS) for name in flat):
        raise Refusal(
            f"{place.name} holds its pictures in its own cells ({_shown(packed)}), which are not opened.",
            advice="Write them out as PNG, in a folder for each class, and open the folder above them.",
        )
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
