"""Depth: one number for each pixel, as a map, in the network's own unit.

Arrays of the Result: `map` (h, w) float32, the cells of the network's output, which stretch over `meta["extent"]`, x0
y0 x1 y1 in pixels of the picture. Meta: `lowest`, `highest`, `mean` of the map, `quantity`: "metres", "nearness"
(without a unit, larger for what is nearer) or "" where no file says whether large numbers are near or far.
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
    """No parameters: the map is shown as it is."""


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the map of `pixels` (H, W, 3) uint8 RGB. Raises Refusal for a NaN or infinite output."""
    found = np.asarray(model.depth(pixels, stages), np.float32)
    stages.progress(None, "depth")
    if not np.isfinite(found).all():
        raise Refusal("The network's output is not a number (NaN or infinite).", advice="Look at its weights.")
    extent = model.preprocess.extent(pixels.shape[1], pixels.shape[0])
    meta = {"extent": extent, "lowest": float(found.min()), "highest": float(found.max()), "mean": float(found.mean())}
    meta |= {"kind": KIND, "quantity": getattr(model, "depth_kind", ""), "signed": False}
    return Result({"map": found}, {**meta, "classes": model.card.classes})


INSPECTION = Inspection(
    id="depth",
    title="Depth",
    help="One number for each pixel, such as depth or disparity, in the network's own unit.",
    needs=("EstimatesDepth",),
    params=Params,
    answer=answer,
)
