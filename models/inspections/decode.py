"""Decode: the image that the generator makes of a latent code.

Arrays of the Result: `picture` (H, W, 3) uint8 RGB, `code` (D,) float32, `norm` (1,) the length of its normal part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.inspection import Inspection
from models.latent import units
from models.latent.space import CODE_HELP
from models.params import param
from models.types import Result


@dataclass(frozen=True)
class Params:
    """The code, and the generator's units to silence."""

    code: str = param("seed:0", "Code", CODE_HELP)
    truncation: float = param(
        0.0, "Truncation", "Normal numbers of a seed beyond this are drawn again; 0 takes them as they are.", high=4.0
    )
    silent: str = param("", "Silenced units", "Units set to zero, as LAYER#UNIT,UNIT; separate layers by semicolons.")


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the image of one code. Raises Refusal for an invalid code."""
    codes = model.space.one(params.code, truncation=params.truncation)
    with units.silenced(model, params.silent):
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
