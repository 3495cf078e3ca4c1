"""Reads Cityscapes' maps of instances (gtFine_instanceIds.png): a box around the pixels of each object."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from models.pictures import images
from models.truth.gather import Gatherer, Progress
from models.truth.marked import Mark, Marked, truth
from models.truth.types import Truth
from models.types import Refusal

SUFFIX = "_instanceIds.png"
OTHERS = ("_labelIds.png", "_labelTrainIds.png", "_color.png", "_instanceTrainIds.png")
DEPTH, MOST_FILES = 3, 100_000
# The published numbers of the classes that have instances; a pixel holds 1000 times the class and the instance.
CLASSES = {24: "person", 25: "rider", 26: "car", 27: "truck", 28: "bus", 29: "caravan", 30: "trailer", 31: "train"}
CLASSES |= {32: "motorcycle", 33: "bicycle"}
FIRST = 24_000


def is_map(path: Path) -> bool:
    """Return whether a file is one of Cityscapes' maps, by its name."""
    return path.name.endswith((SUFFIX, *OTHERS))


def maps_in(folder: Path, gather: Gatherer) -> list[Path]:
    """Return the maps of instances below a folder."""
    return [
        Path(where) / name
        for where in gather.listing.below(str(folder), DEPTH)
        for name in sorted(gather.listing.names(where))
        if name.endswith(SUFFIX)
    ][:MOST_FILES]


def read(path: Path, *, progress: Progress | None = None) -> Truth | None:
    """Return the ground truth of a map or of a folder of them, None for a folder without any. Raises Refusal."""
    gather = Gatherer(progress)
    if not path.is_dir():
        if not path.name.endswith(SUFFIX):
            stem = path.name.partition("_gt")[0]
            text = f"{path.name} holds the class of each pixel, and not where one object ends and the next begins."
            raise Refusal(text, advice=f"Choose {stem}_gtFine_polygons.json or {stem}_gtFine_instanceIds.png.")
        found = [path]
    else:
        found = maps_in(path, gather)
    if not found:
        return None
    pictures = []
    for row, each in enumerate(found):
        gather.progress(row, len(found), f"Reading {path.name}")
        try:
            pictures += _pictures(each)
        except Refusal as refusal:
            gather.omit(each.name, f"the file is left out: {refusal}")
    return truth(path.stem, "Cityscapes", pictures, gather=gather)


def _pictures(path: Path) -> Iterator[Marked]:
    numbers = images.stored_values(path)
    marks = []
    for value in np.unique(numbers[numbers >= FIRST // 1000]):
        name = CLASSES.get(int(value) // 1000 if value >= FIRST else int(value))
        if name is not None:
            rows, columns = np.nonzero(numbers == value)
            box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
            marks.append(Mark(name, box, f"object {value}", value < FIRST))
    name = path.name.removesuffix(SUFFIX).removesuffix("_gtFine").removesuffix("_gtCoarse")
    yield Marked(f"{name}_leftImg8bit.png", path, marks, (numbers.shape[1], numbers.shape[0]))
