"""Marked pictures: what readers of simple formats hand over, and the data set that is made of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.truth.find_pictures import finder
from models.truth.gather import Gatherer, Progress, Size, clean
from models.truth.types import Truth
from models.types import Refusal

SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG", ".bmp", ".tif", ".tiff", ".webp")
MOST_CLASSES = 100_000
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Mark:
    """An object in a picture: its class `name`, its `box` xyxy, or a text saying what is wrong with it.

    `what` names it in messages ("row 3"); `crowd` marks what counts neither as found nor as missed.
    """

    name: str
    box: Box | str
    what: str
    crowd: bool = False


@dataclass(frozen=True)
class Marked:
    """A picture with its marks: `name` as the file writes it, `size` in px or (0, 0), boxes in px or in `shares`.

    `file` is the file of annotations that it comes from.
    """

    name: str
    file: Path
    marks: list[Mark] = field(default_factory=list)
    size: Size = (0, 0)
    shares: bool = False


def truth(
    name: str,
    kind: str,
    pictures: Sequence[Marked],
    *,
    gather: Gatherer,
    classes: Iterable[str] = (),
) -> Truth:
    """Return the data set of marked pictures. `classes` come first, others by name. Raises Refusal for no picture."""
    told = {clean(mark.name) for picture in pictures for mark in picture.marks}
    names = list(dict.fromkeys(clean(each) for each in classes))
    names += sorted(told - set(names), key=_order)
    if len(names) > MOST_CLASSES:
        raise Refusal(f"{name} names {len(names):,} classes.", advice="Choose a file whose column of classes is right.")
    places = {each: row for row, each in enumerate(names)}
    finders: dict[Path, Callable[[str], str]] = {}
    for row, picture in enumerate(pictures):
        gather.progress(row, len(pictures), f"Looking for the pictures of {name}")
        find = finders.setdefault(picture.file.parent, finder(picture.file, gather.listing))
        _add(gather, picture, found_at(find, picture.name), places)
    return gather.truth(name, kind, names)


def progress_of(gather: Gatherer, progress: Progress | None, done: int, of: int, name: str) -> None:
    """Report how many of the files of a set were read."""
    if progress is not None:
        gather.progress(done, of, f"Reading {name}")


def _order(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isascii() and name.isdecimal() and len(name) < 10 else (1 << 40, name)


def found_at(find: Callable[[str], str], name: str) -> str:
    """Return the path of a picture, also where its suffix was left out or changed since; "" if it is not there."""
    if not name.strip() or "\0" in name:
        return ""
    if os.path.splitext(name)[1].lower() in SUFFIXES and (path := find(name)):
        return path
    stem, suffix = os.path.splitext(name)
    bases = (name, stem) if suffix.lower() in SUFFIXES else (name,)
    return next((path for base in bases for each in SUFFIXES if (path := find(base + each))), "") or find(name)


def _add(gather: Gatherer, picture: Marked, path: str, places: dict[str, int]) -> None:
    """Add a picture with its boxes, or record why it is left out."""
    file, count = picture.file.name, len(picture.marks)
    if not path or gather.has(path):
        why = "is listed twice" if path else "is not there"
        gather.omit(clean(picture.name), f"this picture {why}, so its {count:,} boxes are left out")
        return
    try:
        size = gather.size(path, picture.size)
    except Refusal as refusal:
        gather.omit(clean(picture.name), f"{refusal} Its {count:,} boxes are left out")
        return
    kept, boxes = [], []
    for mark in picture.marks:
        if isinstance(mark.box, str):
            gather.omit(file, f"{mark.what} on {picture.name} {mark.box}")
            continue
        times = (*size, *size) if picture.shares else (1, 1, 1, 1)
        kept.append(mark)
        boxes.append([value * side for value, side in zip(mark.box, times, strict=True)])
    labels = [places[clean(mark.name)] for mark in kept]
    crowd = [mark.crowd for mark in kept]
    gather.add(
        path, size, boxes, labels, crowd=crowd, file=file, what=lambda row: f"{kept[row].what} on {picture.name}"
    )


def around(xs: Sequence[float], ys: Sequence[float]) -> Box | str:
    """Return the box around points, or a text saying that there are none."""
    return (min(xs), min(ys), max(xs), max(ys)) if xs and len(xs) == len(ys) else "has no points"


def sized(x: float, y: float, width: float, height: float) -> Box:
    """Return a box of its near corner and its size."""
    return x, y, x + width, y + height


def centred(x: float, y: float, width: float, height: float) -> Box:
    """Return a box of its centre and its size."""
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def plain_name(text: str) -> str:
    """Return the file name in an address or a path as web tools write it, without what they put before it."""
    text = re.split(r"[?&]d=", text)[-1].partition("?")[0]
    return text.replace("\\", "/")
