"""Segment: the class of each pixel, and the network's confidence.

Arrays of the Result: `labels` (h, w) and `probability` (h, w) float32 of the best class, for the pixels of the
network's input; `labels_full` (H, W) the class of each original pixel, taken from the input pixel at its centre.
Labels are the model's own ids, uint8 where they fit. `classes` (K,) are those with any pixel, largest area first,
`share` (K,) the share of the image they cover, `mean` (K,) the mean probability over their pixels. `meta["names"]` are
the names of all classes, `meta["extent"]` the input's place in pixels of the original image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.detection.classes import pixel_classes
from models.inspection import Inspection
from models.types import Pixels, Refusal, Result


@dataclass(frozen=True)
class Params:
    """No parameters: every pixel gets its best class."""


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the class of each pixel of `pixels` (H, W, 3) uint8 RGB. Raises Refusal for a NaN or infinite output."""
    scores = model.class_maps(pixels, stages)
    if not np.isfinite(scores).all():
        raise Refusal("The network's output is not a number (NaN or infinite).", advice="Look at its weights.")
    labels = scores.argmax(0)
    scores -= scores.max(0)
    probability = 1.0 / np.exp(scores, out=scores).sum(0)
    count = np.bincount(labels.ravel(), minlength=len(scores))
    total = np.bincount(labels.ravel(), weights=probability.ravel(), minlength=len(scores))
    classes = np.argsort(-count, kind="stable")[: int((count > 0).sum())]
    labels = labels.astype(np.uint8 if len(scores) <= 256 else np.int16)
    (rows, columns), (height, width) = labels.shape, pixels.shape[:2]
    below = np.ix_(_below(height, rows), _below(width, columns))
    arrays = {
        "labels": labels,
        "probability": probability.astype(np.float32),
        "labels_full": labels[below],
        "classes": classes,
        "share": count[classes] / labels.size,
        "mean": total[classes] / count[classes],
    }
    own = pixel_classes(model)
    names = (*own, *(f"class {i}" for i in range(len(own), len(scores))))
    extent = model.preprocess.extent(width, height)
    return Result(arrays, {"names": names, "classes": model.card.classes, "extent": extent, "input": (rows, columns)})


def _below(count: int, cells: int) -> np.ndarray:
    """Return which of `cells` equal cells in a row contains the centre of each of `count` pixels."""
    return ((np.arange(count) + 0.5) * cells / count).astype(np.int64)


INSPECTION = Inspection(
    id="segment",
    title="Segmentation",
    help="The class of each pixel, with its probability.",
    needs=("SegmentsPicture",),
    params=Params,
    answer=answer,
)
