"""Causality: which pixels the logits at one place depend on, and whether any logit uses what it must not.

Arrays of the Result: `strength` (H, W) float32, how much the logits at the place depend on each pixel; the masks (H, W)
`used`, `past` what comes before the place, `blind` the past that is not used within the reach of what is, `future` what
is used of the place itself and after it; `leaks` (H, W), for each pixel that was changed how many earlier places it
reached; `row_lstm` and `diagonal_bilstm` (H, W), what one layer of these would let the place depend on; `fields` (F, H,
W) the incoming and `out_fields` (F, H, W) the outgoing weights of the hidden units of a NADE, the largest first. Meta:
`row`, `column`, `colour`, the counts `used_past`, `of_past`, `blind_share`, `used_future`, `changed`, `leaking`,
`examples` and `text`, the verdict in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.inspection import Inspection
from models.likelihood import causality, dependency_cones
from models.params import param
from models.types import Pixels, Refusal, Result

MOST_FIELDS = 64
MIDDLE = -1


@dataclass(frozen=True)
class Params:
    """The place, and how thoroughly leaks are looked for."""

    row: int = param(
        MIDDLE, "Row", "Of the place whose logits are looked at; -1 is the middle.", low=-1, high=1e4, step=1
    )
    column: int = param(MIDDLE, "Column", "Of the place; -1 is the middle.", low=-1, high=1e4, step=1)
    colour: int = param(0, "Colour", "Of the place: 0 is the first, red.", high=2, step=1)
    seed: int = param(0, "Seed", "Of the random pictures on which it is looked for.", high=999_999_999, step=1)
    changed: int = param(
        196,
        "Changed",
        "How many values, spread over the picture, are changed one at a time to look for leaks; 0 for none.",
        high=100_000,
        step=1,
    )


def answer(model: Any, pixels: Pixels | None, params: Params, stages: Any) -> Result:
    """Return what the logits depend on. Raises Refusal for a place outside the picture."""
    channels, height, width = model.shape
    row = height // 2 if params.row < 0 else params.row
    column = width // 2 if params.column < 0 else params.column
    if row >= height or column >= width or params.colour >= channels:
        raise Refusal(
            f"The model's pictures have no pixel at row {row}, column {column}, colour {params.colour}.",
            advice=f"They have {height} rows, {width} columns and {channels} colours, each counted from 0.",
        )
    at = (params.colour, row, column)
    own = model.values(pixels)[0] if pixels is not None else None
    found = stages.time("depend", lambda: causality.dependence(model, at, seed=params.seed, own=own))
    checked = causality.Audit(0, 0, np.zeros((height, width), np.int64), ())
    if params.changed:
        checked = stages.time("change", lambda: causality.audit(model, stages, seed=params.seed, most=params.changed))
    used_past, of_past = int((found.used & found.past).sum()), int(found.past.sum())
    counts = {
        "used_past": used_past,
        "of_past": of_past,
        "blind": int(found.blind.sum()),
        "blind_share": float(found.blind.sum() / max(1, found.blind.sum() + used_past)),
        "used_future": int(found.future.sum()),
        "changed": checked.changed,
        "leaking": checked.leaking,
    }
    arrays: dict[str, Any] = {
        "strength": found.strength.max(0),
        "used": found.used.any(0),
        "past": found.past.any(0),
        "blind": found.blind.any(0) & ~found.used.any(0),
        "future": found.future.any(0),
        "leaks": checked.leaks,
        **{name: dependency_cones.cone(name, (height, width), (row, column)) for name in dependency_cones.TITLES},
    }
    arrays |= _fields(model)
    meta = {"kind": "latent", "row": row, "column": column, "colour": params.colour, **counts}
    meta |= {"examples": checked.examples, "order": model.order_title, "text": _text(counts, checked)}
    return Result(arrays, meta)


def _text(counts: dict[str, Any], checked: causality.Audit) -> str:
    """Return the verdict in words."""
    if checked.leaking:
        cause, effect = checked.examples[0]
        return (
            f"The network leaks: {checked.leaking:,} of {checked.changed:,} changed values moved logits at or before "
            f"their own place, such as row {cause[1]}, column {cause[2]} those of row {effect[1]}, column {effect[2]}. "
            "Its likelihoods do not sum to 1, so they are no probabilities."
        )
    if counts["used_future"]:
        return "The logits of this place use the place itself or what comes after it: its likelihoods are none."
    if not counts["changed"]:
        return "The logits of this place use the past alone; other places were not looked at."
    return f"No leak: none of {counts['changed']:,} changed values moved logits at or before its own place."


def _fields(model: Any) -> dict[str, Any]:
    """Return the weights of a NADE's hidden units as pictures."""
    incoming, outgoing = getattr(model.net, "W", None), getattr(model.net, "V", None)
    if incoming is None or outgoing is None or tuple(incoming.shape) != tuple(outgoing.shape):
        return {}
    if incoming.ndim != 2 or incoming.shape[0] != model.shape[1] * model.shape[2]:
        return {}
    size = model.shape[1:]
    order = (incoming.norm(dim=0) * outgoing.norm(dim=0)).argsort(descending=True)[:MOST_FIELDS]
    fields, out_fields = (each[:, order].T.reshape(-1, *size).float().cpu().numpy() for each in (incoming, outgoing))
    return {"fields": fields, "out_fields": out_fields}


INSPECTION = Inspection(
    id="causality",
    title="Causality",
    help="Which pixels the logits at one place depend on, and whether any logit uses what comes after it.",
    needs=("EstimatesLikelihood",),
    params=Params,
    answer=answer,
    spared=True,
)
