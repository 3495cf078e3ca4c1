"""Shared parts of the ground truth readers: folder listings, checks of boxes, and records of what is left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.pictures import images
from models.pictures.images import FOLDER_SUFFIXES
from models.truth.types import Annotated, Truth
from models.types import Bool, Int, Refusal

MOST_LINES = 100_000
MOST_CHARACTERS = 400  # in a line or a name
MOST_FOLDERS = 10_000
MOST_DIGITS = 64  # in a number
CLIP_LEAST = 1e-3  # pixels; a smaller overhang is rounding, not a cut
Progress = Callable[[float | None, str], None]
Size = tuple[int, int]


class Listing:
    """Folder listings, each read once, so that looking up 5,000 pictures takes no 5,000 system calls."""

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}
        self._folders: dict[str, tuple[str, ...]] = {}
        self._stems: dict[str, dict[str, str]] = {}

    def names(self, folder: str) -> frozenset[str]:
        """Return the names of the files in a folder, none if it cannot be listed."""
        self._list(folder)
        return self._names[folder]

    def folders(self, folder: str) -> tuple[str, ...]:
        """Return the paths of a folder's subfolders, sorted, without hidden ones."""
        self._list(folder)
        return self._folders[folder]

    def has(self, path: str) -> bool:
        """Return whether a file exists at a path."""
        folder, name = os.path.split(path)
        return name in self.names(folder)

    def picture(self, folder: str, stem: str) -> str:
        """Return the path of the picture in a folder with a given stem, the first by name; "" if there is none."""
        if folder not in self._stems:
            found = sorted(n for n in self.names(folder) if Path(n).suffix.lower() in FOLDER_SUFFIXES)
            self._stems[folder] = {Path(name).stem: name for name in reversed(found)}
        name = self._stems[folder].get(stem)
        return os.path.join(folder, name) if name else ""

    def is_picture(self, name: str) -> bool:
        """Return whether a name has the suffix of a picture."""
        return Path(name).suffix.lower() in FOLDER_SUFFIXES

    def below(self, folder: str, depth: int) -> list[str]:
        """Return a folder and its subfolders down to `depth`, at most MOST_FOLDERS."""
        found, level = [folder], [folder]
        for _ in range(depth):
            level = [sub for each in level for sub in self.folders(each)][: MOST_FOLDERS - len(found)]
            found += level
        return found

    def _list(self, folder: str) -> None:
        if folder in self._names:
            return
        try:
            with os.scandir(folder) as found:
                entries = [(entry.name, entry.path, entry.is_dir()) for entry in found]
        except (OSError, ValueError):  # ValueError: a name that is impossible in a file system
            entries = []
        self._names[folder] = frozenset(name for name, _, is_folder in entries if not is_folder)
        self._folders[folder] = tuple(sorted(path for name, path, is_dir in entries if is_dir and name[0] != "."))


