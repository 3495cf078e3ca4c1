"""Reads ground truth from YOLO's text files: one line per box, with class, normalised centre and size, or a polygon.

A picture with an empty text file has no objects; one without a text file is not annotated. The pictures of a set are
those named by its data.yaml, obj.data or list of pictures, else those in the folder.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from models import files
from models.pictures.images import FOLDER_SUFFIXES
from models.texts import plain_text
from models.truth import yolo_sheet
from models.truth.gather import Gatherer, Listing, Progress, number, shown, whole
from models.truth.types import Truth
from models.truth.yolo_sheet import MOST_CLASSES, SHEETS, Sheet
from models.types import Refusal

DEPTH = 6
MOST_BYTES = 32_000_000  # per text file
MOST_WORDS = 100_000  # per line
LISTS = (".txt",)
PROBED = 5
PEEKED = 1 << 12
PIXELS_FROM = 2.0  # normalised coordinates are at most 1, or slightly beyond the edge
# Text files found beside labels that are not label files.
# Folders of text files, by the names that people give them beside YOLO's own, and those of the pictures beside them.
TEXT_FOLDERS = (
    "labels",
    "Labels",
    "label",
    "Label",
    "annotations",
    "Annotations",
    "txt",
    "txts",
    "labels_txt",
    "bboxes",
)
WITH_PICTURES = ("images", "Images", "JPEGImages", "imgs", "img", "image", "pictures", "photos")
LEAST_TOLD = 3  # boxes that tell how they are written
NO_LABELS = frozenset(
    {"classes", "labels", "names", "notes", "obj", "predefined_classes", "readme", "requirements", "license"}
    | {"readme.dataset", "readme.roboflow", "test", "train", "val", "valid"}
)
Row = tuple[int, int, list[float]]


@dataclass
class _Set:
    """Pictures of a set in order, each with its text file or None, and the text files without a picture."""

    pairs: dict[str, str | None] = field(default_factory=dict)
    alone: list[str] = field(default_factory=list)


def read(path: Path, *, progress: Progress | None = None) -> Truth:
    """Return the ground truth of a YOLO folder, a data.yaml or obj.data, or a list of pictures (train.txt).

    Raises Refusal if there is none.
    """
    given = None if path.is_dir() else files.check(path)
    root = path.absolute() if given is None else given.parent
    root = root.parent if root.name.lower() == "labels" else root
    gather = Gatherer(progress)
    sheet = yolo_sheet.read(root, given)
    if not sheet.names:
        above = yolo_sheet.read(root.parent, None)
        own = Sheet(sheet.file, above.names, sheet.splits, sheet.root, sheet.pose or above.pose, sheet.problem)
        sheet = own if above.names else sheet
    if sheet.problem:
        gather.omit(root.name, sheet.problem)
    if given is not None and given.suffix.lower() in LISTS:
        found = _listed(gather, given, [root, root.parent])
    else:
        found = _named(gather, root, sheet) or _below(gather, root)
    parsed: list[tuple[str, str, list[Row]]] = []
    highest = -1
    told: dict[str, int] | None = None if sheet.names else {}
    for row, (picture, text) in enumerate(found.pairs.items()):
        gather.progress(row, len(found.pairs), f"Reading {root.name}")
        if text is None:
            gather.omit(os.path.basename(picture), "it has no text file, so its objects are unknown")
            continue
        rows = _rows(gather, Path(text), sheet, told)
        if rows is not None:
            highest = max([highest, *(label for _, label, _ in rows)])
            parsed.append((picture, text, rows))
    for text in found.alone:
        gather.omit(os.path.basename(text), "there is no picture with this name")
    classes = list(sheet.names) or list(told or ()) or [str(label) for label in range(highest + 1)]
    parsed = _in_shares(gather, _from_zero(gather, parsed, classes, named=bool(sheet.names)))
    for row, (picture, text, rows) in enumerate(parsed):
        gather.progress(row, len(parsed), f"Looking at the pictures of {root.name}")
        _picture(gather, os.path.basename(text), picture, rows, classes)
    return gather.truth(root.name, "YOLO", classes)


def _picture(gather: Gatherer, file: str, picture: str, rows: list[Row], classes: list[str]) -> None:
    try:
        width, height = gather.size(picture, (0, 0))
    except Refusal as refusal:
        gather.omit(os.path.basename(picture), f"{refusal} Its {len(rows):,} boxes are left out")
        return
    known = [row for row in rows if row[1] < len(classes)]
    for line, label, _ in rows:
        if label >= len(classes):
            gather.omit(file, f"line {line} has class {label}, but there are {len(classes)} classes, from 0")
    boxes = [[x0 * width, y0 * height, x1 * width, y1 * height] for _, _, (x0, y0, x1, y1) in known]
    labels = [label for _, label, _ in known]

    def hint(row: int) -> str:
        pixels = max(known[row][2]) > PIXELS_FROM
        return ": its numbers are pixels, where YOLO has shares of the picture's width and height" if pixels else ""

    gather.add(picture, (width, height), boxes, labels, file=file, what=lambda row: f"line {known[row][0]}", hint=hint)


Parsed = list[tuple[str, str, list[Row]]]


def _from_zero(gather: Gatherer, parsed: Parsed, classes: list[str], *, named: bool) -> Parsed:
    """Return the lines with their classes counted from 0 where they are counted from 1: up to the number of names."""
    labels = {label for _, _, rows in parsed for _, label, _ in rows}
    if not named or not labels or min(labels) < 1 or max(labels) != len(classes):
        return parsed
    gather.remark(f"Classes are counted from 1 here: there are {len(classes)} names, a class {len(classes)}, and no 0.")
    return [(at, text, [(line, label - 1, box) for line, label, box in rows]) for at, text, rows in parsed]


def _in_shares(gather: Gatherer, parsed: Parsed) -> Parsed:
    """Return the lines in shares of the picture where all are in pixels: centre and size, or corners, as they fit."""
    boxes = [(picture, box) for picture, _, rows in parsed for _, _, box in rows]
    if len(boxes) < LEAST_TOLD or any(max(box) <= PIXELS_FROM for _, box in boxes):
        return parsed
    sizes: dict[str, tuple[int, int]] = {}
    try:
        for picture, _ in boxes:
            if picture not in sizes:
                sizes[picture] = gather.size(picture, (0, 0))
    except Refusal:
        return parsed
    as_corners = [(picture, _corners(box)) for picture, box in boxes]
    fits, corners_fit = (all(_fits(box, sizes[at]) for at, box in found) for found in (boxes, as_corners))
    if fits == corners_fit:
        return parsed
    words = "centre, width and height" if fits else "corners"
    gather.remark(f"The boxes are taken as {words} in pixels, where YOLO has shares of the picture's width and height.")
    made: Parsed = []
    for picture, text, rows in parsed:
        wide, high = sizes.get(picture, (1, 1))
        kept = [(line, label, box if fits else _corners(box)) for line, label, box in rows]
        made.append((picture, text, [(n, k, [b[0] / wide, b[1] / high, b[2] / wide, b[3] / high]) for n, k, b in kept]))
    return made


def _corners(box: list[float]) -> list[float]:
    """Return the four numbers that were taken as centre and size, as they stand in the line."""
    return [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]]


def _fits(box: list[float], size: tuple[int, int]) -> bool:
    x0, y0, x1, y1 = box
    return -1 <= x0 < x1 <= size[0] + 1 and -1 <= y0 < y1 <= size[1] + 1


def _rows(gather: Gatherer, file: Path, sheet: Sheet, told: dict[str, int] | None = None) -> list[Row] | None:
    """Return the line number, class and normalised x0 y0 x1 y1 of each box; None if the file cannot be read.

    `told` collects the names that lines begin with where no list of names is there.
    """
    try:
        content = files.content(file, most=MOST_BYTES, empty=True)
        text, _ = plain_text.decoded(content)
    except Refusal as refusal:
        gather.omit(file.name, f"the file is left out: it {str(refusal).removeprefix(file.name).strip()}")
        return None
    except UnicodeDecodeError:
        gather.omit(file.name, "the file is left out: it is not text in UTF-8")
        return None
    found = []
    for line_number, line in enumerate(text.splitlines(), 1):
        words = line.replace(";", " ").split(maxsplit=MOST_WORDS)
        if len(words) == 1:  # separated by commas only
            words = words[0].split(",", MOST_WORDS)
        words = [word.rstrip(",") for word in words]
        if not any(words):
            continue
        label, box = _label(words[0], sheet.names), _box(words[1:], pose=sheet.pose)
        if label is None and told is not None and not isinstance(box, str) and len(told) < MOST_CLASSES:
            label = told.setdefault(words[0], len(told))
        if label is None:
            gather.omit(file.name, f"line {line_number} begins with {words[0][:20]!r}, which is not a class")
        elif isinstance(box, str):
            gather.omit(file.name, f"line {line_number} {box}")
        else:
            found.append((line_number, label, box))
    return found


def _label(word: str, names: tuple[str, ...]) -> int | None:
    """Return the class at the start of a line, by number or by name; None if it is unknown."""
    label = whole(word)
    if label is not None:
        return label if 0 <= label < MOST_CLASSES else None
    return names.index(word) if word in names else None


def _box(words: list[str], *, pose: bool) -> list[float] | str:
    """Return a line's box, normalised, or a text saying what is wrong with it.

    The line has a centre and size, optionally followed by a confidence or key points, or a polygon.
    """
    if len(words) >= MOST_WORDS:
        return "is too long to be a box or a polygon"
    try:
        values = [number(word) for word in words]
    except (ValueError, TypeError, OverflowError):
        return "is neither a box of four numbers nor a polygon"
    count = len(values)
    if count == 5 and not (0 <= values[4] <= 1 or math.isnan(values[4])):
        return f"has a fifth number that is not a confidence ({values[4]:g}): rotated boxes are read as four corners"
    if count in (4, 5) or (pose and count > 5) or has_key_points(values):
        x, y, width, height = values[:4]
        return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    if count >= 7 and count % 2 and 0 <= values[-1] <= 1:
        values = values[:-1]  # a polygon followed by a confidence
    if len(values) < 6 or len(values) % 2:
        return "is neither a box of four numbers nor a polygon"
    return [min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])]


def has_key_points(values: list[float]) -> bool:
    """Return whether a line is a box followed by key points.

    Key points are x, y and a visibility of 0, 1 or 2, with the visible ones inside the box. A polygon would pass only
    if its corners lay exactly on the picture's edges, one after the other.
    """
    if len(values) < 10 or (len(values) - 4) % 3:
        return False
    points = [values[row : row + 3] for row in range(4, len(values), 3)]
    x, y, width, height = values[:4]
    inside = all(abs(u - x) <= 0.6 * width and abs(v - y) <= 0.6 * height for u, v, visible in points if visible)
    return inside and all(visible in (0, 1, 2) for *_, visible in points)


def _named(gather: Gatherer, root: Path, sheet: Sheet) -> _Set | None:
    """Return the pictures named by a set's description, or None if none of them exists."""
    found = _Set()
    bases = [base for base in (sheet.root, sheet.file.parent if sheet.file else None, root) if base is not None]
    gone = []
    for split, places in sheet.splits.items():
        for place in places:
            at = _place(gather, place, bases)
            if not at:
                gone.append(f"{split}: {place} is not there")
            elif os.path.isdir(at):
                _take(gather, found, at)
            else:
                listed = _listed(gather, Path(at), [Path(at).parent, *bases])
                found.pairs |= {picture: text for picture, text in listed.pairs.items() if picture not in found.pairs}
                found.alone += listed.alone
    if not found.pairs:
        return None
    for line in gone:
        gather.omit(sheet.file.name if sheet.file else root.name, line)
    return found


