"""A map of a data set as files: its points as CSV, the same with what is known of the map as JSON, and the recipe."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from models.datasets.types import relative
from models.detection import report
from models.requests import Request
from models.types import Result
from viewer.export.answers import add_recipe, written_files

LEFT_OUT = ("paths", "root", "set_notes")


def points_of(result: Result) -> list[dict[str, Any]]:
    """Return the points, each with the picture's path and row, its place, and what is known of it."""
    arrays, meta = result.arrays, result.meta
    further = {name.removeprefix("column."): arrays[name] for name in arrays if name.startswith("column.")}
    return [
        {
            "path": path,
            "shown": relative(path, meta["root"]),
            "row": int(arrays["rows"][at]),
            "x": float(arrays["places"][at, 0]),
            "y": float(arrays["places"][at, 1]),
            "label": _named(meta["set_classes"], int(arrays["label"][at])),
            "prediction": _named(meta["classes"], int(arrays["prediction"][at])),
            "confidence": float(arrays["confidence"][at]) if arrays["prediction"][at] >= 0 else None,
            "right": {0: False, 1: True}.get(int(arrays["right"][at])),
            "kept": _known(arrays["kept"][at]),
            **{name: _known(values[at]) for name, values in further.items()},
        }
        for at, path in enumerate(meta["paths"])
    ]


def write(folder: Path, request: Request, result: Result, *, name: str) -> list[Path]:
    """Write a map and return the paths. Raises Refusal if the folder cannot be written to."""
    points = points_of(result)
    told = {key: _finite(value) for key, value in result.meta.items() if key not in LEFT_OUT}
    here = result.arrays["here"]
    told |= {
        "points": points,
        "shares": [float(share) for share in result.arrays["shares"]],
        "here": [float(value) for value in here] if len(here) else None,
    }
    table = io.StringIO()
    writer = csv.DictWriter(table, list(points[0]) if points else ["path"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(points)
    with written_files(folder) as files:
        files.add(folder / f"{name}.json", report.as_plain_json(request, Result({}, told)))
        files.add(folder / f"{name}.csv", table.getvalue())
        return [
            folder / f"{name}.json",
            folder / f"{name}.csv",
            add_recipe(files, folder, name, (request, result), ["json", "csv"]),
        ]


def _named(classes: tuple[str, ...], row: int) -> str | None:
    return classes[row] if 0 <= row < len(classes) else None


def _known(value: Any) -> float | None:
    return float(value) if value >= 0 else None


def _finite(value: Any) -> Any:
    """Return a value, None for a number that is not finite."""
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
