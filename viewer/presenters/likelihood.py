"""Likelihood pixel by pixel in words: sums, what was expected of a pixel, and the pictures of an audit."""

from __future__ import annotations

import math

import numpy as np

from models.types import Int, Pixels, Real, Result
from viewer import theme
from viewer.engine_texts import shown
from viewer.presenters.heatmap import number
from viewer.translation import tr

MOST_VALUES = 3  # of many levels, the likeliest are named
Place = tuple[int, int]
COLOURS = (tr("red"), tr("green"), tr("blue"))


def pixel_at(result: Result, place: tuple[float, float]) -> Place | None:
    """Return the row and column of the model's pixel at a place of the picture, None outside."""
    x0, y0, x1, y1 = result.meta["extent"]
    height, width = result.arrays["map"].shape
    column, row = math.floor((place[0] - x0) / (x1 - x0) * width), math.floor((place[1] - y0) / (y1 - y0) * height)
    return (row, column) if 0 <= row < height and 0 <= column < width else None


def facts(result: Result) -> list[tuple[str, str]]:
    """Return the sums of a picture's likelihood as rows."""
    meta = result.meta
    row, column = meta["surprising"]
    bits = float(result.arrays["bits"][row, column])
    return [
        (tr("−log p"), tr("{nats} nats", nats=number(meta["nats"]))),
        (tr("Per value"), tr("{bits} bits", bits=number(meta["bits_per_value"]))),
        (tr("All pixels"), tr("{bits} bits", bits=number(meta["bits"]))),
        (tr("Expected"), tr("{bits} bits", bits=number(meta["expected"]))),
        (
            tr("Least likely"),
            tr("row {row}, column {column}: {bits} bits", row=row, column=column, bits=number(bits)),
        ),
        (tr("Order"), shown(str(meta["order"]))),
    ]


def expectation(result: Result, at: Place) -> str:
    """Return what the model expected of a pixel, and what is there."""
    row, column = at
    p, values = result.arrays["probabilities"], result.arrays["values"]
    lines = []
    for channel in range(p.shape[1]):
        each, value = p[:, channel, row, column], int(values[channel, row, column])
        colour = f"{COLOURS[channel]}: " if p.shape[1] > 1 else ""
        lines.append(
            tr(
                "{colour}{expected}; here is {value}",
                colour=colour,
                expected=probable(each),
                value=value,
            )
        )
    return tr("Row {row}, column {column}: {lines}", row=row, column=column, lines="; ".join(lines))


def probable(p: Real) -> str:
    """Return the probabilities (K,) of a value's levels in words: of two both, of more the likeliest."""
    kept = range(2) if len(p) == 2 else np.argsort(-p)[:MOST_VALUES].tolist()
    return ", ".join(f"p({level}) = {p[level]:.3f}" for level in kept)


def film_frame(result: Result, known: int) -> Pixels:
    """Return the sampled picture (H, W, 3) with its first `known` values, the rest grey."""
    ranks = result.arrays["ranks"].max(0)
    return np.where((ranks < known)[..., None], result.arrays["picture"], np.uint8(96))


def turn(result: Result, known: int) -> tuple[int, int, int]:
    """Return the channel, row and column of the value that comes after the first `known`, the last one at the end."""
    ranks: Int = result.arrays["ranks"]
    flat = int(np.flatnonzero(ranks == min(known, ranks.size - 1))[0])
    channel, row, column = (int(each) for each in np.unravel_index(flat, ranks.shape))
    return channel, row, column


def coloured(values: Real) -> Pixels:
    """Return values (H, W) from 0 as colours (H, W, 3), the largest at the end of the scale."""
    table = theme.heat_lut("sequential")
    level = (values / max(float(values.max()), 1e-30) * 255).astype(np.uint8)
    return np.ascontiguousarray(table[level][..., :3])


def dependence(result: Result) -> Pixels:
    """Return a picture (H, W, 3) of what a place depends on: used past, unused past, blind spot, leaks."""
    arrays, now = result.arrays, theme.DARK
    size = arrays["past"].shape
    picture = np.empty((*size, 3), np.uint8)
    picture[:] = _rgb(now.canvas)
    picture[arrays["past"]] = (88, 88, 94)
    picture[arrays["blind"]] = _rgb(now.warning)
    strength = np.sqrt(arrays["strength"] / max(float(arrays["strength"].max()), 1e-30))
    used, accent = arrays["used"] & arrays["past"], np.array(_rgb(now.accent), np.float64)
    shade = (0.35 + 0.65 * strength[..., None]) * accent
    picture[used] = shade[used].astype(np.uint8)
    picture[arrays["future"]] = _rgb(now.error)
    picture[result.meta["row"], result.meta["column"]] = 255
    return picture


def cone(result: Result, name: str) -> Pixels:
    """Return a picture (H, W, 3) of what one layer of PixelRNN would let the place depend on."""
    now = theme.DARK
    picture = np.empty((*result.arrays["past"].shape, 3), np.uint8)
    picture[:] = _rgb(now.canvas)
    picture[result.arrays["past"]] = (88, 88, 94)
    picture[result.arrays[name]] = _rgb(now.accent)
    picture[result.meta["row"], result.meta["column"]] = 255
    return picture


def _rgb(colour: object) -> tuple[int, int, int]:
    return colour.red(), colour.green(), colour.blue()  # type: ignore[attr-defined]
