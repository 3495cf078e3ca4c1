"""Find a point in its heat map by the usual rules, draw the map of a point, and measure what rule and frame cost.

Places are in cells of the map, from the middle of its first cell: a peak at column 3 is at x = 3.0. A frame says where
in the input of a network such a place lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.types import Real

ARGMAX, QUARTER, DARK, PARABOLA, SOFT, MASS = (
    *("argmax", "quarter", "dark", "parabola", "soft-argmax", "centre of mass"),
)
RULES = (ARGMAX, QUARTER, DARK, PARABOLA, SOFT, MASS)
RULE_TITLES = ("Argmax", "Quarter offset", "DARK", "Parabola along each axis", "Soft-argmax", "Centre of mass")
CENTRED, CORNER, HALF = "centred", "corner", "half pixel"
FRAMES = (CENTRED, CORNER, HALF)
FRAME_TITLES = ("(x + 0.5) · s", "x · s", "(x + 0.5) · s - 0.5")
LEAST = 1e-10
FARTHEST = 1.5  # cells that DARK may leave the highest cell by; beyond, the parabola says nothing
SECOND_CELLS = 2.5  # a second peak lies at least so far from the first


@dataclass(frozen=True)
class Decoding:
    """How points are found: `beta` sharpens the soft-argmax, `smooth` is the Gaussian before DARK in cells, 0 for none.

    `logits` says that the values of maps are logarithms of heights.
    """

    beta: float = 10.0
    smooth: float = 0.0
    logits: bool = False


def decode(maps: Real, rule: str, how: Decoding = Decoding()) -> Real:
    """Return the places (..., 2), x and y in cells, of maps (..., h, w) by a rule of RULES."""
    flat = np.asarray(maps, np.float64).reshape(-1, *maps.shape[-2:])
    found = np.array([_one(each, rule, how) for each in flat]).reshape(-1, 2)
    return found.reshape(*maps.shape[:-2], 2)


def _one(values: Real, rule: str, how: Decoding) -> tuple[float, float]:
    height, width = values.shape
    if rule in (SOFT, MASS):
        return _spread(values, rule, how)
    if rule == DARK and how.smooth > 0:
        values = _smoothed(values, how.smooth)
    y, x = divmod(int(values.argmax()), width)
    if rule == QUARTER:
        right, left = (values[y, i] if 0 <= i < width else -np.inf for i in (x + 1, x - 1))
        below, above = (values[i, x] if 0 <= i < height else -np.inf for i in (y + 1, y - 1))
        inner = 0 < x < width - 1, 0 < y < height - 1
        return x + inner[0] * 0.25 * _sign(right, left), y + inner[1] * 0.25 * _sign(below, above)
    if rule == ARGMAX or not (0 < x < width - 1 and 0 < y < height - 1):
        return float(x), float(y)
    near = values[y - 1 : y + 2, x - 1 : x + 2]
    if not how.logits:
        near = np.log(np.maximum(near, LEAST)) if near.min() > 0 or rule == DARK else near
    slope = np.array([near[1, 2] - near[1, 0], near[2, 1] - near[0, 1]]) / 2
    bend = np.array([near[1, 2] - 2 * near[1, 1] + near[1, 0], near[2, 1] - 2 * near[1, 1] + near[0, 1]])
    if rule == PARABOLA:
        moved = np.where(bend < 0, -slope / np.where(bend < 0, bend, -1), 0).clip(-0.5, 0.5)
        return x + float(moved[0]), y + float(moved[1])
    twist = (near[2, 2] - near[2, 0] - near[0, 2] + near[0, 0]) / 4
    step = bend[0] * bend[1] - twist**2
    if not (step > 0 and bend[0] < 0):  # no maximum of the quadratic
        return float(x), float(y)
    dx = (twist * slope[1] - bend[1] * slope[0]) / step
    dy = (twist * slope[0] - bend[0] * slope[1]) / step
    return (x + dx, y + dy) if max(abs(dx), abs(dy)) <= FARTHEST else (float(x), float(y))


def _sign(after: float, before: float) -> int:
    return int(after > before) - int(after < before)


def _spread(values: Real, rule: str, how: Decoding) -> tuple[float, float]:
    if rule == SOFT:
        scaled = values if how.logits else how.beta * values
        weight = np.exp(scaled - scaled.max())
    else:
        weight = np.exp(values - values.max()) if how.logits else np.maximum(values, 0)
    total = weight.sum()
    height, width = values.shape
    if not total > 0:
        return (width - 1) / 2, (height - 1) / 2
    return float(weight.sum(0) @ np.arange(width) / total), float(weight.sum(1) @ np.arange(height) / total)


def _smoothed(values: Real, sigma: float) -> Real:
    """Return a map smoothed and as high as before, as DARK modulates it."""
    side = 2 * max(1, round(3 * sigma)) + 1
    made = cv2.GaussianBlur(values, (side, side), sigma, borderType=cv2.BORDER_CONSTANT)
    return made * (values.max() / made.max()) if made.max() > 0 else values


def drawn(places: Real, size: tuple[int, int], sigma: float, *, rounded: bool = False) -> Real:
    """Return maps (K, h, w) with a Gaussian of height 1 at each place (K, 2) in cells; `rounded` to a cell's middle."""
    at = np.floor(places + 0.5) if rounded else np.asarray(places, np.float64)
    y, x = np.arange(size[0]), np.arange(size[1])
    across = (x[None] - at[:, :1]) ** 2
    down = (y[None] - at[:, 1:]) ** 2
    return np.exp(-(down[:, :, None] + across[:, None, :]) / (2 * sigma**2))


