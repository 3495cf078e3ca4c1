"""Units: every channel of a generator's layer for a code; the counterpart of `activations` for generated images.

Arrays of the Result: `maps` (C, h, w), (C, 1, 1) for a vector; `tiles` the same reduced to at most 64 cells a side;
per channel (C,): `mean`, `max`, `min`, `zeros`, the flags `dead`, `order` (the channels in the requested order) and
`relevance` (the mean absolute change of the image without the channel, if that order was requested, else 0). Meta:
`calls`, the generator's layers, `layer`, `layout`, `grid`, `shape`, `extent` of the maps in pixels of the generated
image, `scale`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.features import activation
from models.inspection import Inspection
from models.latent import units
from models.latent.space import CODE_HELP
from models.params import param
from models.types import Refusal, Result

SORTS = ("none", "mean", "max", "relevance")


@dataclass(frozen=True)
class Params:
    """The code, the layer, and the order of its channels."""

    code: str = param("seed:0", "Code", CODE_HELP)
    layer: str = param("", "Layer", "A call of the generator by its id; empty is the last one before the picture.")
    sort: str = param(
        "none",
        "Order",
        "The channels with the largest mean or value first, or those whose removal changes the picture most.",
        choices=SORTS,
        titles=("As they are", "Mean", "Largest value", "Effect"),
    )


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the channels of a layer. Raises Refusal for a layer without channels, or an invalid code."""
    codes = model.space.one(params.code)
    code = model.tensor(codes)
    trace = stages.run("generator's layers", lambda: units.trace(model, code))
    one = units.call(trace, params.layer)
    if not one.layout.spatial and len(one.shape) != 2:
        raise Refusal(f"{one.id} ({one.shape}) has no channels.", advice="Choose another layer.")
    value = stages.run("units", lambda: units.values(model, code, one), params.code, one.id)
    maps = activation.maps(value)
    if not np.isfinite(maps).all():
        raise Refusal(f"The values of {one.id} are not numbers (NaN or infinite).", advice="Look at its weights.")
    measured = params.sort == "relevance"
    effect = (
        stages.run("effect of units", lambda: units.effects(model, code, one, stages), params.code, one.id)
        if measured
        else np.zeros(len(maps), np.float32)
    )
    columns = activation.statistics(value) | {"relevance": effect}
    arrays = {
        "maps": maps,
        "tiles": activation.thumbnails(value),
        **columns,
        "dead": activation.dead(columns["zeros"]),
        "order": activation.order(params.sort, columns),
    }
    _, height, width = model.shape
    meta = {
        "kind": "latent",
        "layer": one.id,
        "module": one.kind,
        "layout": one.layout.name,
        "shape": one.shape,
        "grid": one.layout.grid,
        "extent": (0.0, 0.0, float(width), float(height)),
        "measure": "effect",
        "target": "the picture",
        "counts": measured,
        "dead_count": int(arrays["dead"].sum()),
        "scale": float(max(np.abs(columns["max"]).max(), np.abs(columns["min"]).max())),
        "calls": [_plain(call) for call in trace.calls if call.layout.spatial or len(call.shape) == 2],
    }
    return Result(arrays, meta)


def _plain(call: Any) -> dict[str, Any]:
    names = ("id", "kind", "shape")
    plain = {name: getattr(call, name) for name in names}
    return {**plain, "channels": call.layout.channels, "grid": call.layout.grid, "map": call.layout.spatial}


INSPECTION = Inspection(
    id="units",
    title="Units of the generator",
    help="How every channel of a layer responds to a latent code.",
    needs=("Generates",),
    params=Params,
    answer=answer,
    reads="nothing",
)
