"""Sample: images of codes drawn from the prior.

Arrays of the Result: `pictures` (N, H, W, 3) uint8 RGB, `codes` (N, D) float32, `norms` (N,) the lengths of their
normal parts. Row i is the code of seed + i, so a larger sample starts with a smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.inspection import Inspection
from models.params import param
from models.types import Result

SLICE = 16


@dataclass(frozen=True)
class Params:
    """The seed and size of the sample."""

    seed: int = param(0, "Seed", "The first seed; each picture has the next one.", high=999_999_999, step=1)
    count: int = param(64, "Pictures", "How many pictures are drawn.", low=1, high=4096, step=1)
    truncation: float = param(
        0.0, "Truncation", "Normal numbers beyond this are drawn again; 0 takes them as they are.", high=4.0
    )


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return a sample of images with their codes."""
    seeds = range(params.seed, params.seed + params.count)
    codes = np.concatenate([model.space.draw(seed, truncation=params.truncation) for seed in seeds])
    made = []
    for at in range(0, len(codes), SLICE):
        stages.progress(at / len(codes), "generate")
        made.append(model.pictures(codes[at : at + SLICE]))
    return Result(
        {"pictures": np.concatenate(made), "codes": codes, "norms": model.space.norm(codes)}, {"kind": "latent"}
    )


INSPECTION = Inspection(
    id="sample",
    title="Samples",
    help="Pictures of codes drawn from the prior, one for each seed.",
    needs=("Generates",),
    params=Params,
    answer=answer,
    reads="nothing",
)
