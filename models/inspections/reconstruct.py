"""Reconstruct: a picture through a VAE and back.

Arrays of the Result: `target` (H, W, 3) uint8 as the model has it, `picture` its reconstruction from the mean code,
`residual` (H, W) float32, reconstruction less picture from -1 to 1, mean over colours; `code` and `mu` (D,) the mean,
`sigma` (D,) the standard deviation of the posterior. Meta: `mse` over pixels from 0 to 1, `note`, what was done to the
picture, and `outside`, that the model was not made for such a picture, "" where it seems to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.inspection import Inspection
from models.latent import anatomy
from models.types import Pixels, Result


@dataclass(frozen=True)
class Params:
    """There are none."""


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the reconstruction. Raises Refusal when the code is not a number."""
    found = stages.time("encode", lambda: anatomy.encode(model, pixels))
    mse = float((found.decoded - found.x).square().mean())
    outside, _ = anatomy.outside(model, found, stages)
    return Result(found.arrays, {"kind": "latent", "mse": mse, "note": found.note, "outside": outside})


INSPECTION = Inspection(
    id="reconstruct",
    title="Reconstruction",
    help="The picture through the model's encoder and decoder, and what is lost.",
    needs=("Generates", "Encodes"),
    params=Params,
    answer=answer,
)
