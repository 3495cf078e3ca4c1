"""The appearance of a heat map: sign, scale and colours; from values to a layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.types import Float
from viewer.canvas.layers import Heat
from viewer.session.document import ABSOLUTE, POSITIVE, SIGNED, Look

Rect = tuple[float, float, float, float]
SIGNS = {SIGNED: "Signed", ABSOLUTE: "Absolute", POSITIVE: "Positive only"}
SEQUENTIAL, DIVERGING = "sequential", "diverging"
COLOUR_MAPS = ("", "viridis", "inferno", "magma", "plasma", "cividis")
FINEST_PX = 256
NO_EVIDENCE = "No positive evidence: nothing in this map speaks for the target."
FLAT = "The map is zero everywhere."


def shown(values: Float, look: Look) -> Float:
    """Return the values drawn for a map: its values, their magnitudes, or only the positive ones."""
    match look.sign:
        case "absolute":
            return np.abs(values)
        case "positive":
            return np.maximum(values, 0)
    return values


def end_of(values: NDArray[np.floating], look: Look) -> float:
    """Return the end of a map's scale: the locked value, or a percentile of the magnitudes drawn."""
    if look.scale > 0:
        return look.scale
    sizes = np.abs(shown(values, look))
    sizes = sizes[np.isfinite(sizes)]
    return float(np.percentile(sizes, look.clip)) or float(sizes.max(initial=0)) if sizes.size else 0.0


def range_of(values: Float, look: Look, *, signed: bool) -> tuple[float, float, str]:
    """Return lowest and highest value of the scale and its colour map.

    Symmetric around zero if both signs are drawn.
    """
    end = end_of(values, look)
    if signed and look.sign == SIGNED:
        return -end, end, DIVERGING
    return 0.0, end, look.colours or SEQUENTIAL


def heat_layer(
    values: Float, extent: Rect, look: Look, *, signed: bool = True, id: str = "attribution"  # noqa: A002
) -> Heat:  # fmt: skip
    """Return the layer of a map (h, w) at `extent`, in pixels of the picture."""
    low, high, colours = range_of(values, look, signed=signed)
    drawn = shown(values, look).astype(np.float32)
    finer = finely(drawn) if look.smooth else drawn
    cells = (drawn.shape[0], drawn.shape[1]) if look.grid else None
    return Heat(
        id, finer, extent, low, high, colours, look.opacity, smooth=look.smooth, fade=look.fade, cells=cells, own=values
    )  # fmt: skip


def value_at(values: Float, extent: Rect, x: float, y: float) -> float | None:
    """Return the value of a map's cell at a place of the picture, in its pixels; None outside."""
    x0, y0, x1, y1 = extent
    row, column = (y - y0) / (y1 - y0) * values.shape[0], (x - x0) / (x1 - x0) * values.shape[1]
    inside = 0 <= row < values.shape[0] and 0 <= column < values.shape[1]
    return float(values[int(row), int(column)]) if inside else None


def words(values: Float, *, signed: bool) -> str:
    """Return the message to show instead of a map that is only numerical noise, "" if the map can be shown."""
    if not np.any(values):
        return FLAT
    return NO_EVIDENCE if signed and values.max() <= 0 else ""


def finely(values: Float) -> Float:
    """Return a small map with bilinear values between its cells; cell centres stay (as align_corners=False).

    Interpolating values, not colours, gives colours that belong to the colour map.
    """
    height, width = values.shape
    factor = max(1, min(FINEST_PX // max(height, width), 32))
    return _along(_along(values, factor, axis=0), factor, axis=1) if factor > 1 else values


def _along(values: Float, factor: int, *, axis: int) -> Float:
    count = values.shape[axis]
    at = ((np.arange(count * factor) + 0.5) / factor - 0.5).clip(0, count - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, count - 1)
    share = (at - low).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
    return values.take(low, axis) * (1 - share) + values.take(high, axis) * share
