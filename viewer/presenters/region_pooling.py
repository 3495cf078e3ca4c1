"""The way of a region through the second stage as layers: map, cells, bins, sampling points, and the proposals."""

from __future__ import annotations

import numpy as np

from models.types import Result
from viewer.canvas.layers import CHANGED, NO_CLASS, Boxes, Heat, Layer, Points, level_ids
from viewer.translation import tr

PROPOSALS, CHOSEN, BINS, POINTS, MAP = "rois", "roi", "roi bins", "roi points", "roi map"
KINDS = {"align": tr("RoIAlign"), "pool": tr("RoIPool"), "pyramid": tr("Spatial pyramid")}


def layers(result: Result, *, others: bool = True, heat: bool = True) -> list[Layer]:
    """Return the layers of a region, bottom first; `others` adds the other proposals, `heat` the map's channel."""
    arrays, found = result.arrays, list[Layer]()
    values = arrays["map"]
    if heat:
        low, high = min(float(values.min()), 0.0), max(float(values.max()), 1e-9)
        cells = (values.shape[0], values.shape[1])
        colours = "sequential" if low == 0 else "diverging"
        low = -max(-low, high) if low else 0.0
        found.append(
            Heat(
                MAP, values, result.meta["extent"], low, max(high, -low), colours, smooth=False, fade=True, cells=cells
            )
        )
    if others:
        found.append(
            Boxes(PROPOSALS, arrays["proposals"], level_ids(arrays["levels"]), opacity=0.35, width=1.0, hoverable=False)
        )
    bins = arrays["bins"]
    found.append(Boxes(BINS, bins, np.full(len(bins), NO_CLASS), width=1.0, hoverable=False))
    points = arrays["points"]
    if len(points):
        found.append(Points(POINTS, points, np.full(len(points), CHANGED), radius=1.6))
    found.append(
        Boxes(CHOSEN, arrays["chosen"], np.array([label_of(result)]), [caption(result)], width=3.0, hoverable=False)
    )
    return found


def label_of(result: Result) -> int:
    """Return the label that the head gives the region as it was trained."""
    return int(result.arrays["own_scores"].argmax())


def caption(result: Result) -> str:
    """Return class and score of the region."""
    label = label_of(result)
    return f"{name(result, label)} {float(result.arrays['own_scores'][label]):.2f}"


def name(result: Result, label: int) -> str:
    """Return the name of a class."""
    classes = result.meta["classes"]
    return classes[label] if 0 <= label < len(classes) else str(label)


def facts(result: Result) -> list[tuple[str, str]]:
    """Return the projection in numbers, as (name, value)."""
    arrays, meta = result.arrays, result.meta
    cells = arrays["region_cells"][0]
    found = [
        (tr("Level"), tr("{level}, stride {stride:g}", level=meta["level"], stride=meta["stride"])),
        (tr("In cells"), ", ".join(f"{v:.2f}" for v in cells)),
        (tr("Size in cells"), f"{cells[2] - cells[0]:.2f} × {cells[3] - cells[1]:.2f}"),
    ]
    if meta["pooling"] == "align":
        count = len(arrays["points"]) // max(len(arrays["bins"]), 1)
        found.append((tr("Points in a bin"), f"{count}"))
    else:
        x0, y0, x1, y1 = (
            arrays["bins_cells"][:, :2].min(0).tolist() + arrays["bins_cells"][:, 2:].max(0).tolist()
        )  # the region after rounding
        found.append((tr("Rounded to"), f"{x0:.0f}, {y0:.0f}, {x1:.0f}, {y1:.0f}"))
        moved = np.abs(np.array([x0, y0, x1, y1]) - cells).max() * meta["stride"]
        found.append((tr("Edges move by up to"), tr("{moved:.1f} px of the network's input", moved=moved)))
    return found