def _place(gather: Gatherer, place: str, bases: list[Path]) -> str:
    """Return the path of a folder or list named by a description, "" if it does not exist.

    Exports are often moved. A path that does not exist is searched below the description, dropping its leading folders
    one by one (`../valid/images`, `data/train.txt`).
    """
    if "\0" in place:
        return ""
    parts = [part for part in place.split("/") if part not in ("", ".")]
    spelled = [place] if os.path.isabs(place) else [os.path.join(base, place) for base in bases]
    for first in range(len(parts)):
        if ".." not in parts[first:]:
            spelled += [os.path.join(base, *parts[first:]) for base in dict.fromkeys(bases)]
    for at in dict.fromkeys(os.path.normpath(each) for each in spelled):
        try:
            if os.path.isdir(at) or (at.lower().endswith(LISTS) and gather.listing.has(at)):
                return at
        except (OSError, ValueError):
            continue
    return ""


def _listed(gather: Gatherer, file: Path, bases: list[Path]) -> _Set:
    """Return the pictures named by a list, one per line."""
    found = _Set()
    try:
        lines = yolo_sheet.lines_of(file)
    except ValueError as error:
        raise Refusal(f"{file.name} is not text in UTF-8.", advice="Save it in UTF-8.") from error
    for line in lines:
        parts = [part for part in line.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        spelled = [line] if os.path.isabs(line) else [os.path.join(base, line) for base in bases]
        spelled += [os.path.join(base, *parts[first:]) for first in range(len(parts)) for base in bases]
        at = next((at for each in spelled if gather.listing.has(at := os.path.normpath(each))), "")
        if at and gather.listing.is_picture(at):
            found.pairs.setdefault(at, text_of(gather.listing, at))
        else:
            gather.omit(file.name, f"{shown(line)} is not there" if not at else f"{shown(line)} is not a picture")
    return found


def _take(gather: Gatherer, found: _Set, folder: str) -> None:
    """Add the pictures in a folder and its subfolders."""
    for where in gather.listing.below(folder, DEPTH):
        for name in sorted(gather.listing.names(where)):
            picture = os.path.join(where, name)
            if gather.listing.is_picture(name) and picture not in found.pairs:
                found.pairs[picture] = text_of(gather.listing, picture)


def _below(gather: Gatherer, root: Path) -> _Set:
    """Return the pictures in a folder that have a text file, and those beside them without one."""
    folders = gather.listing.below(str(root), DEPTH)
    every = _Set()
    _take(gather, every, str(root))
    used = {text for text in every.pairs.values() if text is not None}
    with_labels = {os.path.dirname(picture) for picture, text in every.pairs.items() if text is not None}
    apart = any(os.path.basename(folder) in TEXT_FOLDERS for folder in folders)
    for folder in folders:
        within = any(part in TEXT_FOLDERS for part in Path(folder).relative_to(root).parts)
        for name in sorted(gather.listing.names(folder)):
            text = os.path.join(folder, name)
            stem, suffix = os.path.splitext(name)
            if suffix.lower() != ".txt" or text in used or stem.lower() in NO_LABELS:
                continue
            # If labels have a folder of their own, text files beside pictures are notes.
            if within or (not apart and folder in with_labels) or not (with_labels or apart):
                every.alone.append(text)
    bare = Counter(os.path.dirname(picture) for picture in every.pairs)
    for folder, count in bare.items():
        if folder not in with_labels and with_labels:
            what = f"{count:,} pictures have no text files" if count > 1 else "its picture has no text file"
            gather.omit(os.path.relpath(folder, root), f"{what}, so their objects are unknown")
    every.pairs = {p: t for p, t in every.pairs.items() if t is not None or os.path.dirname(p) in with_labels}
    return every


def text_of(listing: Listing, picture: str) -> str | None:
    """Return a picture's text file: beside it, or with `labels` for `images` in its path, the last occurrence first."""
    return next((at for at in _texts(picture) if listing.has(at)), None)


def _texts(picture: str) -> Iterator[str]:
    folder, name = os.path.split(picture)
    parts = folder.split(os.sep)
    for suffix in (".txt", ".TXT"):
        text = os.path.splitext(name)[0] + suffix
        for at in range(len(parts) - 1, 0, -1):
            if parts[at].lower() in ("images", "jpegimages", "imgs", "img", "image", "pictures", "photos"):
                for word in TEXT_FOLDERS:
                    yield os.sep.join([*parts[:at], word, *parts[at + 1 :], text])
        yield os.path.join(folder, text)
        for word in ("labels", "Labels"):
            yield os.path.join(folder, word, text)
            yield os.path.join(os.path.dirname(folder), word, text)
            yield os.path.join(os.path.dirname(folder), word, os.path.basename(folder), text)


def lies_flat(folder: Path) -> bool:
    """Return whether pictures in a folder have YOLO's text files beside them, judged by the first few."""
    with os.scandir(folder) as entries:
        names = {entry.name for entry in entries if entry.is_file()}
    stems = {os.path.splitext(name)[0] for name in names if os.path.splitext(name)[1].lower() in FOLDER_SUFFIXES}
    texts = sorted(name for name in names if name.lower().endswith(".txt") and os.path.splitext(name)[0] in stems)
    rows = [_rows(Gatherer(None), folder / name, Sheet()) for name in texts[:PROBED]]
    return any(row for row in rows)


def _names_pictures(path: Path) -> bool:
    """Return whether every one of a text's first lines is a picture's path."""
    try:
        with files.check(path).open("rb") as file:
            lines = plain_text.decoded(file.read(PEEKED))[0].splitlines()[:PROBED]
    except (Refusal, OSError, UnicodeError):
        return False
    return bool(lines) and all(os.path.splitext(line.strip())[1].lower() in FOLDER_SUFFIXES for line in lines)


def is_list(path: Path) -> bool:
    """Return whether a text file is the list of a YOLO set's pictures, judged by the files beside it."""
    if path.suffix.lower() not in LISTS:
        return False
    if path.stem.lower() not in ("train", "val", "valid", "test", "trainval") and not _names_pictures(path):
        return False
    folders = (path.parent, path.parent.parent)
    beside = any((folder / name).is_file() for folder in folders for name in (*SHEETS, "obj.data", "classes.txt"))
    return beside or any((folder / name).is_dir() for folder in folders for name in ("labels", "obj_train_data"))
