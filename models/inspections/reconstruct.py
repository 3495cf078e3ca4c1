"""Reconstruct: an image through a VAE's encoder and decoder.

Arrays of the Result: `target` (H, W, 3) uint8 the image at the model's size, `picture` (H, W, 3) its reconstruction
from the mean code, `residual` (H, W) float32 reconstruction minus image, -1 to 1, mean over colours; `code` and `mu`
(D,) the mean, `sigma` (D,) the standard deviation of the posterior. Meta: `mse` over pixels from 0 to 1; `note`, what
was done to the image; `outside`, that the image is unlike those the model was made for, "" otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.inspection import Inspection
from models.latent import anatomy
from models.types import Pixels, Result


@dataclass(frozen=True)
class Params:
    """No parameters."""


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the reconstruction. Raises Refusal for a NaN or infinite code."""
    found = stages.time("encode", lambda: anatomy.encode(model, pixels))
    mse = float((found.decoded - found.x).square().mean())
    outside, _ = anatomy.outside(model, found, stages)
    return Result(found.arrays, {"kind": "latent", "mse": mse, "note": found.note, "outside": outside})


INSPECTION = Inspection(
    id="reconstruct",
    title="Reconstruction",
    help="The picture through the model's encoder and decoder, and what is lost.",
    needs=("Generates", "FindsCodes"),
    params=Params,
    answer=answer,
)
