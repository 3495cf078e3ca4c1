"""Paint masks and skeletons as vector shapes."""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np
from PySide6.QtCore import QByteArray, QDataStream, QRectF, Qt
from PySide6.QtGui import QColor, QPainterPath, QTransform

from viewer.canvas.frame import DARK, Frame, Table, draw_lines, smooth
from viewer.canvas.layers import Masks, Rings, Skeletons, distinct
from viewer.theme import class_colour

# One pixel on screen: Qt strokes wider curves five times slower.
OUTLINE_PX = 1.0
STRIDES = (1, 2, 4)
NEAREST_PX = 1.5
FAINT = 0.3
# Binary format of a QPainterPath element in a QDataStream: kind, x, y, all big-endian.
_ELEMENT = np.dtype([("kind", ">i4"), ("x", ">f8"), ("y", ">f8")])
_MOVE, _LINE, _ODD_EVEN = 0, 1, 0


def paint_masks(frame: Frame, layer: Masks) -> None:
    """Fill the visible masks in their colours, and outline them if the layer says so."""
    paths = _paths(layer.rings, stride=_stride(frame, layer.rings))
    (sx, sy), (dx, dy) = frame.scale[:2], frame.shift[:2]
    to_painter = QTransform(sx, 0, 0, sy, dx, dy)
    x0, y0, x1, y1 = frame.bounds
    frame.painter.save()
    frame.painter.setClipRect(QRectF(x0, y0, x1 - x0, y1 - y0), Qt.ClipOperation.IntersectClip)
    with smooth(frame.painter):
        # The first rows have the highest scores and are painted last, on top.
        for row in frame.rows_in_view(frame.place(layer.boxes))[::-1].tolist():
            path = paths.get(int(layer.rows[row]))
            if path is None:
                continue
            colour, path = class_colour(int(layer.colours[row])), to_painter.map(path)
            frame.painter.fillPath(path, _clear(colour, layer.opacity))
            if layer.outlined:
                frame.painter.strokePath(path, frame.pen(colour, width=frame.length(OUTLINE_PX)))
    frame.painter.restore()


def paint_skeletons(frame: Frame, layer: Skeletons) -> None:
    """Draw limbs, then points, faded ones first."""
    count, points = layer.xy.shape[:2]
    placed = frame.place(layer.xy.reshape(-1, 2), snap=False).reshape(count, points, 2)
    with smooth(frame.painter):
        for faint in (True, False):
            frame.painter.setOpacity(FAINT if faint else 1.0)
            for number, (begin, end) in enumerate(layer.limbs):
                wanted = (layer.faint[:, begin] | layer.faint[:, end]) == faint
                _limb(frame, np.concatenate([placed[wanted, begin], placed[wanted, end]], 1), layer.width, number)
            for number in range(points):
                chosen = placed[layer.faint[:, number] == faint, number]
                chosen = chosen[frame.rows_in_view(np.concatenate([chosen, chosen], 1))]
                frame.dots(chosen, width=2 * layer.radius * frame.unit, colour=class_colour(number))
        frame.painter.setOpacity(1.0)


def _limb(frame: Frame, segments: Table, width: float, number: int) -> None:
    segments = segments[frame.rows_in_view(segments)]
    for size, ink in ((width + 2, DARK), (width, class_colour(number))):
        frame.painter.setPen(frame.pen(ink, width=size * frame.unit, round_ends=True))
        draw_lines(frame.painter, segments)


def _stride(frame: Frame, rings: Rings) -> int:
    """Return the step between the points to draw: on screen, every fourth point if they are less than a pixel apart."""
    if not frame.raster or len(rings.points) < 2:
        return 1
    apart = float(np.median(np.abs(np.diff(rings.points, axis=0)).sum(1))) * frame.scale[0] / frame.grid
    return next((stride for stride in STRIDES if apart * stride >= NEAREST_PX), STRIDES[-1])


@lru_cache(maxsize=8)
def _paths(rings: Rings, *, stride: int) -> dict[int, QPainterPath]:
    """Return each mask's shape in pixels of the picture, by row, with the first and every nth point of each ring."""
    place = np.arange(len(rings.points)) - np.repeat(rings.start[:-1], np.diff(rings.start))
    last = np.zeros(len(place), bool)
    last[rings.start[1:] - 1] = True
    kept = (place % stride == 0) | last
    elements = np.empty(int(kept.sum()), _ELEMENT)
    elements["kind"] = np.where(place[kept] == 0, _MOVE, _LINE)
    elements["x"], elements["y"] = rings.points[kept].T
    start = np.concatenate([[0], np.cumsum(kept)])[rings.start]
    paths = {}
    for row in distinct(rings.of):
        own = np.flatnonzero(rings.of == row)
        part = elements[start[own[0]] : start[own[-1] + 1]]
        written = struct.pack(">i", len(part)) + part.tobytes() + struct.pack(">ii", 0, _ODD_EVEN)
        path = QPainterPath()
        QDataStream(QByteArray(written)) >> path  # pyright: ignore[reportUnusedExpression, reportOperatorIssue]
        path.setFillRule(Qt.FillRule.OddEvenFill)
        paths[row] = path
    return paths


def _clear(colour: QColor, opacity: float) -> QColor:
    return QColor(colour.red(), colour.green(), colour.blue(), round(255 * opacity))
