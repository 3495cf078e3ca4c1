"""Translate: the picture that a network makes of the picture, beside it, and how near it is to a reference.

Arrays of the Result: `input` (h, w, 3) uint8, the picture as the network got it, without its normalisation; `output`
(H, W, 3) uint8, what it made of it, of `times` the sides; `difference` (H, W) float32, the mean over colours of output
less input on a scale from 0 to 1, the input resized to the output's size. Meta: `extent`, where all of them lie in
pixels of the picture; `times`; `way`, whether the network gives the picture or what is added to, or taken off, the
input, and `way_title`; `beyond`, the share of values below black or above white, which were cut; `tiles`, how many the
picture was cut into, and `seam`, the largest step where two of them meet, from 0 to 1. With a `reference`: `psnr` in dB
and `ssim` of the output, `psnr_before` and `ssim_before` of the input, and `reference_note` where it was resized; a
PSNR of equal pictures, which is infinite, is given as 1000.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.evaluation.picture_quality import psnr, ssim
from models.inspection import Inspection
from models.interpretation.picture_codes import WAYS, PictureCode, resized
from models.params import param
from models.pictures import images
from models.types import Pixels, Result

EQUAL_DB = 1000.0


@dataclass(frozen=True)
class Params:
    """What the output is compared with, and the tiles that a large picture is cut into."""

    reference: str = param("", "Reference", "A picture file: how the output should look, for PSNR and SSIM.")
    tile: int = param(
        1024,
        "Tile",
        "Larger pictures are cut into tiles of this side; 0 for never.",
        low=0,
        high=8192,
        step=32,
        unit="px",
    )
    overlap: int = param(
        64, "Overlap", "What a tile sees around what is kept of it.", low=0, high=512, step=32, unit="px"
    )


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return what the network makes of `pixels` (H, W, 3) uint8 RGB. Raises Refusal for an unreadable reference."""
    made = model.translated(pixels, stages, tile=params.tile, overlap=params.overlap)
    stages.progress(None, "compare")
    code: PictureCode = model.interpretation.reading.how
    output = torch.from_numpy(made.picture).permute(2, 0, 1).nan_to_num(0)
    beyond = float(((output < 0) | (output > 1)).float().mean())
    output = output.clamp(0, 1)
    before = _sized(made.given, output)
    arrays = {
        "input": made.given,
        "output": (output * 255).round().to(torch.uint8).permute(1, 2, 0).numpy(),
        "difference": (output - before).mean(0).numpy().astype(np.float32),
    }
    meta: dict[str, Any] = {"extent": made.extent, "times": made.times, "way": code.way, "way_title": WAYS[code.way]}
    meta |= {"beyond": beyond, "tiles": made.tiles, "seam": made.seam, "classes": model.card.classes}
    if params.reference:
        meta |= _compared(output, before, Path(params.reference))
    return Result(arrays, meta)


def _compared(output: Tensor, before: Tensor, path: Path) -> dict[str, Any]:
    """Return how near output and input are to a reference picture."""
    pixels = images.read(path).pixels
    size = (pixels.shape[0], pixels.shape[1])
    wanted = _sized(pixels, output)
    told: dict[str, Any] = {"reference": path.name, "reference_note": ""}
    if size != tuple(output.shape[1:]):
        note = f"{path.name} has {size[1]} x {size[0]} pixels: it was resized to {output.shape[2]} x {output.shape[1]}."
        told["reference_note"] = note
    for name, picture in (("", output), ("_before", before)):
        value = psnr(picture, wanted)
        told |= {f"psnr{name}": value if math.isfinite(value) else EQUAL_DB, f"ssim{name}": ssim(picture, wanted)}
    return told


def _sized(pixels: Pixels, like: Tensor) -> Tensor:
    """Return pixels (h, w, 3) uint8 as a picture (3, H, W) from 0 to 1 of the size of another."""
    picture = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255
    return resized(picture, (int(like.shape[1]), int(like.shape[2])))[0].clamp(0, 1)


INSPECTION = Inspection(
    id="translate",
    title="Picture to picture",
    help="The picture that the network makes of the picture, the difference, and PSNR and SSIM against a reference.",
    needs=("Translates",),
    params=Params,
    answer=answer,
)