def width_of(maps: Real, how: Decoding = Decoding()) -> float:
    """Return the Gaussian width in cells that the peaks of maps (K, h, w) have in the middle; NaN if none has one."""
    found = []
    for values in np.asarray(maps, np.float64):
        y, x = divmod(int(values.argmax()), values.shape[1])
        if not (0 < x < values.shape[1] - 1 and 0 < y < values.shape[0] - 1):
            continue
        row = np.stack([values[y, x - 1 : x + 2], values[y - 1 : y + 2, x]])
        if not how.logits and row.min() <= 0:
            continue
        bend = (row if how.logits else np.log(row)) @ np.array([1, -2, 1])
        found += [(-1 / b) ** 0.5 for b in bend if b < 0]
    return float(np.median(found)) if found else float("nan")


def second_peaks(maps: Real) -> tuple[Real, Real]:
    """Return place (K, 2) and value (K,) of each map's highest local maximum away from its peak, NaN for none."""
    places, heights = np.full((len(maps), 2), np.nan), np.full(len(maps), np.nan)
    for row, values in enumerate(np.asarray(maps, np.float32)):
        y, x = divmod(int(values.argmax()), values.shape[1])
        highest = cv2.dilate(values, np.ones((3, 3), np.uint8)) <= values
        rows, columns = np.indices(values.shape)
        highest &= (columns - x) ** 2 + (rows - y) ** 2 >= SECOND_CELLS**2
        if highest.any():
            at = int(np.where(highest, values, -np.inf).argmax())
            places[row] = at % values.shape[1], at // values.shape[1]
            heights[row] = values.flat[at]
    return places, heights


def in_shares(places: Real, frame: str, size: tuple[int, int], cell_px: Real) -> Real:
    """Return places in cells as shares of the extent of maps of `size` (h, w), by a frame.

    `cell_px` (2,) are the width and height of a cell in pixels of the network's input.
    """
    return (places + shift_of(frame, cell_px)) / np.array([size[1], size[0]])


def shift_of(frame: str, cell_px: Real) -> Real:
    """Return how far right and down of its cell's upper left corner a frame places a peak, in cells (2,)."""
    if frame == CORNER:
        return np.zeros(2)
    return np.full(2, 0.5) if frame == CENTRED else 0.5 - 0.5 / np.asarray(cell_px, np.float64)


@dataclass(frozen=True)
class FoundFrame:
    """The frame that annotated points speak for: the median `shift` (2,) in cells and its standard `error` (2,).

    `frame` is the nearest of FRAMES; `sure` if no other lies within two standard errors and this one does. `count`
    points were used.
    """

    frame: str
    shift: Real
    error: Real
    sure: bool
    count: int


def find_frame(places: Real, truth: Real, cell_px: Real) -> FoundFrame | None:
    """Return which frame makes the mean error vanish, from places (K, 2) and annotated points (K, 2), both in cells.

    The annotated points are measured from the upper left corner of the maps. Points that were not found, farther from
    the median than three times the usual distance, do not count. None with fewer than four points.
    """
    apart = truth - places
    if len(apart) < 4:
        return None
    far = np.abs(apart - np.median(apart, 0)).max(1)
    near = apart[far <= max(3 * np.median(far), 1e-6)]
    shift = np.median(near, 0)
    spread = 1.4826 * np.median(np.abs(near - shift), 0)
    error = 1.2533 * spread / len(near) ** 0.5
    each = {frame: np.abs(shift - shift_of(frame, cell_px)) for frame in FRAMES}
    best = min(each, key=lambda frame: float((each[frame] ** 2).sum()))
    reach = 2 * error + 1e-6
    sure = bool((each[best] <= np.maximum(reach, 0.1)).all()) and not any(
        bool((each[frame] <= reach).all()) for frame in FRAMES if frame != best
    )
    return FoundFrame(best, shift, error, sure, len(near))
