"""The pictures that a question about single passes is asked of: the open one, and others with their classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from models.attributions import picture_sets
from models.pictures import images
from models.subject import Subject
from models.types import Refusal


@dataclass(frozen=True)
class Listed:
    """Files with the names of the folders that they lie in, "" where these name no classes."""

    paths: tuple[Path, ...]
    folders: tuple[str, ...]


def listed(text: str, source: Any, *, most: int) -> Listed:
    """Return up to `most` pictures of a folder besides the open one, spread evenly; "" is the folder of the picture.

    A folder of folders has a class in each.
    """
    if text:
        folder = picture_sets.folder_of(text, "pictures")
    elif source is not None and source.path and Path(source.path).is_file():
        folder = Path(source.path).parent
    else:
        return Listed((), ())
    opened = Path(source.path).absolute() if source is not None and source.path else None
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = [(path, sub.name) for sub in inside for path in images.pictures_in(sub)] if text else []
    found = found or [(path, "") for path in images.pictures_in(folder)]
    found = [each for each in found if each[0].absolute() != opened]
    rows = np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int) if found else []
    picked = [found[row] for row in rows]
    return Listed(tuple(path for path, _ in picked), tuple(name for _, name in picked))


def inputs(model: Any, subject: Subject, files: Listed, stages: Any, *, what: str) -> Iterator[tuple[int, Tensor]]:
    """Yield the open picture's input as -1, then that of each file that can be read, with its row.

    Only inputs of the same size as the open picture's are yielded, and one at a time: nothing is kept.
    """
    yield -1, subject.input
    for row, path in enumerate(files.paths):
        stages.progress((row + 1) / (len(files.paths) + 1), f"{what}: {row + 2:,} of {len(files.paths) + 1:,} pictures")
        try:
            x = picture_sets.input_of(model, images.read(path).pixels, stages)
        except Refusal:
            continue
        if x.shape == subject.input.shape:
            yield row, x
