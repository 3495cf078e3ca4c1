"""Attribute vector: the latent direction from images without an attribute to images with it, from two folders.

Arrays of the Result: `vector` (D,) the difference of the mean codes, to be added or subtracted; `normal` (D,) the unit
normal of the plane that best separates the two sets; `code` (D,) the mean of all codes; `strip` (F, H, W, 3) uint8, the
images at `code` plus `offsets` (F,) times the vector. Meta: `auc` of the plane on `held_out` images that it was not
fitted to (0.5 is chance), `few` if those are too few to mean much, `cosine` between vector and normal, `with_count`,
`without_count` and `unreadable`.
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
LEAST_TOLD = 20  # with fewer held-out pictures the AUC says little


@dataclass(frozen=True)
class Params:
    """The pictures with and without the attribute, and the reach of the strip."""

    with_folder: str = param("", "With", "A folder of pictures with the attribute.")
    without_folder: str = param("", "Without", "A folder of pictures without the attribute.")
    reach: float = param(
        1.5, "Reach", "How far the strip goes to either side, in multiples of the vector.", low=0.1, high=10.0
    )
    frames: int = param(7, "Pictures", "How many pictures the strip has.", low=3, high=31, step=2)
    seed: int = param(0, "Seed", "Decides which pictures are held out.", high=999_999_999, step=1)


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the vector. Raises Refusal for a folder with fewer than two pictures."""
    codes, has, unreadable = [], [], 0
    for folder, there in ((params.with_folder, True), (params.without_folder, False)):
        found = real_pictures.real_pictures(model, folder, stages)
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


def _means(model: Any, found: real_pictures.RealPictures, stages: Any) -> Tensor:
    """Encode pictures to mean codes (N, D) on the CPU."""
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
    needs=("Generates", "FindsCodes"),
    params=Params,
    answer=answer,
    reads="nothing",
)
