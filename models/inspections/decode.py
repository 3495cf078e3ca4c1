"""Decode: the picture that a latent code stands for.

Arrays of the Result: `picture` (H, W, 3) uint8 RGB, `code` (D,) float32, `norm` (1,) the length of its normal part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.inspection import Inspection
from models.latent.space import CODE_HELP
from models.params import param
from models.types import Refusal, Result


@dataclass(frozen=True)
class Params:
    """Which code."""

    code: str = param("seed:0", "Code", CODE_HELP)
    truncation: float = param(
        0.0, "Truncation", "Normal numbers of a seed beyond this are drawn again; 0 takes them as they are.", high=4.0
    )


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the picture of one code. Raises Refusal for a code that is none of this model's."""
    codes = model.space.parse(params.code, truncation=params.truncation)
    if len(codes) != 1:
        raise Refusal(f"There are {len(codes):,} codes, not one.", advice="Give one row.")
    picture = stages.time("generate", lambda: model.pictures(codes))[0]
    return Result({"picture": picture, "code": codes[0], "norm": model.space.norm(codes)}, {"kind": "latent"})


INSPECTION = Inspection(
    id="decode",
    title="Generated picture",
    help="The picture that the model makes of a latent code.",
    needs=("Generates",),
    params=Params,
    answer=answer,
    reads="nothing",
)
