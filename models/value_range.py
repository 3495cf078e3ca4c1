"""Numbers of any kind to 8 bits for a screen and a network: which value is black and which is white, said in words.

The range is that of the bits in use, of the file's own tags, or of the data: all of it, or between the 2nd and the 98th
hundredth where a few values lie far away. The same range for all bands keeps colours as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.types import Bool, Pixels

BITS = (8, 10, 12, 14, 16)
MOST_SAMPLED = 1_000_000
ROWS_BYTES = 4_000_000  # worked on at a time, in double precision: what stays in the processor is quick
LOW, HIGH = 2.0, 98.0
DARK = 0.25  # of the range: where so much of the picture lies below this, its own range is shown
FAR = 3.0  # times the range between the hundredths: values beyond are far away
NO_NUMBER = 3.4e38  # what is as large is a mark that there is no data
MARKS = (-9999.0, -32768.0, -32767.0, -999999.0)
SAME = "The network gets the same."


@dataclass(frozen=True)
class Scaled:
    """Pixels (H, W, bands) of 8 bits, `empty` (H, W) where there is no data or None, and what there is to say."""

    pixels: Pixels
    empty: Bool | None
    note: str


def scaled(values: NDArray[Any], *, nodata: float | None = None, span: tuple[float, float] | None = None) -> Scaled:
    """Return (H, W, bands) numbers in 8 bits. `nodata` stands where there is none, `span` is the range to keep to."""
    name = _name(values.dtype)
    sample = _sample(values)
    known = sample[_there(sample, nodata)]
    nodata = _mark(known) if nodata is None else nodata
    known = sample[_there(sample, nodata)]
    if not len(known):
        low, high, words = 0.0, 1.0, "it holds no number at all"
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
    """Return what is shown black and white, and how that is said."""
    least, most = _extremes(values, nodata)
    low, high = (float(v) for v in np.percentile(known.astype(np.float64), (LOW, HIGH)))
    if span is not None and span[0] <= low and high <= span[1] and (high - span[0]) > DARK * (span[1] - span[0]):
        return *span, f": {span[0]:g} is shown as black, {span[1]:g} as white, as the file says"
    if values.dtype.kind == "u" and values.dtype.itemsize == 1 and nodata is None:
        return 0.0, 255.0, ": shown as it is"
    # Pillow hands 16 bits over as 32 with a sign; 16 with a sign are heights, or other measurements.
    bits_count = values.dtype.kind == "u" or (values.dtype == np.int32 and nodata is None)
    if bits_count and least >= 0 and most <= 0xFFFF:
        bits = next(b for b in BITS if most < 2**b)
        if high > DARK * (2**bits - 1) or bits == 8:
            used = "" if bits == 16 or values.dtype.itemsize == 1 else f", of which {bits} are used"
            return 0.0, float(2**bits - 1), f"{used}: scaled to 8 bit"
    if most - least > FAR * (high - low) and high > low:
        return low, high, f": {low:g} is shown as black, {high:g} as white (2 of 100 lie below, 2 above)"
    return least, most, f": {least:g} is shown as black, {most:g} as white"


def _there(values: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    """Return where there are numbers."""
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
    """Return a usual mark for no data that stands far below everything else, None for none."""
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
