"""Labels beside boxes: where they go, and how they look. Which boxes get one is the painter's matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QStaticText, QTransform

from viewer.canvas.frame import Frame, Table
from viewer.theme import SMALL_PX, on_colour

MARGIN_PX = 4.0
EXTRA_HEIGHT_PX = 4.0
CORNER_PX = 2.5
# Above this many, a label that finds no free place is left out instead of lying on another.
CROWD = 40


@dataclass(frozen=True)
class Tag:
    """A label for the placed box `box` (4,), outline included; one that `must` be seen is placed first, on top."""

    box: Table
    text: str
    colour: QColor
    must: bool = False


def draw(frame: Frame, tags: Sequence[Tag]) -> None:
    """Place and draw labels; earlier ones get the better places."""
    tags = sorted(tags, key=lambda tag: not tag.must)
    painter, size = frame.painter, max(1, round(SMALL_PX * frame.unit))
    font = _font(size)
    metrics = QFontMetricsF(font)
    edge = frame.length(1.0)
    drop = (metrics.height() - metrics.ascent() - metrics.descent()) / 2 + metrics.ascent()

    painter.save()
    painter.setFont(font)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    plate = QColor("#16161a")

    for tag, (left, top, width, height) in reversed(place(frame, tags)):
        # The plate is the outline's dark edge carried on; the pill lies inside it.
        painter.setPen(plate)
        painter.setPen(frame.pen(plate, width=0.01))
        painter.setBrush(plate)
        radius = CORNER_PX * frame.unit
        painter.drawRoundedRect(QRectF(left, top, width, height), radius, radius)
        painter.setPen(frame.pen(tag.colour, width=0.01))
        painter.setBrush(tag.colour)
        pill = QRectF(left + edge, top + edge, width - 2 * edge, height - 2 * edge)
        painter.drawRoundedRect(pill, radius - edge / 2, radius - edge / 2)

        painter.setPen(on_colour(tag.colour))
        baseline = frame.snap(np.array([left + MARGIN_PX * frame.unit, top + (height + metrics.capHeight()) / 2]))
        if frame.raster:
            painter.drawStaticText(QPointF(baseline[0], baseline[1] - drop), _static(tag.text, size))
        else:
            painter.drawText(QPointF(*baseline), tag.text)

    painter.restore()


def place(frame: Frame, tags: Sequence[Tag]) -> list[tuple[Tag, tuple[float, float, float, float]]]:
    """Return the labels that found a place, as (left, top, width, height) in the painter's units.

    A label goes above its box, else below, else beside it; into its box only if the picture leaves no other place.
    """
    size = max(1, round(SMALL_PX * frame.unit))
    height = float(frame.snap(np.array(size + (EXTRA_HEIGHT_PX + 1) * frame.unit)))
    crowded = len(tags) > CROWD
    taken = np.empty((len(tags), 4))
    found: list[tuple[Tag, tuple[float, float, float, float]]] = []

    for tag in tags:
        width = float(np.ceil(_advance(tag.text, size) + 2 * MARGIN_PX * frame.unit))
        spots = _spots(tag.box, width=width, height=height, bounds=frame.bounds)
        ends = spots + (width, height)
        fits = ((spots >= frame.bounds[:2] - 0.01) & (ends <= frame.bounds[2:] + 0.01)).all(axis=1)
        others = taken[: len(found)]
        clash = (spots[:, None] < others[:, 2:] - 0.01) & (ends[:, None] > others[:, :2] + 0.01)
        free = fits & ~clash.all(axis=2).any(axis=1)

        if free.any():
            left, top = spots[free.argmax()]
        elif fits.any() and crowded and not tag.must:
            continue
        elif fits.any():
            left, top = spots[fits.argmax()]
        else:
            room = np.maximum(frame.bounds[2:] - (width, height), frame.bounds[:2])
            left, top = np.clip(tag.box[:2], frame.bounds[:2], room)

        left, top = frame.snap(np.array([left, top]))
        taken[len(found)] = left, top, left + width, top + height
        found.append((tag, (float(left), float(top), width, height)))

    return found


def _spots(box: Table, *, width: float, height: float, bounds: Table) -> Table:
    """Return the places (6, 2) around a box, best first."""
    x0, y0, x1, y1 = box
    along = max(min(x0, bounds[2] - width), bounds[0])
    ending = x1 - width
    above, below = y0 - height, y1
    return np.array([(along, above), (along, below), (ending, above), (ending, below), (x1, y0), (x0 - width, y0)])


def _font(size: int) -> QFont:
    font = QFont()
    font.setPixelSize(size)
    return font


@lru_cache(maxsize=4096)
def _advance(text: str, size: int) -> float:
    return QFontMetricsF(_font(size)).horizontalAdvance(text)


@lru_cache(maxsize=4096)
def _static(text: str, size: int) -> QStaticText:
    static = QStaticText(text)
    static.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
    static.prepare(QTransform(), _font(size))
    return static
