"""Cycle: a picture there and back again by two networks, and whether the way back reads a hidden message.

Arrays of the Result: pictures (h, w, 3) uint8 `input`, as the first network got it, `made` of it, `returned` by the
second; `difference` (h, w) float32, returned less input in the colour that is off most; `details` (h, w, 3), the
high-pass of what was made, enlarged 20 times around grey; `identity`, what the way back makes of the input, which
already is what it leads to. With a picture of the other world `other`, `other_made`, `other_returned`,
`other_difference`, `other_identity`. `critic_input` and `critic_made` (h, w), scores of patches where the network has a
critic. `sigma`, `added`, `error`, `spread` (K,), the steganography test by disturbance.

Meta: `back`, the name of the way back; errors from 0 to 1 `cycle`, `identity_error` and, with another picture,
`other_cycle`, `other_identity_error`; `losses`, the terms of CycleGAN's loss on this picture, of values from -1 to 1;
the labels `condition` and `back_condition` that the networks were told, and those `seen` in the picture; `kinds` and
`times` of the disturbances; `curve`, steep, some or flat; `extent`; `text` and `notes`, in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models import model_name
from models.capabilities import Translates
from models.evaluation.picture_quality import largest_of_channels
from models.features import cycle
from models.inspection import Inspection
from models.interpretation.picture_codes import resized
from models.params import param
from models.pictures import images
from models.types import Pixels, Refusal, Result

GAIN = 20.0
CYCLE, IDENTITY = 10.0, 0.5  # weights of Zhu et al. 2017; the identity's is a share of the cycle's
MOST_PX = 512
MODELS = "Choose the network of the way back: back=MODEL, or open it as the second model."


@dataclass(frozen=True)
class Params:
    """The way back, a picture of the other world, and the disturbances."""

    back: str = param("", "Way back", "The model that leads back; empty for the network's own other direction.")
    other: str = param("", "Other world", "A picture file of the kind that is made, for the cycle from there.")
    condition: str = param(
        "", "Labels there", "What the network is told, with commas; else what it sees in the picture."
    )
    back_condition: str = param("", "Labels back", "What the way back is told; empty for what is seen in the picture.")
    most: float = param(8.0, "Most noise", "The largest sigma of the noise.", low=1.0, high=64.0, step=1.0, unit="/255")
    draws: int = param(4, "Draws", "How many times noise is drawn for each sigma.", low=1, high=64, step=1)
    seed: int = param(0, "Seed of the noise", "Another number draws other noise.", low=0, high=2**31 - 1)


def lacks(model: Any) -> dict[str, str]:
    """Return which settings have no effect on a model."""
    none = f"{model.card.name} is told nothing but the picture."
    return {} if model.groups else {"condition": none, "back_condition": none}


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the board. Raises Refusal if there is no way back, or it does not make pictures of this size."""
    name, back = way_back(model, params.back, stages)
    plain, extent, notes = _fitted(model, pixels)
    stages.progress(0.0, "there")
    with torch.inference_mode(False), torch.no_grad():
        seen = model.seen_labels(plain)
        told_there = model.labels(params.condition, seen)
        told_back = back.labels(params.back_condition, seen) if back.groups else ()
        made = model.made_of(plain, told_there).clamp(0, 1)
        stages.progress(0.1, "and back")

        def home(picture: Tensor) -> Tensor:
            returned = back.made_of(picture, told_back).clamp(0, 1)
            return resized(returned, (plain.shape[-2], plain.shape[-1]))

        returned, same = home(made), home(plain)
        sigmas = [0.0, *(params.most * share for share in (1 / 8, 1 / 4, 1 / 2, 1))]
        tested = cycle.steganography(
            made,
            plain,
            home,
            sigmas=sigmas,
            draws=params.draws,
            seed=params.seed,
            progress=lambda share, text: stages.progress(0.2 + 0.6 * share, text),
        )
        arrays = {
            "input": _pixels(plain),
            "made": _pixels(made),
            "returned": _pixels(returned),
            "difference": _off(returned - plain),
            "details": _pixels(cycle.high_pass(made, GAIN)),
            "identity": _pixels(same),
            **{
                key: np.array([getattr(one, key) for one in tested], np.float32)
                for key in ("sigma", "added", "error", "spread")
            },
        }
        told: dict[str, Any] = {
            "cycle": float((returned - plain).abs().mean()),
            "identity_error": float((same - plain).abs().mean()),
        }
        losses = {"cycle": 2 * CYCLE * told["cycle"]}
        if not model.groups:  # StarGAN's loss has no such term
            losses["identity"] = 2 * CYCLE * IDENTITY * told["identity_error"]
        for key, picture in (("critic_made", made), ("critic_input", plain)):
            judge = model if key == "critic_made" else back
            scores = judge.critic_map(picture)
            if scores is not None:
                arrays[key] = scores[0, 0].cpu().numpy().astype(np.float32)
        if "critic_made" in arrays:
            losses["adversarial"] = float(((torch.from_numpy(arrays["critic_made"]) - 1) ** 2).mean())
        if params.other:
            stages.progress(0.85, "the other world")
            more, figures = _other(model, back, Path(params.other), made, (told_there, told_back))
            arrays, told = arrays | more, told | figures
            losses["cycle from there"] = 2 * CYCLE * figures["other_cycle"]
            losses["identity from there"] = 2 * CYCLE * IDENTITY * figures["other_identity_error"]
    curve, words = cycle.verdict(tested)
    meta: dict[str, Any] = {
        **told,
        "back": name,
        "kinds": tuple(one.kind for one in tested),
        "times": [one.times(tested[0].error) for one in tested],
        "losses": losses,
        "curve": curve,
        "extent": extent,
        "condition": model.told(told_there),
        "back_condition": back.told(told_back),
        "seen": seen,
        "notes": tuple(notes),
    }
    begun = f"There and back again by {name}, each pixel is off by {255 * told['cycle']:.2f} of 255 on average."
    if meta["condition"] or meta["back_condition"]:
        there, again = (", ".join(meta[name]) or "none" for name in ("condition", "back_condition"))
        begun += f" It was told {there}, and back {again}."
    meta["text"] = " ".join([begun, words, *notes])
    return Result(arrays, meta)


