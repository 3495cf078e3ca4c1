"""Receptive field: which pixels one unit of a layer depends on in this image, measured by its gradient.

Arrays of the Result: `field` (h, w) over the network's input, the absolute gradient summed over colours; in pixels of
the original image, `box` (1, 4) around everything that is not zero, `effective` (1, 4) a box inside it with 95 % of the
sum, and `place` (1, 4) the unit's own cell. A silent unit, such as one behind a ReLU, has no gradient; then
`meta["silent"]` is True and everything refers to all channels at that position together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.attributions.attribution import LayerParams, subject_of
from models.features import receptive_field
from models.inspection import Inspection
from models.params import param
from models.tracing.layers import call_of, hidden
from models.types import Pixels, Refusal, Result


@dataclass(frozen=True)
class Params(LayerParams):
    """A layer, and one of its units."""

    channel: int = param(-1, "Channel", "The unit's channel; -1 is all channels together.", low=-1, high=65535, step=1)
    row: int = param(-1, "Row", "The unit's row in the layer's grid; -1 is the middle.", low=-1, high=65535, step=1)
    column: int = param(-1, "Column", "The unit's column there; -1 is the middle.", low=-1, high=65535, step=1)


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the receptive field of a unit. Raises Refusal for a layer without a grid, or an unknown unit."""
    subject = subject_of(model, pixels, params, stages)
    call = call_of(subject, params.layer, stages, spatial=True)
    rows, columns = call.layout.grid
    row = rows // 2 if params.row < 0 else params.row
    column = columns // 2 if params.column < 0 else params.column
    if row >= rows or column >= columns or params.channel >= call.layout.channels:
        raise Refusal(
            f"{call.id} has no unit at channel {params.channel}, row {row}, column {column}.",
            advice=f"It has {call.layout.channels} channels of {rows} x {columns}.",
        )
    reached = receptive_field.reach(subject, call, stages)
    values = receptive_field.field(reached, params.channel, row, column)
    silent = params.channel >= 0 and not values.any()
    if silent:
        values = receptive_field.field(reached, -1, row, column)
    whole, most = receptive_field.box(values), receptive_field.effective(values)
    cells = [found or (0, 0, 0, 0) for found in (whole, most)]
    cell = receptive_field.on_picture((column, row, column + 1, row + 1), call.layout.grid, subject.extent)
    around = [receptive_field.on_picture(one, subject.size, subject.extent) for one in cells]
    arrays = {
        "field": values,
        "box": np.array([around[0]], np.float32),
        "effective": np.array([around[1]], np.float32),
        "place": np.array([cell], np.float32),
    }
    meta = {
        "layer": call.id,
        "channel": params.channel,
        "row": row,
        "column": column,
        "silent": silent,
        "empty": whole is None,
        "cells": cells[0],
        "effective_cells": cells[1],
        "extent": subject.extent,
    }
    return Result(arrays, meta)


INSPECTION = Inspection(
    id="receptive",
    title="Receptive field",
    help="The pixels that one unit of a layer depends on in this picture.",
    needs=("Explains",),
    params=Params,
    answer=answer,
    lacks=hidden,
)
