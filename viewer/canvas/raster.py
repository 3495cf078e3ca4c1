"""Outlines of very many boxes as one image, pixel for pixel what drawing them one by one gives. No painter, no Qt.

Qt's rasteriser writes every pixel of every line: where a hundred thousand boxes lie on each other that is a hundred
times the picture. Here each side adds 1 where it begins and takes 1 away after its end, and one running sum tells
which pixels any side covers (a difference array), so that the price is that of the picture and not of its overlaps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.int32]
Stroke = tuple[NDArray[np.int64], int, int]


def outlines(boxes: Columns, strokes: Sequence[Stroke], *, width: int, height: int) -> NDArray[np.uint32]:
    """Return an image (height, width) of 32-bit colours, 0 where nothing is, of outlines on the outside of boxes.

    `boxes` (4, N) are x0, y0, x1, y1 in whole pixels; a stroke is the rows of some boxes, a width in pixels and a
    colour, at most 255 of them; later ones lie on top.
    """
    level, upright = np.zeros((height, width), np.uint8), np.zeros((width, height), np.uint8)
    for number, (rows, stroke, _) in enumerate(strokes, 1):
        x0, y0, x1, y1 = boxes.take(rows, axis=1)
        _lines(level, (y0 - stroke, y1), (x0 - stroke, x1 + stroke), stroke=stroke, number=number)
        _lines(upright, (x0 - stroke, x1), (y0, y1), stroke=stroke, number=number)
    top = np.maximum(level, upright.T, out=level)
    return np.array([0, *(colour for _, _, colour in strokes)], np.uint32)[top]


def _lines(
    sheet: NDArray[np.uint8], rows: tuple[Columns, Columns], ends: tuple[Columns, Columns], *, stroke: int, number: int
) -> None:
    """Write `number` where lines lie, `stroke` rows from each of two `rows` on, from one column to before another."""
    height, width = sheet.shape
    # Lines that begin above the sheet may reach into it: they begin in a margin.
    steps = np.zeros((height + stroke - 1, width + 1), np.int32)
    start, end = (column.clip(0, width) for column in ends)
    for first in rows:
        row = first + (stroke - 1)
        seen = (row >= 0) & (row < len(steps)) & (start < end)
        begin = row * (width + 1)
        np.add.at(steps.reshape(-1), np.compress(seen, begin + start), np.int32(1))
        np.add.at(steps.reshape(-1), np.compress(seen, begin + end), np.int32(-1))
    np.cumsum(steps, axis=1, out=steps)
    thin = (steps[:, :width] > 0).view(np.uint8) * np.uint8(number)
    for back in range(stroke):
        np.maximum(sheet, thin[back : back + height], out=sheet)
