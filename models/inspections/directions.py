"""Directions: what changes the image most at a latent code, each direction with a strip of images along it.

Arrays of the Result: `vectors` (k, D) of unit length, strongest first; `strength` (k,); `strips` (k, F, H, W, 3) uint8,
the images at the `offsets` (F,) from the code along each vector; `code` (D,); `cosines` (k, k) between the vectors.
Meta: `method`, and `strength_text`, the meaning of `strength` in words. Categorical parts of the code stay unchanged;
uniform parts are clipped to -1..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.inspection import Inspection
from models.latent.attributes import cosines
from models.latent.directions import Directions, early, factorised, principal, singular
from models.latent.space import CODE_HELP
from models.params import param
from models.tracing.traced_calls import gradients
from models.types import Bool, Float, Refusal, Result

METHODS = {
    "jacobian": "singular values of the Jacobian here: change of the picture per unit step",
    "weights": "singular values of the generator's first weight",
    "layer": "share of an early layer's variance",
}
DRAWN = 20  # codes drawn per dimension, for the early layer
LEAST_DRAWN = 500
MOST_VALUES = 1 << 26


@dataclass(frozen=True)
class Params:
    """Which directions, at which code."""

    code: str = param("seed:0", "Code", CODE_HELP)
    method: str = param(
        "jacobian",
        "Method",
        "The local Jacobian; the first weight alone (SeFa); or principal components of an early layer (GANSpace).",
        choices=tuple(METHODS),
        titles=("Local Jacobian", "First weight", "Early layer"),
    )
    count: int = param(5, "Directions", "How many directions are shown.", low=1, high=64, step=1)
    reach: float = param(2.0, "Reach", "How far the strips go to either side.", low=0.1, high=10.0, step=0.1)
    frames: int = param(7, "Pictures", "How many pictures a strip has.", low=3, high=31, step=2)


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the directions at a code. Raises Refusal if the method does not apply to the network."""
    codes = model.space.one(params.code)
    kinds = np.concatenate([[block.kind] * block.size for block in model.space.blocks])
    free = kinds != "categorical"
    if not free.any():
        raise Refusal("This model's codes are only choices: there is no direction.", advice="Step through them.")
    # The other two methods depend on the network alone, so they share one cache entry for all codes.
    where = params.code if params.method == "jacobian" else ""
    key = (params.method, where, params.count)
    with gradients():
        found = stages.run("directions", lambda: _found(model, codes, free, params, stages), *key)
    vectors = np.zeros((len(found.vectors), model.space.size), np.float32)
    vectors[:, free] = _plain(found.vectors)
    offsets = np.linspace(-params.reach, params.reach, params.frames, dtype=np.float32)
    along = codes[:, None] + offsets[:, None] * vectors[:, None]
    along[..., kinds == "uniform"] = along[..., kinds == "uniform"].clip(-1, 1)
    strips = []
    for row, strip in enumerate(along):
        stages.progress(row / len(along), "strips")
        strips.append(model.pictures(strip))
    arrays = {
        "vectors": vectors,
        "strength": _plain(found.strength),
        "strips": np.stack(strips),
        "offsets": offsets,
        "code": codes[0],
        "cosines": _plain(cosines(found.vectors)),
    }
    return Result(arrays, {"kind": "latent", "method": params.method, "strength_text": METHODS[params.method]})


def _plain(values: Tensor) -> Float:
    return values.cpu().numpy().astype(np.float32)


def _found(model: Any, codes: Float, free: Bool, params: Params, stages: Any) -> Directions:
    mask = torch.from_numpy(free).to(model.device)
    if params.method == "jacobian":
        whole = model.tensor(codes)[0]
        places = torch.eye(len(free)).to(whole)[mask]

        def decode(part: Tensor) -> Tensor:
            return model.decode(torch.where(mask, 0.0, whole) + part @ places)

        stages.progress(None, "Jacobian")
        return singular(decode, whole[mask], k=params.count)
    if params.method == "weights":
        first, _ = early(model.decode, model.tensor(codes))
        weight: Any = first.weight
        if weight.ndim == 4:
            weight = weight.flatten(1).T
        if weight.shape[1] != len(free):
            message = f"The first weight takes {weight.shape[1]:,} numbers, a code has {len(free):,}."
            raise Refusal(message, advice="Use the Jacobian.")
        return factorised(weight.detach()[:, mask], k=params.count)
    drawn = model.tensor(model.space.draw(0, count=max(LEAST_DRAWN, DRAWN * int(free.sum()))))
    layer = []
    for at, part in enumerate(drawn.split(64)):
        stages.progress(at * 64 / len(drawn), "early layer")
        layer.append(early(model.decode, part)[1].flatten(1))
        if layer[0].shape[1] * len(drawn) > MOST_VALUES:
            raise Refusal("The early layer is too large to be analysed.", advice="Use the Jacobian.")
    return principal(torch.cat(layer), drawn[:, mask], k=params.count)


INSPECTION = Inspection(
    id="directions",
    title="Directions",
    help="The directions that change the picture most: of the Jacobian here, the first weight, or an early layer.",
    needs=("Generates",),
    params=Params,
    answer=answer,
    reads="nothing",
)
