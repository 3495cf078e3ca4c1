"""Attribute: the direction in the latent space from pictures without something to pictures with it, from two folders.

Arrays of the Result: `vector` (D,), the difference of the mean codes, to be added or taken away; `normal` (D,) of
length 1, across the plane that best parts the two; `code` (D,) the mean of all codes; `strip` (F, H, W, 3) uint8, the
pictures from there at `offsets` (F,) times the vector. Meta: `auc` of the plane on `held_out` pictures that it was not
fitted to, 0.5 by chance; `cosine` between vector and normal; `with_count`, `without_count` and `unreadable`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.inspection import Inspection
from models.latent import real_pictures
from models.latent.attributes import boundary, cosines, difference
from models.params import param
from models.tracing.traced_calls import gradients
from models.types import Result

SLICE = 64
LEAST_TOLD = 20  # held-out pictures below which the area says little


@dataclass(frozen=True)
class Params:
    """The pictures with it and without, and how far the strip goes."""

    with_folder: str = param("", "With", "A folder of pictures that have it.")
    without_folder: str = param("", "Without", "A folder of pictures that do not have it.")
    reach: float = param(1.5, "Reach", "How many times the vector the strip goes to either side.", low=0.1, high=10.0)
    frames: int = param(7, "Pictures", "How many the strip has.", low=3, high=31, step=2)
    seed: int = param(0, "Seed", "Of which pictures are held out.", high=999_999_999, step=1)


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the vector. Raises Refusal for a folder without pictures, or with fewer than two."""
    codes, has, unreadable = [], [], 0
    for folder, there in ((params.with_folder, True), (params.without_folder, False)):
        found = real_pictures.reals(model, folder, stages)
        means = stages.run("encode pictures", lambda found=found: _means(model, found, stages), found.paths)
        codes.append(means)
        has.append(torch.full((len(means),), there))
        unreadable += found.unreadable
    z, labels = torch.cat(codes), torch.cat(has)
    with gradients():
        plane = boundary(z.clone(), labels, seed=params.seed)
    vector = difference(z, labels)
    middle, offsets = z.mean(0), torch.linspace(-params.reach, params.reach, params.frames)
    arrays = {
        "vector": vector.numpy(),
        "normal": plane.normal.numpy(),
        "code": middle.numpy(),
        "offsets": offsets.numpy(),
        "strip": model.pictures((middle + offsets[:, None] * vector).numpy()),
    }
    meta = {
        "kind": "latent",
        "auc": plane.auc,
        "held_out": plane.held_out,
        "few": plane.held_out < LEAST_TOLD,
        "cosine": float(cosines(torch.stack([vector, plane.normal]))[0, 1]),
        "with_count": len(codes[0]),
        "without_count": len(codes[1]),
        "unreadable": unreadable,
    }
    return Result(arrays, meta)


def _means(model: Any, found: real_pictures.Reals, stages: Any) -> Tensor:
    """Return the mean codes (N, D) of pictures, on the CPU."""
    channels, made = model.shape[0], []
    for at in range(0, len(found.pictures), SLICE):
        stages.progress(at / len(found.pictures), "encode pictures")
        x = torch.from_numpy(np.array(found.pictures[at : at + SLICE, ..., :channels])).permute(0, 3, 1, 2)
        made.append(model.encode(x.to(model.device).float() / 255)[0].float().cpu())
    return torch.cat(made)


INSPECTION = Inspection(
    id="attribute",
    title="Attribute vector",
    help="The direction from pictures without something to pictures with it, from two folders.",
    needs=("Generates", "Encodes"),
    params=Params,
    answer=answer,
    reads="nothing",
)
