"""The appearance of a heat map: sign, scale and colours; from values to a layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.types import Float
from viewer.canvas.layers import Heat
from viewer.session.document import ABSOLUTE, POSITIVE, SIGNED, Look
from viewer.translation import tr

Rect = tuple[float, float, float, float]
Scale = tuple[float, float, str]
SIGNS = {SIGNED: tr("Signed"), ABSOLUTE: tr("Absolute"), POSITIVE: tr("Positive only")}
SEQUENTIAL, NEGATIVE, DIVERGING = "sequential", "negative", "diverging"
REVERSED = "_r"
COLOUR_MAPS = ("", "viridis", "inferno", "magma", "plasma", "cividis")
FINEST_PX = 256
STEPS = 256  # colours of a colour map
NO_EVIDENCE = tr("No positive evidence: nothing in this map speaks for the target.")
FLAT = tr("The map is zero everywhere.")
IN_CELL, BETWEEN = tr("in its cell"), tr("between cells")


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


def signs_of(values: Float, look: Look) -> tuple[bool, bool]:
    """Return whether negative and whether positive values are drawn.

    Values smaller than one step of the colour scale cannot be seen, so that they do not count as a second sign.
    """
    drawn = shown(values, look)
    known = drawn[np.isfinite(drawn)]
    low, high = float(known.min(initial=0.0)), float(known.max(initial=0.0))
    least = max(-low, high) / STEPS
    return -low > least, high > least


def scale_of(end: float, look: Look, *, negative: bool, positive: bool) -> Scale:
    """Return lowest and highest value of a scale, and its colour map.

    It starts at zero for values of one sign, and is symmetric around zero for both. The two default maps of one sign
    are the halves of the diverging one: a value has the same colour, whatever stands beside it.
    """
    if negative and positive:
        return -end, end, DIVERGING
    if negative:
        return -end, 0.0, f"{look.colours}{REVERSED}" if look.colours else NEGATIVE
    return 0.0, end, look.colours or SEQUENTIAL


def range_of(values: Float, look: Look) -> Scale:
    """Return lowest and highest value of a map's scale, and its colour map.

    The scale of values of one sign starts at the floor of the look, unless that is beyond its end.
    """
    negative, positive = signs_of(values, look)
    low, high, colours = scale_of(end_of(values, look), look, negative=negative, positive=positive)
    if negative != positive and look.floor < max(-low, high):
        low, high = (low, -look.floor) if negative else (look.floor, high)
    return low, high, colours


def heat_layer(
    values: Float, extent: Rect, look: Look, *, around: bool = False, id: str = "attribution"  # noqa: A002
) -> Heat:  # fmt: skip
    """Return the layer of a map (h, w) at `extent`, in pixels of the picture.

    `around` gives it a scale around zero even if its values are of one sign, as for a difference.
    """
    low, high, colours = range_of(values, look)
    if around:
        low, high, colours = scale_of(max(-low, high), look, negative=True, positive=True)
    drawn = shown(values, look).astype(np.float32)
    finer = finely(drawn) if look.smooth else drawn
    cells = (drawn.shape[0], drawn.shape[1]) if look.grid else None
    return Heat(
        id, finer, extent, low, high, colours, look.opacity, smooth=look.smooth, fade=look.fade, cells=cells, own=values
    )  # fmt: skip


def value_at(values: Float, extent: Rect, x: float, y: float, *, between: bool = False) -> float | None:
    """Return the value of a map's cell at a place of the picture, in its pixels; None outside or unknown.

    `between` interpolates between the centres of cells, as a smooth map is drawn.
    """
    x0, y0, x1, y1 = extent
    rows, columns = values.shape
    row, column = (y - y0) / (y1 - y0) * rows, (x - x0) / (x1 - x0) * columns
    if not (0 <= row < rows and 0 <= column < columns):
        return None
    found = float(values[int(row), int(column)])
    if between:
        down, across = min(max(row - 0.5, 0.0), rows - 1.0), min(max(column - 0.5, 0.0), columns - 1.0)
        top, left = int(down), int(across)
        bottom, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
        upper = _mixed(values[top, left], values[top, right], across - left)
        found = _mixed(upper, _mixed(values[bottom, left], values[bottom, right], across - left), down - top)
    return found if np.isfinite(found) else None


def value_of(layer: Heat, x: float, y: float) -> float | None:
    """Return a layer's value at a place of the picture, of its own map and as it is drawn: of the cell or between."""
    values = layer.own if layer.own is not None else layer.values
    return value_at(values, layer.extent, x, y, between=layer.smooth)


def reading(layer: Heat, x: float, y: float) -> str:
    """Return what every readout says of a layer at a place of the picture, "" outside."""
    value = value_of(layer, x, y)
    return "" if value is None else f"{number(value)} {BETWEEN if layer.smooth else IN_CELL}"


def number(value: float) -> str:
    """Return a value with three decimals, or below 1 with three significant digits, in a readable notation."""
    return f"{value:.3f}".rstrip("0").rstrip(".") if 1 <= abs(value) < 1e4 else f"{value:.3g}"


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


def _mixed(one: float, other: float, share: float) -> float:
    """Return a value between two, that of `one` at share 0, even if the other is unknown."""
    return float(one) if not share else float(one) * (1 - share) + float(other) * share
