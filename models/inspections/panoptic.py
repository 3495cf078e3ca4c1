"""Panoptic: the segment of each pixel, of things and of stuff alike; a pixel has at most one.

The Result has the form of that of segment, with segments in the place of classes. Arrays: `labels` (h, w), the segment
of each pixel of the network's masks, 0 for none; `probability` (h, w) its mask times its score; `labels_full` (H, W)
the same for the picture's pixels; `classes` (S,) the segments present, the largest first, with their `share` of the
pixels and `mean` score; `of_class` (S + 1,) the class of each segment, -1 for none. Meta: `names` of segments (a class
that has several is numbered), `classes`, `extent`, `input`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.cards.card import BACKGROUND
from models.inspection import Inspection
from models.params import param
from models.types import Pixels, Refusal, Result


@dataclass(frozen=True)
class Params:
    """Which queries become segments."""

    score: float = param(0.5, "Score", "Queries with a higher score can become segments.")
    mask: float = param(
        0.5, "Mask", "Where a mask times its score is at least this, a pixel is part of the whole mask."
    )
    overlap: float = param(
        0.8, "Overlap", "A segment of which others leave no more than this share of its whole mask is dropped."
    )


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the segments of `pixels` (H, W, 3) uint8 RGB. Raises Refusal for a NaN or infinite output."""
    found = model.panoptic(pixels, stages, score=params.score, mask=params.mask, overlap=params.overlap)
    if not np.isfinite(found.scores).all():
        raise Refusal("The network's output is not a number (NaN or infinite).", advice="Look at its weights.")
    labels = found.map.astype(np.int16)
    count = np.bincount(labels.ravel(), minlength=len(found.labels) + 1)
    order = np.argsort(-count, kind="stable")
    order = order[count[order] > 0]
    scores = np.concatenate([[0.0], found.scores])
    height, width = pixels.shape[:2]
    extent = model.preprocess.extent(width, height)
    arrays = {
        "labels": labels,
        "probability": found.chance.astype(np.float32),
        "labels_full": _at_pixels(labels, extent, (height, width)),
        "classes": order,
        "share": count[order] / labels.size,
        "mean": scores[order],
        "of_class": np.concatenate([[-1], found.labels]).astype(np.int64),
    }
    names = _names(found.labels.tolist(), model.card.classes)
    return Result(arrays, {"names": names, "classes": model.card.classes, "extent": extent, "input": labels.shape})


def _names(labels: list[int], classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return a name for no segment and for each segment: its class, with a number where there are several."""
    several, seen = Counter(labels), Counter[int]()
    names = [BACKGROUND[1]]
    for label in labels:
        seen[label] += 1
        name = classes[label] if label < len(classes) else f"class {label}"
        names.append(f"{name} {seen[label]}" if several[label] > 1 else name)
    return tuple(names)


def _at_pixels(labels: np.ndarray, extent: tuple[float, ...], size: tuple[int, int]) -> np.ndarray:
    """Return the labels (H, W) at the centres of the picture's pixels, of a map that lies at `extent`."""
    rows = ((np.arange(size[0]) + 0.5 - extent[1]) / (extent[3] - extent[1]) * labels.shape[0]).astype(np.int64)
    columns = ((np.arange(size[1]) + 0.5 - extent[0]) / (extent[2] - extent[0]) * labels.shape[1]).astype(np.int64)
    return labels[np.ix_(rows.clip(0, labels.shape[0] - 1), columns.clip(0, labels.shape[1] - 1))]


INSPECTION = Inspection(
    id="panoptic",
    title="Panoptic segments",
    help="The segment of each pixel, things counted one by one, with every threshold of the fusion.",
    needs=("FusesSegments",),
    params=Params,
    answer=answer,
)
