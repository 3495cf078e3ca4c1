"""Annotated key points of a picture: COCO's `keypoints`, and YOLO's lines of a box followed by points."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models import files
from models.truth import coco, read, yolo, yolo_sheet
from models.truth.find_pictures import finder
from models.truth.gather import Listing, Progress, number
from models.types import Real, Refusal, Source

MOST_KEPT = 1
MOST_BYTES = 32_000_000  # of a text file
USUAL_AREA = 0.53  # a body's usual share of its box, where its area is not given


@dataclass(frozen=True, eq=False)
class Figure:
    """One annotated figure: `points` (P, 3), x and y in pixels of the picture and v: 0 not annotated, 1 hidden, 2 seen.

    `box` is x0 y0 x1 y1; `area` in square pixels is the figure's, or a share of the box's where none is given.
    """

    points: Real
    box: tuple[float, float, float, float]
    area: float


@dataclass(frozen=True, eq=False)
class Figures:
    """The figures of a picture, and the `names` (P,) of their points, () if they are not given."""

    figures: tuple[Figure, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _File:
    """A COCO file: by picture's file name its figures' raw entries, and the names of points by category."""

    pictures: dict[str, list[tuple[str, list[dict[str, Any]]]]]
    names: dict[Any, tuple[str, ...]]


_kept: OrderedDict[Source, _File] = OrderedDict()


def of(truth: str, picture: str, size: tuple[int, int], *, progress: Progress | None = None) -> Figures:
    """Return the annotated figures of a picture of `size` (w, h) in the ground truth at a path.

    Raises Refusal if the ground truth has no key points, or none of this picture.
    """
    path = Path(truth).absolute()
    kind = read.recognise(path)
    if kind == read.COCO:
        found = _of_coco(path, picture, progress)
    elif kind == read.YOLO:
        found = _of_yolo(path, picture, size)
    else:
        raise Refusal(
            f"Key points are read from COCO files and from YOLO's text files, not from {path.name}.",
            advice="Export the key points as COCO: each annotation has a list keypoints of x, y, v.",
        )
    if not found.figures:
        raise Refusal(
            f"{path.name} has no key points for this picture.",
            advice="Open one of its pictures that has some, or other ground truth.",
        )
    counts = {len(figure.points) for figure in found.figures}
    if len(counts) > 1:
        raise Refusal(
            f"The figures of this picture have {' or '.join(str(n) for n in sorted(counts))} points.",
            advice="Keep the figures of one kind in a file.",
        )
    return found if len(found.names) == counts.pop() else Figures(found.figures)


def _of_coco(path: Path, picture: str, progress: Progress | None) -> Figures:
    source = Source.file(str(path / read.ROBOFLOW if path.is_dir() else path))
    if source not in _kept:
        _kept[source] = _read(Path(source.path), progress)
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    held = _kept[source]
    find = finder(Path(source.path), Listing())
    wanted = os.path.realpath(picture)
    named = held.pictures.get(os.path.basename(picture), [])
    own = next((rows for name, rows in named if os.path.realpath(find(name) or name) == wanted), None)
    own = named[0][1] if own is None and len(named) == 1 else own or []
    made = [(figure, row) for row in own if (figure := _figure(row)) is not None]
    names = held.names.get(made[0][1].get("category_id"), ()) if made else ()
    return Figures(tuple(figure for figure, _ in made), names)


def _read(path: Path, progress: Progress | None) -> _File:
    images: dict[Any, str] = {}
    rows: dict[Any, list[dict[str, Any]]] = {}
    names: dict[Any, tuple[str, ...]] = {}

    def take(part: str, item: Any) -> None:
        if not isinstance(item, dict):
            return
        key = item.get("id")
        if not isinstance(key, (int, str)):
            return
        if part == "images" and isinstance(item.get("file_name"), str):
            images[key] = item["file_name"].replace("\\", "/")
        elif part == "categories" and isinstance(item.get("keypoints"), list):
            names[key] = tuple(str(name) for name in item["keypoints"])
        elif part == "annotations" and item.get("keypoints") and isinstance(item.get("image_id"), (int, str)):
            kept = ("keypoints", "bbox", "area", "category_id", "iscrowd")
            rows.setdefault(item["image_id"], []).append({name: item[name] for name in kept if name in item})

    files.check(path)
    coco.parse(path, take, progress)
    pictures: dict[str, list[tuple[str, list[dict[str, Any]]]]] = {}
    for key, name in images.items():
        pictures.setdefault(os.path.basename(name), []).append((name, rows.get(key, [])))
    return _File(pictures, names)


def _figure(row: dict[str, Any]) -> Figure | None:
    """Return an annotation as a figure; None for a crowd, or where its numbers are no points or none is annotated."""
    given = row["keypoints"]
    try:
        values = [number(v) for v in given]
        box = [number(v) for v in row["bbox"]] if row.get("bbox") else []
        area = number(row["area"]) if row.get("area") else 0.0
    except (TypeError, ValueError, OverflowError):
        return None
    if len(values) % 3 or row.get("iscrowd") in (1, True):
        return None
    points = np.array(values, np.float64).reshape(-1, 3)
    return _made(points, (box[0], box[1], box[0] + box[2], box[1] + box[3]) if len(box) == 4 else None, area)


def _made(points: Real, box: tuple[float, float, float, float] | None, area: float = 0.0) -> Figure | None:
    seen = points[points[:, 2] > 0, :2]
    if not len(seen):
        return None
    if box is None or box[2] <= box[0] or box[3] <= box[1]:
        (x0, y0), (x1, y1) = seen.min(0), seen.max(0)
        box = float(x0), float(y0), float(x1), float(y1)
    return Figure(points, box, area if area > 0 else USUAL_AREA * (box[2] - box[0]) * (box[3] - box[1]))


def _of_yolo(path: Path, picture: str, size: tuple[int, int]) -> Figures:
    text = yolo.text_of(Listing(), picture)
    if text is None:
        return Figures(())
    root = path if path.is_dir() else path.parent
    given = None if path.is_dir() else path
    pose = yolo_sheet.read(root, given).pose or yolo_sheet.read(root.parent, None).pose
    content = files.content(Path(text), most=MOST_BYTES).decode("utf-8", "replace")
    made = (_line(line.split(), size, pose=pose) for line in content.splitlines())
    return Figures(tuple(figure for figure in made if figure is not None))


def _line(words: Sequence[str], size: tuple[int, int], *, pose: bool) -> Figure | None:
    """Return a line's figure: class, centre and size of the box, then x, y, v of each point, all in shares.

    Where the data set is said to be of poses, also without v. None for other lines, such as those of polygons.
    """
    try:
        values = [number(word) for word in words[1:]]
    except ValueError:
        return None
    rest = np.array(values[4:], np.float64)
    threes = len(rest) >= 3 and yolo.has_key_points(values)
    if not threes and (not pose or len(rest) < 2 or len(rest) % 2):
        return None
    points = (
        rest.reshape(-1, 3).copy() if threes else np.column_stack([rest.reshape(-1, 2), np.full(len(rest) // 2, 2)])
    )
    if not threes:
        points[(points[:, :2] == 0).all(1), 2] = 0
    points[:, :2] *= size
    x, y, wide, high = (value * side for value, side in zip(values[:4], (*size, *size), strict=True))
    return _made(points, (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2))
