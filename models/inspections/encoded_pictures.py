"""Encoded pictures: where the pictures of a folder lie in the latent space.

The source is a folder or a file in it. If the folder has no pictures itself, its subfolders are read, and their names
are the classes. Of more than `count` pictures an evenly spread subset is taken. Arrays of the Result: `means` and
`spreads` (N, D) of the encoder's normal distributions, `thumbs` (N, H, W, 3) uint8 RGB the encoder's input, `label`
(N,) the row in the meta's `classes`, -1 for none. Meta: `names` of the pictures, `problems` with a line for each that
cannot be read, and `partial` until all are encoded, which happens while the engine is idle.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.inspection import Inspection
from models.latent.generative_model import colours
from models.params import param
from models.pictures import images
from models.runtime.context import go_on
from models.types import Refusal, Result, Source

SLICE_S = 0.02  # the engine is busy for about this long at a time
FIRST = 16


@dataclass(frozen=True)
class Params:
    """The number of pictures."""

    count: int = param(500, "Pictures", "How many pictures are encoded at most.", low=1, high=10_000, step=1)


class Encoded:
    """The pictures of a folder and the codes found so far, in a random order so that any part is representative."""

    def __init__(self, model: Any, files: list[Path], classes: list[str]) -> None:
        self.model, self.files, self.classes = model, files, classes
        self.failure: Exception | None = None
        self.problems: list[str] = []
        self.rows: list[int] = []
        self.means: list[np.ndarray] = []
        self.spreads: list[np.ndarray] = []
        self.thumbs: list[np.ndarray] = []
        self.done = 0
        self._order = np.random.default_rng(0).permutation(len(files)).tolist()

    @property
    def nbytes(self) -> int:
        """The size of the codes and thumbnails in bytes."""
        return sum(each.nbytes for kind in (self.means, self.spreads, self.thumbs) for each in kind)

    @property
    def complete(self) -> bool:
        """Whether every picture was tried."""
        return self.done == len(self.files)

    def step(self) -> None:
        """Encode pictures for one time slice, at least one picture."""
        until = time.perf_counter() + SLICE_S
        while not self.complete:
            row = self._order[self.done]
            self.done += 1
            try:
                self._encode(row)
            except Refusal as refusal:
                self.problems.append(str(refusal))
            if time.perf_counter() > until:
                return

    def _encode(self, row: int) -> None:
        with torch.inference_mode():
            seen, _ = self.model.input(images.read(self.files[row]).pixels)
            mean, log_variance = self.model.encode(seen)
            self.thumbs.append(colours(seen)[0])
        self.means.append(mean[0].float().cpu().numpy())
        self.spreads.append((log_variance[0].float() / 2).exp().cpu().numpy())
        self.rows.append(row)


def answer(model: Any, source: Source, params: Params, stages: Any) -> Result:
    """Return the codes found so far. Raises Refusal for a folder without pictures."""
    encoded: Encoded = stages.run("encoded", lambda: Encoded(model, *_files(Path(source.path), params.count)), params)
    first = min(FIRST, len(encoded.files)) if stages.context.later is not None else len(encoded.files)
    while encoded.done < first:
        stages.progress(encoded.done / first, "encode pictures")
        stages.time("encode", encoded.step)
    go_on(stages, "which pictures are encoded", encoded)
    if encoded.complete and not encoded.rows:
        raise Refusal(f"None of the pictures in {source.name} can be read.", advice=encoded.problems[0])
    files = [encoded.files[row] for row in encoded.rows]
    depth, shape = model.space.size, (*model.shape[1:], 3)
    label = [encoded.classes.index(file.parent.name) if encoded.classes else -1 for file in files]
    arrays = {
        "means": np.array(encoded.means, np.float32).reshape(-1, depth),
        "spreads": np.array(encoded.spreads, np.float32).reshape(-1, depth),
        "thumbs": np.array(encoded.thumbs, np.uint8).reshape(-1, *shape),
        "label": np.array(label, np.int64),
    }
    counts = {"collected": encoded.done, "of": len(encoded.files), "partial": not encoded.complete, "unit": "pictures"}
    names = {"names": [file.name for file in files], "paths": [str(file) for file in files]}
    return Result(
        arrays, {"kind": "latent", **counts, **names, "classes": encoded.classes, "problems": encoded.problems}
    )


def _files(folder: Path, count: int) -> tuple[list[Path], list[str]]:
    """Return at most `count` pictures of a folder, and the class names if they come from its subfolders."""
    folder = folder if folder.is_dir() else folder.parent
    try:
        found, classes = images.pictures_in(folder), []
    except Refusal:
        inner = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
        by_class = {path.name: pictures for path in inner if (pictures := _inside(path))}
        if not by_class:
            raise
        found, classes = [file for files in by_class.values() for file in files], list(by_class)
    if len(found) > count:
        found = [found[row] for row in np.linspace(0, len(found) - 1, count).round().astype(int).tolist()]
    return found, classes


def _inside(folder: Path) -> list[Path]:
    try:
        return images.pictures_in(folder)
    except Refusal:
        return []


INSPECTION = Inspection(
    id="encoded",
    title="Encoded pictures",
    help="Where the pictures of a folder lie in the latent space.",
    needs=("Generates", "FindsCodes"),
    params=Params,
    answer=answer,
    reads="folder",
)
