"""Prototypes as tiles and as rows, and the running sum of a mask as layers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.types import Result
from viewer.canvas import mosaic
from viewer.canvas.layers import Heat, Layer, Points
from viewer.presenters.heatmap import DIVERGING
from viewer.translation import tr

Lut = Callable[[str], NDArray[np.uint8]]
SUM = "prototype sum"
TILE_PX = 96
CLIP = 99.0  # percentile of the logits at the end of the scale


def atlas(result: Result, lut: Lut) -> mosaic.Atlas:
    """Return the prototypes as tiles, each times its coefficient where there is a mask, on their common scale."""
    maps = _smaller(result.arrays["maps"])
    if "coefficients" in result.arrays:
        maps = maps * result.arrays["coefficients"][:, None, None]
    return mosaic.signed(maps, float(np.abs(maps).max(initial=1e-6)), lut(DIVERGING))


def rows(result: Result) -> list[tuple[str, ...]]:
    """Return the terms in their order: number, coefficient, IoU after it, contribution to the pixel."""
    arrays = result.arrays
    if "order" not in arrays:
        return []
    parts = arrays.get("contributions")
    return [
        (
            str(row + 1),
            f"{arrays['coefficients'][row]:+.2f}",
            f"{arrays['agreement'][place]:.2f}",
            "" if parts is None else f"{parts[row]:+.2f}",
        )
        for place, row in enumerate(arrays["order"].tolist())
    ]


def layers(result: Result, *, place: tuple[float, float] | None = None) -> list[Layer]:
    """Return the sum so far over the picture, blue and red around 0 where the mask ends, and the pixel."""
    if "sum" not in result.arrays:
        return []
    values = result.arrays["sum"]
    known = np.abs(values[np.isfinite(values)])
    end = max(float(np.percentile(known, CLIP)) if known.size else 1.0, 1e-6)
    found: list[Layer] = [Heat(SUM, values, result.meta["extent"], -end, end, DIVERGING, opacity=0.75, smooth=False)]
    if place is not None and "contributions" in result.arrays:
        found.append(Points("pixel", np.array([place], np.float32), np.zeros(1, np.int64), 6.0, hollow=True))
    return found


def describe(result: Result, row: int) -> str:
    """Return what is known of a prototype, by its row."""
    arrays = result.arrays
    if "coefficients" not in arrays:
        return tr("Prototype {number}", number=row + 1)
    weight = float(arrays["coefficients"][row])
    said = tr("Prototype {number}, coefficient {weight:+.2f}", number=row + 1, weight=weight)
    if "contributions" in arrays:
        said += tr(", {part:+.2f} at the pixel", part=float(arrays["contributions"][row]))
    return said


def _smaller(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    step = max(1, max(maps.shape[1:]) // TILE_PX)
    return maps[:, ::step, ::step]
