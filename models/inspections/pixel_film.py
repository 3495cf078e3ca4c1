"""Sampling: a picture drawn pixel by pixel, with the distribution that each value was drawn from.

Arrays of the Result: `values` (C, H, W), `ranks` (C, H, W) the turn of each, `probabilities` (K, C, H, W) float32 what
it was drawn from, `uniform` (C, H, W) the random number that decided, `log_p` (C, H, W) its log-probability at
temperature 1, `given` (C, H, W) what was not drawn but taken from the picture or overruled; `picture` (H, W, 3) uint8,
and `pictures` (N, H, W, 3) the frames of a film of it, grey where nothing is drawn yet, with `ends` (N,) how many
values each holds.
Meta: `nats` of the whole picture, `bits_per_value`, `levels`, `order`, `drawn` how many values were drawn, `note`,
`fps`, `loop`. The same seed decides each value by the same random number, whatever else is changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.inspection import Inspection
from models.likelihood import cached_passes, pixel_order, sampling
from models.params import param
from models.types import Bool, Int, Pixels, Refusal, Result

NOTHING, PICTURE = "nothing", "picture"
UNKNOWN = 96  # grey of what is not drawn yet
OVERRULED_HELP = "Give row,column=value, or row,column,colour=value, separated by semicolons."


@dataclass(frozen=True)
class Params:
    """What is drawn, from which random numbers, and what is held."""

    seed: int = param(0, "Seed", "The same seed draws the same picture.", high=999_999_999, step=1)
    temperature: float = param(
        1.0,
        "Temperature",
        "Logits are divided by it: below 1 the likely becomes likelier, above 1 all becomes more even.",
        low=0.05,
        high=5.0,
    )
    begin: str = param(
        NOTHING,
        "Begin with",
        "An empty picture, or the one that is open, of which a part is drawn again.",
        choices=(NOTHING, PICTURE),
        titles=("Nothing", "The picture"),
    )
    kept: float = param(
        0.5, "Kept", "The share of the picture, in the model's order, that is not drawn again.", only=("begin", PICTURE)
    )
    hole: str = param(
        "",
        "Hole",
        "A rectangle x0,y0,x1,y1 in pixels of the model's picture that is drawn again, instead of the last share.",
        only=("begin", PICTURE),
    )
    frames: int = param(
        56,
        "Frames",
        "How many pictures an exported film has, each with equally many pixels more.",
        low=2,
        high=1000,
        step=1,
    )
    fps: int = param(12, "Frames per second", "Of an exported film.", low=1, high=120, step=1)
    overruled: str = param("", "Overruled", "Values that you set yourself: row,column=value, separated by semicolons.")


def answer(model: Any, pixels: Pixels | None, params: Params, stages: Any) -> Result:
    """Return the film. Raises Refusal for a hole that the order cannot fill, and for values that do not exist."""
    given = np.zeros(model.shape, np.bool_)
    values = np.zeros(model.shape, np.int64)
    note = ""
    if params.begin == PICTURE:
        if pixels is None:
            raise Refusal(
                "No picture is open of which a part could be kept.", advice="Open one, or begin with nothing."
            )
        values, note = model.values(pixels)
        given = ~(_hole(model, params.hole) if params.hole else pixel_order.last(model.ranks, 1 - params.kept))
    for place, value in overruled(params.overruled, model):
        given[place], values[place] = True, value

    def check(done: int, of: int) -> None:
        stages.progress(done / of, "draw pixels")

    made = stages.time(
        "draw",
        lambda: sampling.film(
            model,
            cached_passes.conditionals(model),
            seed=params.seed,
            temperature=params.temperature,
            given=given,
            values=values,
            check=check,
        ),
    )
    nats = -float(made.log_p.sum())
    arrays = {
        "values": made.values,
        "ranks": model.ranks,
        "probabilities": made.probabilities,
        "uniform": made.uniform,
        "log_p": made.log_p.astype(np.float32),
        "given": made.given,
        "picture": model.pictures(made.values[None])[0],
    }
    ends = np.unique(np.linspace(0, made.values.size, params.frames).round().astype(np.int64))
    arrays |= {
        "pictures": frames(arrays["picture"], model.ranks, ends),
        "ends": ends,
        "segment": np.zeros(len(ends), int),
    }
    meta = {
        "kind": "latent",
        "fps": params.fps,
        "loop": False,
        "nats": nats,
        "bits_per_value": nats / math.log(2) / made.values.size,
        "levels": model.levels,
        "order": model.order_title,
        "drawn": int((~given).sum()),
        "note": note,
    }
    return Result(arrays, meta)


def frames(picture: Pixels, ranks: Int, ends: Int) -> Pixels:
    """Return the frames (N, H, W, 3) of a picture (H, W, 3), each with the values of ranks below its end."""
    known = (ranks.max(0)[None] < ends[:, None, None])[..., None]
    return np.where(known, picture[None], np.uint8(UNKNOWN))


def _hole(model: Any, text: str) -> Bool:
    """Return the mask (C, H, W) of a rectangle. Raises Refusal if the model's order cannot fill it."""
    _, height, width = model.shape
    try:
        x0, y0, x1, y1 = (round(float(part)) for part in text.split(","))
    except ValueError:
        raise Refusal(f"{text[:60]!r} is not a rectangle.", advice="Give x0,y0,x1,y1.") from None
    x0, y0, x1, y1 = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
    hole = np.zeros(model.shape, np.bool_)
    hole[:, y0:y1, x0:x1] = True
    if not hole.any():
        raise Refusal("The hole lies outside the picture.", advice=f"It has {width} × {height} pixels.")
    late = int(pixel_order.follows(model.ranks, hole).sum()) // model.shape[0]
    if late:
        raise Refusal(
            f"This hole cannot be filled: {late:,} pixels that are kept come after it in the model's order.",
            advice="The model gives each pixel from those before it alone. Let the hole reach to the end of the order "
            f"({model.order_title}), or keep a share of the picture instead.",
        )
    return hole


def overruled(text: str, model: Any) -> list[tuple[tuple[int, int, int], int]]:
    """Return places (channel, row, column) with the values they are set to. Raises Refusal for a malformed text."""
    found = []
    for part in filter(None, (each.strip() for each in text.split(";"))):
        try:
            where, value = part.split("=")
            row, column, *more = (int(number) for number in where.split(","))
            channel, level = (more[0] if more else 0), int(value)
        except ValueError:
            raise Refusal(f"{part[:60]!r} names no pixel and value.", advice=OVERRULED_HELP) from None
        inside = all(0 <= at < size for at, size in zip((channel, row, column), model.shape, strict=True))
        if not inside or not 0 <= level < model.levels or len(more) > 1:
            raise Refusal(
                f"{part} is not a pixel of this model with a value it knows.",
                advice=f"Rows are below {model.shape[1]}, columns below {model.shape[2]}, values below {model.levels}.",
            )
        found.append(((channel, row, column), level))
    return found


INSPECTION = Inspection(
    id="pixel_film",
    title="Sampling pixel by pixel",
    help="A picture drawn pixel by pixel, each from its distribution given those before it.",
    needs=("EstimatesLikelihood",),
    params=Params,
    answer=answer,
    spared=True,
)
