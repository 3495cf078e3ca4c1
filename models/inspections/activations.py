"""Activations: every channel of a layer for the image, with its statistics and its contribution to the target.

Arrays of the Result: `maps` (C, h, w) float32, float16 for a large layer, (C, 1, 1) for a vector; `tiles` the same
reduced to at most 64 cells a side by block means, for showing side by side; per channel (C,): `mean`, `max`, `min`,
`zeros` (the share of positions that are exactly 0), `relevance` (mean of gradient times activation for the target),
`dead` (0 everywhere) and `order` (the channels in the requested order). Meta: `extent` x0 y0 x1 y1 of the maps in
pixels of the original image, `layer`, `layout`, `grid`, `target`, `scale` (the largest absolute value of all), and
`counts` (whether the target depends on the layer at all).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.attributions.attribution import LayerParams, probe_of, subject_of
from models.features import activation
from models.inspection import Inspection
from models.params import param
from models.tracing.layers import hidden
from models.tracing.traced_calls import gradients
from models.types import Pixels, Refusal, Result


@dataclass(frozen=True)
class Params(LayerParams):
    """A target, a layer, and the order of its channels."""

    sort: str = param(
        "none",
        "Order",
        "The channels with the largest mean or value first, or those that contribute most to the target.",
        choices=activation.SORTS,
        titles=("As they are", "Mean", "Largest value", "Class relevance"),
    )


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the channels of a layer. Raises Refusal for a layer that does not hold values of the whole image."""
    subject = subject_of(model, pixels, params, stages)
    with gradients():
        probe = probe_of(subject, params, stages, pixels)
        found = activation.channels(probe, params.layer)
    maps = activation.maps(found.value)
    if not np.isfinite(maps).all():
        raise Refusal(
            f"The values of {found.call.id} are not numbers (NaN or infinite).", advice="Look at its weights."
        )
    columns = activation.statistics(found.value) | {"relevance": activation.relevance(found)}
    silent = activation.dead(columns["zeros"])
    arrays = {
        "maps": maps,
        "tiles": activation.thumbnails(found.value),
        **columns,
        "dead": silent,
        "order": activation.order(params.sort, columns),
    }
    meta = {
        "layer": found.call.id,
        "kind": found.call.kind,
        "layout": found.call.layout.name,
        "shape": found.call.shape,
        "grid": found.call.layout.grid,
        "extent": subject.extent,
        "target": probe.target.title,
        "counts": found.gradient is not None,
        "dead_count": int(silent.sum()),
        "scale": float(max(np.abs(columns["max"]).max(), np.abs(columns["min"]).max())),
    }
    return Result(arrays, meta)


INSPECTION = Inspection(
    id="activations",
    title="Activations",
    help="How every channel of a layer responds to the picture, and what it contributes to the target.",
    needs=("Explains",),
    params=Params,
    answer=answer,
    lacks=hidden,
)
