"""Translate: the picture that a network makes of the picture, beside it, and how near it is to a reference.

Arrays of the Result: `input` (h, w, 3) uint8, the picture as the network got it, without its normalisation; `output`
(H, W, 3) uint8, what it made of it, of `times` the sides; `difference` (H, W) float32, output less
input in the colour that changed most, on a scale from 0 to 1, the input resized to the output's size. Meta: `changed`,
the mean and the largest absolute difference of all colours; `extent`, where all of them lie in
pixels of the picture; `times`; `way`, whether the network gives the picture or what is added to, or taken off, the
input, and `way_title`; `beyond`, the share of values below black or above white, which were cut; `tiles`, how many the
picture was cut into, and `seam`, the largest step where two of them meet, from 0 to 1. With a `reference`: `psnr` in dB
and `ssim` of the output, `psnr_before` and `ssim_before` of the input, and `reference_note` where it was resized; a
PSNR of equal pictures, which is infinite, is given as 1000. Also `colourfulness` before and after, on a scale of 0 to
255; `directions` of the network and the `direction` that was asked, `groups` of labels, the `condition` it was told and
the labels that its critic has `seen` in the input; `notes`, in words.

With `others`, pictures `alternatives` (K, h, w, 3) uint8 of every direction, and of every single change of the
condition, at most 256 px a side: `alternatives` in the meta names them, `alternative_kinds` says which setting differs
and `alternative_values` what it is then, `own` which of them is asked now, `alternative_colours` their colourfulness,
`alternative_changes` their mean absolute difference from the input, from 0 to 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.evaluation.picture_quality import colourfulness, largest_of_channels, psnr, ssim
from models.features.alternatives import alternatives
from models.inspection import Inspection
from models.interpretation.picture_codes import WAYS, PictureCode, resized
from models.params import param
from models.pictures import images
from models.types import Pixels, Result, Translation

EQUAL_DB = 1000.0
OTHERS_PX = 256


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
    condition: str = param("", "Condition", "The labels that the network is told, with commas, one of each group.")
    training: bool = param(
        False,
        "As in training",
        "Batch normalisation by this picture alone, and dropout, as pix2pix makes its pictures.",
    )
    seed: int = param(0, "Seed of the dropout", "Another number drops others.", low=0, high=2**31 - 1)
    others: bool = param(
        False, "Alternatives", "Also what its other directions make of the picture, and each single change of a label."
    )


def lacks(model: Any) -> dict[str, str]:
    """Return which settings have no effect on a model."""
    found: dict[str, str] = {}
    if not model.groups:
        found["condition"] = f"{model.card.name} is told nothing but the picture."
        if len(model.directions) < 2:
            found["others"] = f"{model.card.name} makes one picture of a picture."
    norms, drops = model.changing_parts
    if not norms and not drops:
        found["training"] = (
            f"{model.card.name} has no batch normalisation and no dropout: it does the same in training."
        )
    if not drops:
        found["seed"] = f"{model.card.name} has no dropout: it draws no random numbers."
    return found


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return what the network makes of `pixels` (H, W, 3) uint8 RGB. Raises Refusal for an unreadable reference."""
    made = model.translated(
        pixels,
        stages,
        tile=params.tile,
        overlap=params.overlap,
        condition=params.condition,
        training=params.training,
        seed=params.seed,
    )
    stages.progress(None, "compare")
    code: PictureCode = model.code
    output = torch.from_numpy(made.picture).permute(2, 0, 1).nan_to_num(0)
    beyond = float(((output < 0) | (output > 1)).float().mean())
    output = output.clamp(0, 1)
    before = _sized(made.given, output)
    arrays = {
        "input": made.given,
        "output": (output * 255).round().to(torch.uint8).permute(1, 2, 0).numpy(),
        "difference": largest_of_channels(output - before).numpy().astype(np.float32),
    }
    meta: dict[str, Any] = {"extent": made.extent, "times": made.times, "way": code.way, "way_title": WAYS[code.way]}
    meta |= {"beyond": beyond, "tiles": made.tiles, "seam": made.seam, "classes": model.card.classes}
    plain = model.fitted(pixels, OTHERS_PX) if model.groups or params.others else None
    seen = model.seen_labels(plain) if model.groups else ()
    told = model.told(model.labels(params.condition, seen))
    meta |= {"condition": told, "groups": model.groups, "seen": seen}
    meta |= {"directions": model.directions, "direction": model.direction, "notes": _notes(model, pixels, made, params)}
    changed = (output - before).abs()
    meta["changed"] = [float(changed.mean()), float(changed.max())]
    meta["colourfulness"] = [float(colourfulness(picture[None])[0]) for picture in (before, output)]
    if params.reference:
        meta |= _compared(output, before, Path(params.reference))
    if params.others and plain is not None:
        stages.progress(None, "alternatives")
        more, about = _alternatives(model, plain, told)
        arrays, meta = arrays | more, meta | about
    return Result(arrays, meta)


def _alternatives(model: Any, plain: Tensor, told: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the pictures (K, h, w, 3) uint8 that other directions and single changes make, and what they are."""
    found = alternatives(model, plain, told)
    if not found:
        return {}, {"alternatives": ()}
    made = torch.cat([one.picture for one in found]).nan_to_num(0).clamp(0, 1)
    given = resized(plain, (int(made.shape[2]), int(made.shape[3]))).clamp(0, 1)
    meta = {"alternatives": tuple(one.name for one in found), "alternative_kinds": tuple(one.kind for one in found)}
    meta |= {"alternative_values": tuple(one.value for one in found), "own": [one.own for one in found]}
    meta["alternative_colours"] = colourfulness(made).tolist()
    meta["alternative_changes"] = (made - given).abs().mean((1, 2, 3)).tolist()
    return {"alternatives": (made * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()}, meta


def _notes(model: Any, pixels: Pixels, made: Translation, params: Params) -> tuple[str, ...]:
    """Return what else there is to know of the picture made, in sentences."""
    (high, wide), (tall, broad) = pixels.shape[:2], made.given.shape[:2]
    notes = []
    if (high, wide) != (tall, broad):
        notes.append(
            f"The picture of {wide} x {high} px was fitted to {broad} x {tall} px, the size that the network takes."
        )
    norms, drops = model.changing_parts
    if (norms or drops) and not params.training:
        parts = " and ".join(filter(None, (f"{norms} batch normalisations" * bool(norms), "dropout" * bool(drops))))
        notes.append(
            f"It has {parts}, which some programs, such as pix2pix, leave in training mode: try “As in training”."
        )
    if params.training and made.tiles > 1:
        notes.append("In training mode each tile is normalised by itself, so that seams show: set the tile to 0.")
    return tuple(notes)


def _compared(output: Tensor, before: Tensor, path: Path) -> dict[str, Any]:
    """Return how near output and input are to a reference picture."""
    pixels = images.read(path).pixels
    size = (pixels.shape[0], pixels.shape[1])
    wanted = _sized(pixels, output)
    meta: dict[str, Any] = {"reference": path.name, "reference_note": ""}
    if size != tuple(output.shape[1:]):
        note = f"{path.name} has {size[1]} x {size[0]} pixels: it was resized to {output.shape[2]} x {output.shape[1]}."
        meta["reference_note"] = note
    for name, picture in (("", output), ("_before", before)):
        value = psnr(picture, wanted)
        meta |= {f"psnr{name}": value if math.isfinite(value) else EQUAL_DB, f"ssim{name}": ssim(picture, wanted)}
    return meta


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
    lacks=lacks,
)
