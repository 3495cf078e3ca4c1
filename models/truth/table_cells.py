"""Reads tables that write several objects, or an object's pixels, into one cell.

Kaggle's PredictionString (class and box by turns, with or without a score), its run lengths (EncodedPixels: from 1 on,
column by column), and Label Studio's table, whose cells are JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.pictures import images
from models.truth import labelling_tools
from models.truth.find_pictures import finder
from models.truth.gather import Listing, number
from models.truth.marked import SUFFIXES, Box, Mark, Marked, found_at
from models.types import Refusal

STRINGS, RUNS, JSON_CELLS = "predictionstring", "encodedpixels", ("label", "bbox", "labels", "annotations")
MOST_NUMBERS = 2_000_000
_CLASS_BEHIND = re.compile(r"^(.*(?:" + "|".join(re.escape(each) for each in SUFFIXES) + r"))_(\w+)$", re.I)


def kind_of(names: Mapping[str, int], rows: Sequence[Sequence[str]]) -> str:
    """Return which of these a table is by the plain names of its columns and some rows; "" for none."""
    if STRINGS in names:
        return STRINGS
    if RUNS in names:
        return RUNS
    place = next((names[name] for name in JSON_CELLS if name in names), -1)
    cells = [row[place].strip() for row in rows if 0 <= place < len(row) and row[place].strip()]
    return "json" if cells and all(cell[:2] in ("[{", "[]") for cell in cells) else ""


def pictures(
    path: Path, kind: str, names: Mapping[str, int], *, picture: int, label: int, rows: Iterator[Sequence[str]]
) -> list[Marked]:
    """Return the pictures in such a table. `picture` and `label` are columns, -1 for none."""
    found: dict[str, Marked] = {}
    height_of = _heights(path)
    place = names.get(kind, -1) if kind != "json" else next(names[name] for name in JSON_CELLS if name in names)
    for line, row in enumerate(rows, 2):
        cell = row[place].strip() if place < len(row) else ""
        name = row[picture].strip() if picture < len(row) else ""
        behind = _CLASS_BEHIND.match(name) if kind == RUNS else None
        name, word = (behind[1], behind[2]) if behind else (name, "")
        word = row[label].strip() if 0 <= label < len(row) and row[label].strip() else word
        if not name:
            continue
        entry = found.setdefault(name, Marked(name, path))
        if kind == STRINGS:
            entry.marks.extend(_string(cell, f"line {line}"))
        elif kind == RUNS:
            if cell not in ("", "-1", "nan"):
                entry.marks.append(Mark(word or "object", _runs(cell, height_of(name)), f"line {line}"))
        else:
            task = {"data": {"image": name}, "annotations": [{"result": _results(cell)}]}
            made = next(iter(labelling_tools.studio_tasks([task], path)))
            found[name] = replace(made, marks=[replace(mark, what=f"line {line}") for mark in made.marks])
    return list(found.values())


def _string(cell: str, what: str) -> Iterator[Mark]:
    """Yield the objects of a cell: class, x0, y0, x1, y1 by turns, or class, score and box."""
    words = cell.split()
    step = 5 if len(words) % 5 == 0 and not (len(words) % 6 == 0 and _scored(words)) else 6
    if len(words) % step:
        yield Mark("object", "has words that are no boxes", what)
        return
    for at in range(0, len(words), step):
        try:
            a, b, c, d = (number(word) for word in words[at + step - 4 : at + step])
            yield Mark(words[at], (a, b, c, d), what)
        except (TypeError, ValueError, OverflowError):
            yield Mark(words[at], "has no box of four numbers", what)


def _scored(words: Sequence[str]) -> bool:
    """Return whether every sixth word's next one is a share, as scores are."""
    try:
        return all(0 <= number(words[at + 1]) <= 1 for at in range(0, len(words), 6))
    except (TypeError, ValueError, OverflowError):
        return False


def _heights(path: Path) -> Callable[[str], int]:
    find = finder(path, Listing())
    known: dict[str, int] = {}

    def height_of(name: str) -> int:
        if name not in known:
            try:
                known[name] = images.size(at)[1] if (at := found_at(find, name)) else 0
            except Refusal:
                known[name] = 0
        return known[name]

    return height_of


def _runs(cell: str, height: int) -> Box | str:
    """Return the box around runs of pixels: pairs of a start, from 1 on and column by column, and a length."""
    words = cell.split()
    if height <= 0:
        return "is of a picture whose height is not known"
    if len(words) % 2 or len(words) > MOST_NUMBERS or not all(word.isdecimal() and len(word) < 12 for word in words):
        return "has run lengths that cannot be read"
    spans = [(int(a) - 1, int(a) - 1 + int(b)) for a, b in zip(words[::2], words[1::2], strict=True) if int(b)]
    if not spans or min(start for start, _ in spans) < 0:
        return "has run lengths that cannot be read"
    x0, x1 = min(start for start, _ in spans) // height, (max(end for _, end in spans) - 1) // height + 1
    if any(start // height != (end - 1) // height for start, end in spans):
        return float(x0), 0.0, float(x1), float(height)
    return (
        float(x0),
        float(min(s % height for s, _ in spans)),
        float(x1),
        float(max((e - 1) % height + 1 for _, e in spans)),
    )


def _results(cell: str) -> list[dict[str, Any]]:
    try:
        listed = json.loads(cell or "[]")
    except (ValueError, RecursionError):
        return []
    objects = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return [{"value": one, **{k: one[k] for k in ("original_width", "original_height") if k in one}} for one in objects]
