"""Scale numbers of any type to 8 bits for display and for networks, and say in words what becomes black and white.

The range is that of the bits in use, of the file's own tags, or of the data: all of it, or from the 2nd to the 98th
percentile if a few values are far away. All bands share one range, which preserves colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.types import Bool, Pixels

BITS = (8, 10, 12, 14, 16)
MOST_SAMPLED = 1_000_000
ROWS_BYTES = 4_000_000  # processed at a time, in double precision, so that the data stay in the CPU's cache
LOW, HIGH = 2.0, 98.0
DARK = 0.25  # of the range: if nearly all of the picture lies below this, its own range is shown
FAR = 3.0  # if all data span more than this many times the range between the percentiles, outliers are cut
NO_NUMBER = 3.4e38  # values this large mark missing data
MARKS = (-9999.0, -32768.0, -32767.0, -999999.0)
SAME = "The network gets the same."


@dataclass(frozen=True)
class Scaled:
    """8-bit `pixels` (H, W, bands), `empty` (H, W) where there are no data (None if nowhere), and a note in words."""

    pixels: Pixels
    empty: Bool | None
    note: str


def scaled(values: NDArray[Any], *, nodata: float | None = None, span: tuple[float, float] | None = None) -> Scaled:
    """Scale numbers (H, W, bands) to 8 bits. `nodata` marks missing data, `span` is the range to use if it fits."""
    name = _name(values.dtype)
    sample = _sample(values)
    known = sample[_there(sample, nodata)]
    nodata = _mark(known) if nodata is None else nodata
    known = sample[_there(sample, nodata)]
    if not len(known):
        low, high, words = 0.0, 1.0, "it contains no number at all"
    else:
        low, high, words = _range(values, known, nodata, span)
    pixels: Pixels = np.empty(values.shape, np.uint8)
    empty = np.zeros(values.shape[:2], bool)
    step = max(1, ROWS_BYTES // max(1, values[0].size * 8))
    for top in range(0, len(values), step):
        part = values[top : top + step]
        there = _there(part, nodata)
        share = part.astype(np.float64)
        if not there.all():
            share[~there] = low
            empty[top : top + step] = ~there.any(axis=2)
        with np.errstate(invalid="ignore", over="ignore"):
            share -= low
            share *= 255 / (high - low) if high > low else 0
        np.clip(share, 0, 255, out=share)
        pixels[top : top + step] = np.rint(share, out=share)
    said = nodata is not None and np.isfinite(nodata) and empty.any()
    gone = f" No data ({nodata:g}) is shown white." if said else ""
    if not gone and empty.any():
        gone = " What is not a number is shown white."
    note = f"{name}{words}.{gone}" + (f" {SAME}" if gone or "is shown as" in words else "")
    return Scaled(pixels, empty if empty.any() else None, note)


def _range(
    values: NDArray[Any], known: NDArray[Any], nodata: float | None, span: tuple[float, float] | None
) -> tuple[float, float, str]:
    """Return the values shown black and white, and the words for it."""
    least, most = _extremes(values, nodata)
    low, high = (float(v) for v in np.percentile(known.astype(np.float64), (LOW, HIGH)))
    if span is not None and span[0] <= low and high <= span[1] and (high - span[0]) > DARK * (span[1] - span[0]):
        return *span, f": {span[0]:g} is shown as black, {span[1]:g} as white, as the file says"
    if values.dtype.kind == "u" and values.dtype.itemsize == 1 and nodata is None:
        return 0.0, 255.0, ": shown as it is"
    # Pillow returns 16 bits as signed 32; signed 16 bits are elevations or other measurements.
    bits_count = values.dtype.kind == "u" or (values.dtype == np.int32 and nodata is None)
    if bits_count and least >= 0 and most <= 0xFFFF:
        bits = next(b for b in BITS if most < 2**b)
        if high > DARK * (2**bits - 1) or bits == 8:
            used = "" if bits == 16 or values.dtype.itemsize == 1 else f", of which {bits} are used"
            return 0.0, float(2**bits - 1), f"{used}: scaled to 8 bit"
    if values.dtype.kind == "f" and nodata is None and least >= 0 and most <= 1 and high > DARK:
        return 0.0, 1.0, ": 0 is shown as black, 1 as white, as floating-point pictures are kept"
    if most - least > FAR * (high - low) and high > low:
        return low, high, f": {low:g} is shown as black, {high:g} as white (2 of 100 lie below, 2 above)"
    return least, most, f": {least:g} is shown as black, {most:g} as white"


def _there(values: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    """Return a mask of the values that are numbers and not the no-data value."""
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            there = np.isfinite(values) & (np.abs(values) < NO_NUMBER)
    else:
        there = np.ones(values.shape, bool)
    if nodata is not None and np.isfinite(nodata):
        mark = np.float32(nodata) if values.dtype == np.float32 else nodata
        there &= values != mark
    return there


def _mark(known: NDArray[Any]) -> float | None:
    """Return the data's minimum if it is a usual no-data value far below all other values, else None."""
    if not len(known) or known.dtype.kind == "u":
        return None
    least = float(known.min())
    rest = known[known != known.min()]
    if least not in MARKS or not len(rest):
        return None
    low, high = float(rest.min()), float(rest.max())
    return least if low - least > high - low else None


def _extremes(values: NDArray[Any], nodata: float | None) -> tuple[float, float]:
    least, most = np.inf, -np.inf
    step = max(1, ROWS_BYTES // max(1, values[0].size * 8))
    for top in range(0, len(values), step):
        part = values[top : top + step]
        there = _there(part, nodata)
        part = part if there.all() else part[there]
        if part.size:
            least, most = min(least, float(part.min())), max(most, float(part.max()))
    return least, most


def _sample(values: NDArray[Any]) -> NDArray[Any]:
    step = max(1, int(np.ceil(np.sqrt(values.size / MOST_SAMPLED))))
    return values[::step, ::step].reshape(-1)


def _name(dtype: np.dtype[Any]) -> str:
    bits = dtype.itemsize * 8
    if dtype.kind == "f":
        return "Floating point" if bits == 32 else f"Floating point of {bits} bit"
    return f"{bits} bit with sign" if dtype.kind == "i" and bits < 32 else f"{bits} bit"
