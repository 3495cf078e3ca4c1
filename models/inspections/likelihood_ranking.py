"""Likelihood ranking: the pictures of a folder, the least likely first.

The source is a folder or a file in it. Arrays of the Result: `nats` (N,) of -log p, the largest first; `thumbs` (N, H,
W, 3) uint8 RGB, the pictures as the model got them; `changed` (N,) whether a picture was changed for that. Meta:
`names` and `paths` of the pictures, `problems` with a line for each that cannot be read, `values` of a picture, by
which nats are divided for bits a value, `of` the number of pictures in the folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.inspection import Inspection
from models.likelihood.pixel_model import nats
from models.params import param
from models.pictures import images
from models.types import Refusal, Result, Source

BATCH = 16


@dataclass(frozen=True)
class Params:
    """The number of pictures."""

    count: int = param(500, "Pictures", "How many pictures of the folder are ranked.", low=1, high=10_000, step=1)


def answer(model: Any, source: Source, params: Params, stages: Any) -> Result:
    """Return the ranking. Raises Refusal for a folder without a picture that can be read."""
    folder = Path(source.path)
    files = images.pictures_in(folder if folder.is_dir() else folder.parent)
    every = len(files)
    if every > params.count:
        files = [files[row] for row in np.linspace(0, every - 1, params.count).round().astype(int)]
    kept: list[Path] = []
    problems, values, changed = [], [], []
    for number, file in enumerate(files):
        if number % BATCH == 0:
            stages.progress(number / len(files) / 2, "read pictures")
        try:
            each, note = model.values(images.read(file).pixels)
        except Refusal as refusal:
            problems.append(str(refusal))
            continue
        kept.append(file)
        values.append(each)
        changed.append(bool(note))
    if not kept:
        raise Refusal(f"None of the pictures in {source.name} can be read.", advice=problems[0] if problems else "")
    found = []
    with torch.no_grad():
        for begin in range(0, len(values), BATCH):
            stages.progress(0.5 + begin / len(values) / 2, "likelihood")
            found.append(nats(model, torch.from_numpy(np.stack(values[begin : begin + BATCH]))))
    each = np.concatenate(found)
    order = np.argsort(-each, kind="stable")
    arrays = {
        "nats": each[order],
        "thumbs": model.pictures(np.stack(values))[order],
        "changed": np.array(changed)[order],
    }
    names = [kept[row] for row in order]
    meta = {
        "kind": "latent",
        "names": [file.name for file in names],
        "paths": [str(file) for file in names],
        "problems": problems,
        "values": int(values[0].size),
        "of": every,
    }
    return Result(arrays, meta)


INSPECTION = Inspection(
    id="likelihood_ranking",
    title="Ranking by likelihood",
    help="The pictures of a folder by their likelihood, the least likely first.",
    needs=("EstimatesLikelihood",),
    params=Params,
    answer=answer,
    reads="folder",
)
