"""Masks: the shape of each shown detection. Thresholds and detections are those of detect.

Arrays of the Result, in pixels of the original image, best first: `boxes` (K, 4) xyxy, `scores`, `labels`, `ids` (K,)
as in detect; `masks` (K, h, w) float32, the mask head's probability for the label, its cells spread evenly over the
box; `places` (K, 4) x, y, width, height where torchvision pastes a mask with a border of one cell; `outline` (T, 2) the
points of all rings where the pasted mask crosses one half, `ring_start` (R + 1,) the first point of each ring and
`ring_of` (R,) its row of `boxes`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.detection import instances, mask_outlines
from models.detection.decision import Params
from models.inspection import Inspection
from models.types import Float, Int, Pixels, Result


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the masks of the detections shown on `pixels` (H, W, 3) uint8 RGB."""
    found, shown, ids = instances.shown(model, pixels, params, stages)
    labels = found.label[shown.rows]

    def make(at: Int) -> list[tuple[Float, list[Float]]]:
        more = {"ids": ids[at]} if getattr(model, "masks_by_id", False) else {}
        masks = model.masks(pixels, shown.boxes[at], labels[at], stages, **more)
        places = mask_outlines.placed(shown.drawn[at], side=masks.shape[-1])
        return [(mask, mask_outlines.outline(mask, place)) for mask, place in zip(masks, places, strict=True)]

    made = instances.each("masks", model, params, ids, stages, boxes=shown.boxes, make=make)
    masks = np.stack([mask for mask, _ in made]) if made else np.zeros((0, 1, 1), np.float32)
    outline, start, of = mask_outlines.joined([rings for _, rings in made])
    arrays = {
        "boxes": shown.drawn,
        "scores": shown.scores,
        "labels": labels,
        "ids": ids,
        "masks": masks,
        "places": mask_outlines.placed(shown.drawn, side=masks.shape[-1]),
        "outline": outline,
        "ring_start": start,
        "ring_of": of,
    }
    return Result(arrays, {"classes": model.card.classes})


INSPECTION = Inspection(
    id="masks",
    title="Masks",
    help="The shape of each detection, at the detection's own thresholds.",
    needs=("Detects", "Segments"),
    params=Params,
    answer=answer,
)