class Gatherer:
    """Collects a data set's pictures. `omit` records what cannot be used; `add` leaves out invalid boxes."""

    def __init__(self, progress: Progress | None) -> None:
        self.listing = Listing()
        self.claimed: set[str] = set()
        self._progress = progress
        self._pictures: dict[str, Annotated] = {}
        self._lines: list[str] = []
        self._omitted = 0
        self._cut: list[str] = []
        self._clipped = 0
        self._remarks: list[str] = []

    def progress(self, done: int, of: int, text: str) -> None:
        """Report progress at every hundredth call. Exceptions of the callback, such as Cancelled, propagate."""
        if self._progress is not None and done % 100 == 0:
            self._progress(done / max(of, 1), text)

    def omit(self, file: str, why: str) -> None:
        """Record that something in a file is left out; `why` continues the sentence after the file's name."""
        self._omitted += 1
        if len(self._lines) < MOST_LINES:
            self._lines.append(clean(f"{file}: {why}"))

    def remark(self, text: str) -> None:
        """Record a remark about the data set as a whole."""
        if text not in self._remarks and len(self._remarks) < MOST_LINES:
            self._remarks.append(clean(text))

    def has(self, path: str) -> bool:
        """Return whether a picture has been added or claimed."""
        return path in self._pictures or path in self.claimed

    def claim(self, path: str) -> None:
        """Mark a picture as annotated before its annotations are added."""
        self.claimed.add(path)

    def add(
        self,
        path: str,
        size: Size,
        boxes: Sequence[Sequence[float]],
        labels: Sequence[int],
        *,
        file: str,
        what: Callable[[int], str],
        crowd: Sequence[bool] | None = None,
        hint: Callable[[int], str] | None = None,
    ) -> None:
        """Add a picture with its boxes, xyxy in its pixels, clipped to the picture if its `size` is known.

        Boxes that are not finite, have no area or lie outside the picture are left out; `file` and `what(row)` name
        them in the record, and `hint(row)` ends the sentence on a box without area or outside.
        """
        table = np.array(boxes, np.float64).reshape(-1, 4)
        label = np.array(labels, np.int64).reshape(-1)
        crowded = np.array(crowd, bool).reshape(-1) if crowd is not None else np.zeros(len(label), bool)
        with np.errstate(invalid="ignore", over="ignore"):
            finite = np.all(np.abs(table) < np.finfo(np.float32).max, axis=1)
            solid = np.all(table[:, 2:] > table[:, :2], axis=1)
        given = table.copy()
        inside, cut = self._clip(table, size, of=finite & solid)
        for row in cut.tolist()[: MOST_LINES - len(self._cut)]:
            spans = f"{_span(given[row])}, cut to {_span(table[row])}"
            self._cut.append(clean(f"{file}: {what(row)} reached beyond the picture: {spans}"))
        good = finite & solid & inside
        for row in np.flatnonzero(~good).tolist():
            if not finite[row]:
                self.omit(file, f"{what(row)} has a coordinate that is not a number")
            elif not solid[row]:
                self.omit(file, f"{what(row)} has no area: {_span(table[row])}{hint(row) if hint else ''}")
            else:
                outside = f"{what(row)} lies outside the picture, {size[0]} × {size[1]}"
                self.omit(file, outside + (hint(row) if hint else ""))
        self._pictures[path] = Annotated(path, size, table[good].astype(np.float32), label[good], crowded[good])

    def size(self, path: str, given: Size) -> Size:
        """Return the `given` size of a picture, or read it from its file if it is unknown. Raises Refusal."""
        return given if min(given) > 0 else images.size(path)

    def truth(self, name: str, kind: str, classes: Iterable[str]) -> Truth:
        """Return the collected data set. Raises Refusal if it has no pictures."""
        if not self._pictures:
            more = f", and {self._omitted - 1:,} more" if self._omitted > 1 else ""
            first = f" {self._lines[0]}{more}." if self._lines else ""
            advice = "Pictures are looked for beside the annotations and in the folders next to them."
            raise Refusal(f"{name} has no picture with ground truth.{first}", advice=advice)
        lines = list(self._lines)
        if self._omitted > len(lines):
            lines.append(f"and {self._omitted - len(lines):,} more")
        pictures = tuple(self._pictures.values())
        cut = [*self._cut]
        if self._clipped > len(cut):
            cut.append(f"and {self._clipped - len(cut):,} more were cut at the edge")
        remarks = tuple(self._remarks)
        return Truth(
            name, kind, tuple(classes), pictures, tuple(lines), self._omitted, self._clipped, tuple(cut), remarks
        )

    def _clip(self, table: NDArray[np.float64], size: Size, *, of: Bool) -> tuple[Bool, Int]:
        """Clip boxes to the picture. Return which have any area left, and the rows of those that were cut."""
        if min(size) <= 0 or not len(table):
            return np.ones(len(table), bool), np.zeros(0, np.int64)
        cut = np.clip(table, 0.0, np.array([*size, *size], np.float64))
        inside = np.all(cut[:, 2:] > cut[:, :2], axis=1)
        rows = of & inside
        with np.errstate(invalid="ignore"):
            shorter = np.flatnonzero(rows & np.any(np.abs(cut - table) > CLIP_LEAST, axis=1))
        self._clipped += len(shorter)
        table[rows] = cut[rows]
        return inside, shorter


def clean(text: str) -> str:
    """Return a text that can be shown and written anywhere: no lone surrogates, one line, bounded length."""
    plain = text[: MOST_CHARACTERS + 1].encode("utf-8", "replace").decode("utf-8")
    plain = "".join(c if c.isprintable() else " " for c in plain)
    return plain if len(plain) <= MOST_CHARACTERS else plain[:MOST_CHARACTERS] + "…"


def shown(value: object) -> str:
    """Format a value from a file, short enough for a message."""
    try:
        return f"{value!r:.40}"
    except (RecursionError, ValueError):
        return "something very large"


def _span(box: NDArray[np.float64]) -> str:
    x0, y0, x1, y1 = box.tolist()
    return f"x {x0:g} to {x1:g}, y {y0:g} to {y1:g}"


def number(value: object) -> float:
    """Return a number that may be written as text, also with a decimal comma. NaN and infinity are allowed.

    Raises ValueError, TypeError or OverflowError for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError("no number")
    if not isinstance(value, str):
        return float(value)
    if len(value) > MOST_DIGITS or "_" in value:
        raise ValueError("no number")
    return float(value.replace(",", ".") if value.count(",") == 1 and "." not in value else value)


def whole(value: object) -> int | None:
    """Return a whole number written as 3, 3.0 or "3" in JSON or text; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) < 1 << 62 else None
    try:
        found = number(value)
        return int(found) if found == int(found) and abs(found) < 1 << 62 else None
    except (TypeError, ValueError, OverflowError):
        return None
