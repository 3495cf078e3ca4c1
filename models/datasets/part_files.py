"""Part files: what one pass over a data set found in some of its pictures, each written whole or not at all.

A part lies in a folder as `<key>.json`, with the pictures' paths and a table of columns, and one `<key>.<name>.npy` per
array. The JSON is renamed last, so a part without one does not exist. Row r of every column and array is that of
picture r; an array of a failed picture is NaN (0 for whole numbers), its `error` says why. Arrays named in `merged`
have rows of their own.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import files
from models.output_files import OutputFiles, refusal
from models.types import Refusal

FORMAT = 1
MOST_BYTES = 1 << 30
ERROR = "error"
FULL = "The parts that are done are kept: make room on the disk, then ask again."
Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Part:
    """The content of a part: `paths` (R,), `columns` by name with R plain values each, arrays by name.

    `arrays` have R rows, `merged` any number.
    """

    paths: tuple[str, ...]
    columns: Mapping[str, Sequence[Any]]
    arrays: Mapping[str, Array] = field(default_factory=dict)
    merged: Mapping[str, Array] = field(default_factory=dict)

    @property
    def errors(self) -> dict[int, str]:
        """Why pictures failed, by row."""
        return {row: str(why) for row, why in enumerate(self.columns.get(ERROR, ())) if why}


def write(folder: str | Path, key: str, part: Part) -> None:
    """Write a part. Raises Refusal if that fails, such as on a full disk; nothing is left of it then."""
    place = Path(folder)
    body = {
        "vitrine_part": FORMAT,
        "paths": list(part.paths),
        "columns": {name: list(values) for name, values in part.columns.items()},
        "arrays": list(part.arrays),
        "merged": list(part.merged),
    }
    try:
        place.mkdir(parents=True, exist_ok=True)
        with OutputFiles() as written:
            for name, array in (*part.arrays.items(), *part.merged.items()):
                written.add(place / f"{key}.{name}.npy", npy(array))
            written.add(place / f"{key}.json", json.dumps(body, ensure_ascii=True, allow_nan=False))
    except OSError as error:
        found = refusal(place / f"{key}.json", error)
        raise Refusal(str(found), advice=FULL) from error


def npy(array: Array) -> bytes:
    """Return an array as the content of an .npy file."""
    content = io.BytesIO()
    np.save(content, np.ascontiguousarray(array), allow_pickle=False)
    return content.getvalue()


def exists(folder: str | Path, key: str) -> bool:
    """Return whether a part was written."""
    return (Path(folder) / f"{key}.json").is_file()


def read(folder: str | Path, key: str, *, arrays: Sequence[str] | None = None) -> Part | None:
    """Return a part, its arrays as memory maps (all, or those named); None if there is none or it cannot be used."""
    place = Path(folder)
    try:
        body = json.loads(files.content(place / f"{key}.json", most=MOST_BYTES))
        paths = tuple(str(path) for path in body["paths"])
        columns: dict[str, list[Any]] = {str(name): list(values) for name, values in body["columns"].items()}
        if body["vitrine_part"] != FORMAT or any(len(values) != len(paths) for values in columns.values()):
            return None
        own, merged = (
            {name: mapped(place / f"{key}.{name}.npy") for name in body[kind] if arrays is None or name in arrays}
            for kind in ("arrays", "merged")
        )
    except (Refusal, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if any(len(array) != len(paths) for array in own.values()):
        return None
    return Part(paths, columns, own, merged)


def mapped(path: Path) -> Array:
    """Return the array in an .npy file as a read-only memory map. Raises OSError or ValueError."""
    return np.load(path, mmap_mode="r", allow_pickle=False)


def remove(folder: str | Path, key: str) -> None:
    """Remove a part, the JSON first."""
    place = Path(folder)
    for name in (f"{key}.json", *sorted(entry.name for entry in _entries(place, f"{key}."))):
        (place / name).unlink(missing_ok=True)


def _entries(folder: Path, begin: str) -> Iterator[os.DirEntry[str]]:
    if folder.is_dir():
        with os.scandir(folder) as entries:
            yield from [entry for entry in entries if entry.name.startswith(begin)]
