"""Prototypes: the mask of one detection as a sum of prototypes with signed weights, term by term.

Detections are those of detect. Arrays of the Result: `maps` (P, h, w), the prototypes over `meta["extent"]` in pixels
of the image; `coefficients` (P,) of the chosen box; `order` (P,), the prototypes by how much they shape the mask; `sum`
(h, w), the logits of the first `terms` of them; `agreement` (P,), the IoU of the mask after so many terms with the full
one; `box` (4,); and of the pixel, if one is asked for, `contributions` (P,), which add up to `meta["logit"]`. Without a
detection only the maps are there. Meta: `classes`, `label`, `score`, `id`, `extent`, `terms`, `enough`, after how many
the mask stays as good as whole, `place` (row, column) of the pixel's cell, `text`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.detection import instances, prototypes
from models.detection.decision import Params as Detections
from models.detection.prototypes import Prototypes
from models.inspection import Inspection
from models.params import param
from models.types import Pixels, Refusal, Result

MOST_TERMS = 1024


@dataclass(frozen=True)
class Params(Detections):
    """The parameters of detect, the detection, how many terms are added, and the pixel that is explained."""

    box: int = param(-1, "Box", "The id of the detection; -1 is the best one.", low=-1, high=1e12, step=1)
    terms: int = param(
        0,
        "Terms",
        "How many prototypes are added, those that shape the mask most first.",
        low=0,
        high=MOST_TERMS,
        step=1,
        titles=("all",),
    )
    crop: bool = param(True, "Crop to the box", "A mask ends at its box; off shows what the sum says beyond it.")
    x: float = param(-1.0, "Pixel x", "The pixel whose value is taken apart; -1 for none.", low=-1.0, high=1e6, step=1)
    y: float = param(-1.0, "Pixel y", "The pixel whose value is taken apart; -1 for none.", low=-1.0, high=1e6, step=1)


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the terms of a mask in `pixels` (H, W, 3) uint8 RGB. Raises Refusal for an unknown detection."""
    found, shown, ids = instances.shown(model, pixels, params, stages)
    row = 0 if params.box < 0 else next(iter(np.flatnonzero(ids == params.box)), -1)
    if row < 0:
        raise Refusal(f"There is no box {params.box} in this picture.", advice="Click a detection to choose it.")
    made: Prototypes = model.prototypes(pixels, shown.boxes[row : row + 1], stages)
    stages.progress(None, "prototypes")
    meta: dict[str, Any] = {"classes": model.card.classes, "extent": made.extent, "prototypes": len(made.maps)}
    if not len(ids):
        text = f"{len(made.maps)} prototypes. No box is shown, so there is no mask to take apart: lower the score."
        return Result({"maps": made.maps}, {**meta, "id": -1, "terms": 0, "text": text})
    own, box = made.coefficients[0], shown.drawn[row]
    order = prototypes.order(made.maps, own)
    inside = prototypes.within(box, made.maps.shape[1:], made.extent)
    agreement = prototypes.running(made.maps, own, order, inside)
    terms = min(params.terms or len(order), len(order))
    total = prototypes.logits(made.maps, own, order[:terms])
    arrays = {
        "maps": made.maps,
        "coefficients": own,
        "order": order,
        "sum": np.where(inside, total, np.float32(np.nan)) if params.crop else total,
        "agreement": agreement,
        "box": box,
    }
    name = model.card.classes[int(found.label[shown.rows[row]])]
    enough = prototypes.enough(agreement)
    meta |= {"id": int(ids[row]), "label": int(found.label[shown.rows[row]]), "score": float(shown.scores[row])}
    meta |= {"terms": terms, "enough": enough}
    text = (
        f"The mask of {name} {meta['score']:.2f} is a sum of {len(order)} prototypes; {enough} of them make its shape "
        f"(IoU {prototypes.ENOUGH:g} with the whole sum)."
    )
    place = _cell((params.x, params.y), made) if min(params.x, params.y) >= 0 else None
    if place is not None:
        parts = own.astype(np.float64) * made.maps[:, place[0], place[1]]
        arrays["contributions"] = parts
        logit = float(parts.sum())
        meta |= {"place": place, "logit": logit}
        at = f"{params.x:.0f}, {params.y:.0f}"
        if logit > 0:
            text += f" At the pixel {at} they add up to {logit:.2f}: inside the mask."
        else:
            text += f" At the pixel {at} they add up to {logit:.2f}: outside the mask."
        if not inside[place]:
            text += " The pixel lies beyond the box, where the mask is cut off."
    return Result(arrays, {**meta, "text": text})


def _cell(point: tuple[float, float], made: Prototypes) -> tuple[int, int] | None:
    """Return row and column of the cell at a point of the image, None outside."""
    x0, y0, x1, y1 = made.extent
    height, width = made.maps.shape[1:]
    column, row = (point[0] - x0) / (x1 - x0) * width, (point[1] - y0) / (y1 - y0) * height
    return (int(row), int(column)) if 0 <= row < height and 0 <= column < width else None


INSPECTION = Inspection(
    id="prototypes",
    title="Prototypes",
    help="The mask of a detection as a sum of prototypes with signed weights (YOLACT, YOLO's -seg), term by term.",
    needs=("Detects", "CombinesPrototypes"),
    params=Params,
    answer=answer,
)
