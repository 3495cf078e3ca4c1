"""Annotated points of a surface, in the format of DensePose-COCO: part, u and v at places in the figures' boxes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from models import files
from models.truth import coco, read
from models.truth.gather import Progress
from models.types import Real, Refusal

SIDE = 256.0  # dp_x and dp_y are in 256ths of the box
KEYS = ("dp_x", "dp_y", "dp_I", "dp_U", "dp_V")
ADVICE = "It is a COCO file whose annotations have dp_x, dp_y, dp_I, dp_U and dp_V, as DensePose-COCO has."


def of(truth: str, picture: str, *, progress: Progress | None = None) -> Real:
    """Return the points (D, 5) of a picture: x and y in its pixels, the part from 1, u and v.

    Raises Refusal if the file has none of it.
    """
    path = Path(truth).absolute()
    if read.recognise(path) != read.COCO or path.is_dir():
        raise Refusal(f"{path.name} has no points of a surface.", advice=ADVICE)
    names: dict[Any, str] = {}
    rows: dict[Any, list[Real]] = {}

    def take(part: str, item: Any) -> None:
        if not isinstance(item, dict):
            return
        if part == "images" and isinstance(item.get("file_name"), str):
            names[item.get("id")] = os.path.basename(item["file_name"].replace("\\", "/"))
        elif part == "annotations" and (points := _points(item)) is not None:
            rows.setdefault(item.get("image_id"), []).append(points)

    files.check(path)
    coco.parse(path, take, progress)
    own = [each for key, name in names.items() if name == os.path.basename(picture) for each in rows.get(key, ())]
    if not own:
        raise Refusal(f"{path.name} has no points of a surface for this picture.", advice=ADVICE)
    return np.concatenate(own)


def _points(item: dict[str, Any]) -> Real | None:
    """Return the points (D, 5) of an annotation, None if it has none."""
    try:
        box = np.array(item["bbox"], np.float64)
        table = np.array([item[key] for key in KEYS], np.float64).T
    except (KeyError, TypeError, ValueError):
        return None
    if box.shape != (4,) or table.ndim != 2 or not len(table) or not np.isfinite(table).all():
        return None
    table[:, :2] = box[:2] + table[:, :2] / SIDE * box[2:]
    return table