def way_back(model: Any, named: str, stages: Any) -> tuple[str, Any]:
    """Return the name and the model of the way back: the one named, or the network's own. Raises Refusal."""
    if not named:
        if model.back < 0:
            raise Refusal(f"{model.card.name} has no way back of its own.", advice=MODELS)
        if model.back == model.direction:
            return model.directions[model.back], model
        named = model_name.join(model.card.name, {"direction": model.directions[model.back]})
    found = stages.model(named)
    if not isinstance(found, Translates):
        raise Refusal(f"{found.card.name} makes no picture of a picture.", advice=MODELS)
    return model_name.title(named), found


def own(model: Any) -> dict[str, str]:
    """Return the network's own way back, where it has one, as the model that is asked by default."""
    if model.back < 0:
        return {}
    several = {"direction": model.directions[model.back]} if len(model.directions) > 1 else {}
    return {"back": model_name.join(model.card.name, several)}


def _other(
    model: Any, back: Any, path: Path, like: Tensor, told: tuple[tuple[float, ...], ...]
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the cycle of a picture of the other world: there by the way back, and back again, told labels as before.

    `told` are the labels of the network itself and of the way back.
    """
    ahead, home = told
    read, _, _ = _fitted(back, images.read(path).pixels)
    size = (read.shape[-2], read.shape[-1])
    there = back.made_of(read, home).clamp(0, 1)
    again = resized(model.made_of(there, ahead).clamp(0, 1), size)
    same = resized(model.made_of(read, ahead).clamp(0, 1), size)
    arrays = {
        "other": _pixels(read),
        "other_made": _pixels(there),
        "other_returned": _pixels(again),
        "other_difference": _off(again - read),
        "other_identity": _pixels(same),
    }
    errors = {"other_cycle": (again - read).abs().mean(), "other_identity_error": (same - read).abs().mean()}
    return arrays, {key: float(value) for key, value in errors.items()}


def _fitted(model: Any, pixels: Pixels) -> tuple[Tensor, tuple[float, ...], list[str]]:
    """Return a picture (1, 3, h, w) from 0 to 1 as a model gets it, where it lies, and how it was changed in words."""
    high, wide = pixels.shape[:2]
    plain = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255
    whole, size = (0.0, 0.0, float(wide), float(high)), model.fitted_size(high, wide, MOST_PX)
    if size == (high, wide):
        return plain, whole, []
    note = f"The picture of {wide} x {high} px was fitted to {size[1]} x {size[0]} px."
    return resized(plain, size).clamp(0, 1), whole, [note]


def _pixels(picture: Tensor) -> Pixels:
    return (picture[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()


def _off(difference: Tensor) -> np.ndarray:
    return largest_of_channels(difference[0]).cpu().numpy().astype(np.float32)


INSPECTION = Inspection(
    id="cycle",
    title="Cycle",
    help="A picture there and back again by two networks, and the steganography test of the way back.",
    needs=("Translates",),
    params=Params,
    answer=answer,
    lacks=lacks,
    own=own,
)
