"""Invert: the code whose image is nearest to the opened one, found by gradient descent, with a control.

Arrays of the Result: `target` (H, W, 3) uint8 the opened image at the model's size, `picture` (H, W, 3) what the model
makes of the `code` (D,) found, `residual` (H, W) float32 their difference, mean over colours, in units of 0..1;
`curve` (steps,) the lowest mean squared error at each step. Meta: `error`, the last value of the curve; `control`, the
error of the same search for an image that the model made itself, which shows how much of the error is due to the
search; `norm`, and `note`, what was done to the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from models.inspection import Inspection
from models.latent.generative_model import colours
from models.latent.inversion import Found, invert
from models.params import param
from models.tracing.traced_calls import gradients
from models.types import Pixels, Result

CONTROL_SEED = 987_654_321


@dataclass(frozen=True)
class Params:
    """The length of the search, and the pull towards the prior."""

    starts: int = param(
        16,
        "Starts",
        "How many codes the search starts from; the worse half is dropped, twice.",
        low=1,
        high=256,
        step=1,
    )
    steps: int = param(300, "Steps", "How many steps of descent.", low=10, high=5000, step=10)
    rate: float = param(0.05, "Rate", "The length of a step (Adam).", low=0.001, high=0.5, step=0.001)
    pull: float = param(0.01, "Pull to the prior", "How strongly the code is drawn to the prior's length.", step=0.005)
    seed: int = param(0, "Seed", "The same seed gives the same starts.", high=999_999_999, step=1)
    control: bool = param(
        True,
        "Control",
        "Also invert one of the model's own pictures with the same settings, to see how well the search works.",
    )


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the code found. Raises Refusal if the images do not depend on the code."""
    with gradients():
        target, note = model.input(pixels)
        found = _sought(model, target, params, stages, share=(0.0, 0.5 if params.control else 1.0))
        control = float("nan")
        if params.control:
            own = model.tensor(model.space.draw(CONTROL_SEED))
            with torch.no_grad():
                made = model.decode(own)
            control = _sought(model, made, params, stages, share=(0.5, 1.0)).error
    code = found.code[None]
    with torch.no_grad():
        picture = model.decode(model.tensor(code))
    arrays = {
        "target": colours(target)[0],
        "picture": colours(picture)[0],
        "residual": (picture - target)[0].mean(0).cpu().numpy().astype(np.float32),
        "code": found.code,
        "curve": found.curve,
    }
    meta = {"kind": "latent", "error": found.error, "norm": float(model.space.norm(code)[0]), "note": note}
    if params.control:
        meta["control"] = control
    return Result(arrays, meta)


def _sought(model: Any, target: Any, params: Params, stages: Any, *, share: tuple[float, float]) -> Found:
    what = "invert" if share[0] == 0 else "control"
    kept = {name: getattr(params, name) for name in ("starts", "steps", "rate", "pull", "seed")}
    found = None
    for found in invert(model.decode, target, model.space, **kept):
        done = share[0] + (share[1] - share[0]) * found.step / params.steps
        stages.progress(done, f"{what}: error {found.error:.4f}")
    assert found is not None
    return found


INSPECTION = Inspection(
    id="invert",
    title="Inversion",
    help="The code whose picture is nearest to this one, and how well the search recovers the model's own pictures.",
    needs=("Generates",),
    params=Params,
    answer=answer,
)
