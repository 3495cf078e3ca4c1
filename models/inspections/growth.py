"""Growth: a progressive GAN at any stage of its growth, both branches of a fade-in, and the critic that mirrors it.

Arrays of the Result: pictures (S, S, C) float32 from 0 to 1 `picture`, the mixture; `before`, the picture of the level
before, its pixels repeated; `own`, that of the level itself; `halved` (S/2, S/2, C), what the critic's branch of the
level before gets; `difference` (S, S), own less before in the channel where they differ most. `film_N` for each
complete level N, in px its side, of the same code. Meta: `level` from 0 and its `side`, `alpha` the weight of its own
branch, `sides` of all levels; `score` of the picture by the critic at this stage, `score_before` and `score_own` by its
two branches alone, before the sigmoid; `scores` of the complete levels; `steps`, the mean absolute step from each
complete level, enlarged, to the next; `text`, in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from models.evaluation.picture_quality import largest_of_channels
from models.inspection import Inspection
from models.latent.space import CODE_HELP
from models.params import param
from models.types import Growth, Result


@dataclass(frozen=True)
class Params:
    """The code, and how far the network has grown."""

    code: str = param("seed:0", "Code", CODE_HELP)
    truncation: float = param(0.0, "Truncation", "Normal numbers of a seed beyond this are drawn again.", high=4.0)
    position: float = param(
        2.5,
        "Grown",
        "A whole number is a complete level, from 0; between two, the next is faded in.",
        low=0.0,
        high=16.0,
        step=0.05,
    )


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the stage of growth. Raises Refusal for an invalid code."""
    codes = model.space.one(params.code, truncation=params.truncation)
    last = len(model.sides) - 1
    position = min(params.position, float(last))
    stages.progress(None, "generate")
    now: Growth = model.grown(codes, position)
    film = [model.grown(codes, float(level)) for level in range(last + 1)]
    arrays = {"picture": now.picture, "before": now.before, "own": now.own, "halved": now.halved}
    arrays["difference"] = largest_of_channels(torch.from_numpy(now.own - now.before).permute(2, 0, 1)).numpy()
    arrays |= {f"film_{side}": each.picture for side, each in zip(model.sides, film, strict=True)}
    steps = [float(np.abs(each.own - each.before).mean()) for each in film[1:]]
    meta: dict[str, Any] = {
        "kind": "latent",
        "level": now.level,
        "side": model.sides[now.level],
        "alpha": now.alpha,
        "position": position,
        "sides": tuple(model.sides),
        "score": now.score,
        "score_before": now.score_before,
        "score_own": now.score_own,
        "scores": [each.score for each in film],
        "steps": steps,
        "text": _text(model, now),
    }
    return Result({name: np.ascontiguousarray(each, np.float32) for name, each in arrays.items()}, meta)


def _text(model: Any, now: Growth) -> str:
    side = model.sides[now.level]
    if now.alpha == 1:
        return f"The level of {side} px is complete: the picture is its own branch alone."
    before = model.sides[now.level - 1]
    return (
        f"The level of {side} px is faded in: {now.alpha:.0%} of its own branch, {1 - now.alpha:.0%} of the level of "
        f"{before} px, enlarged."
    )


INSPECTION = Inspection(
    id="growth",
    title="Growth",
    help="A progressive GAN at any stage of its growth, both branches of a fade-in, and its critic.",
    needs=("Generates", "Grows"),
    params=Params,
    answer=answer,
    reads="nothing",
)
