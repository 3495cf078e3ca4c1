"""Depth: how far each pixel is, in metres, or how near without a unit.

Arrays of the Result: `map` (H, W) float32, the values at the picture's pixels, for very large pictures at those of the
network's own map. Meta: `extent` of the map in pixels of the picture, `quantity` ("metres", or "nearness", which is
larger for what is nearer), `low`, `high` and `median` of the values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.attributions.attribution import KIND
from models.inspection import Inspection
from models.types import Pixels, Refusal, Result


@dataclass(frozen=True)
class Params:
    """No parameters: the network has none."""


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the depth of `pixels` (H, W, 3) uint8 RGB. Raises Refusal for a NaN or infinite output."""
    values = model.depth(pixels, stages)
    if not np.isfinite(values).all():
        raise Refusal("The network's output is not a number (NaN or infinite).", advice="Look at its weights.")
    height, width = pixels.shape[:2]
    meta = {
        "kind": KIND,
        "signed": False,
        "extent": (0.0, 0.0, float(width), float(height)),
        "quantity": model.depth_kind,
        "low": float(values.min()),
        "high": float(values.max()),
        "median": float(np.median(values)),
    }
    return Result({"map": values}, meta)


INSPECTION = Inspection(
    id="depth",
    title="Depth",
    help="How far each pixel is in metres, or, of networks without a unit, how near.",
    needs=("MeasuresDepth",),
    params=Params,
    answer=answer,
)
