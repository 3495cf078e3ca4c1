"""Annotated panoptic segments of a picture, in COCO's format: a JSON of segments and a PNG of their numbers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models import files
from models.pictures import images
from models.truth import coco, read
from models.truth.find_pictures import finder
from models.truth.gather import Listing, Progress, clean
from models.types import Int, Refusal

ADVICE = "It is the JSON of COCO's panoptic format, with a folder of PNG files beside it."


@dataclass(frozen=True, eq=False)
class Segments:
    """T segments: `map` (H, W) their number from 1, 0 where the truth is unknown; `names` (T,) of their classes.

    `thing` (T,) says which are things, `crowd` (T,) which stand for several.
    """

    map: Int
    names: tuple[str, ...]
    thing: tuple[bool, ...]
    crowd: tuple[bool, ...]


def of(truth: str, picture: str, size: tuple[int, int], *, progress: Progress | None = None) -> Segments:
    """Return the segments of a picture of `size` (w, h) in a file. Raises Refusal if it has none of it."""
    path = Path(truth).absolute()
    if read.recognise(path) != read.COCO or path.is_dir():
        raise Refusal(f"{path.name} has no panoptic segments.", advice=ADVICE)
    names: dict[Any, str] = {}
    rows: dict[Any, dict[str, Any]] = {}
    categories: dict[Any, tuple[str, bool]] = {}

    def take(part: str, item: Any) -> None:
        if not isinstance(item, dict):
            return
        if part == "images" and isinstance(item.get("file_name"), str):
            names[item.get("id")] = item["file_name"].replace("\\", "/")
        elif part == "annotations" and isinstance(item.get("segments_info"), list):
            rows[item.get("image_id")] = item
        elif part == "categories" and isinstance(item.get("name"), str):
            categories[item.get("id")] = clean(item["name"].strip()), item.get("isthing") != 0

    files.check(path)
    coco.parse(path, take, progress)
    if not rows:
        raise Refusal(f"{path.name} has no panoptic segments.", advice=ADVICE)
    row = _row(path, picture, names, rows)
    if row is None:
        raise Refusal(
            f"{path.name} has no panoptic segments of this picture.", advice="Open one of its pictures that has some."
        )
    infos = [info for info in row["segments_info"] if isinstance(info, dict) and info.get("category_id") in categories]
    numbers = _numbers(path, row)
    if (drawn := numbers.shape[::-1]) != size:
        raise Refusal(
            f"The map of segments has {drawn[0]} × {drawn[1]} pixels, the picture {size[0]} × {size[1]}.",
            advice="Choose the truth that was drawn on this picture.",
        )
    made = np.zeros(numbers.shape, np.int64)
    for number, info in enumerate(infos, 1):
        made[numbers == info.get("id")] = number
    kinds = [categories[info["category_id"]] for info in infos]
    return Segments(
        made,
        tuple(name for name, _ in kinds),
        tuple(thing for _, thing in kinds),
        tuple(info.get("iscrowd") in (1, True) for info in infos),
    )


def _row(path: Path, picture: str, names: dict[Any, str], rows: dict[Any, dict[str, Any]]) -> dict[str, Any] | None:
    """Return the annotation of a picture, told by its path, or by its name where only one has it."""
    wanted, base, find = os.path.realpath(picture), os.path.basename(picture), finder(path, Listing())
    named = [(key, name) for key, name in names.items() if os.path.basename(name) == base and key in rows]
    same = [key for key, name in named if os.path.realpath(find(name) or name) == wanted]
    key = same[0] if same else named[0][0] if len(named) == 1 else None
    return rows.get(key)


def _numbers(path: Path, row: dict[str, Any]) -> Int:
    """Return the numbers (H, W) in the PNG file of an annotation: red + 256 green + 65,536 blue."""
    name = row.get("file_name")
    if not isinstance(name, str) or os.path.basename(name) != name or "\0" in name:
        raise Refusal(f"An annotation in {path.name} names no file of segments.", advice=ADVICE)
    folders = (path.parent / path.stem, path.parent, path.parent / "panoptic")
    found = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if found is None:
        raise Refusal(
            f"{name} with the segments of the picture is not there.",
            advice=f"Put it into the folder {path.stem} beside {path.name}.",
        )
    pixels = images.read(str(found)).pixels.astype(np.int64)
    return pixels[..., 0] + 256 * pixels[..., 1] + 65_536 * pixels[..., 2]
