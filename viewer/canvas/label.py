"""Place and draw the labels beside boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QStaticText, QTransform

from viewer.canvas.frame import Frame, Table
from viewer.theme import SMALL_PX, on_colour

MARGIN_PX = 4.0
EXTRA_HEIGHT_PX = 4.0
CORNER_PX = 2.5
PLATE = QColor("#16161a")
Rect = tuple[float, float, float, float]
Spot = tuple[float, float]

# Above this number, a label without a free place is left out instead of overlapping another.
CROWD = 40
# Up to this number, labels also avoid covering other boxes.
CLEAR_MAX = 60


@dataclass(frozen=True)
class Tag:
    """A label for the placed box `box` (4,), outline included.

    Labels that `must` be visible are placed first, on top.
    """

    box: Table
    text: str
    colour: QColor
    must: bool = False


Placed = tuple[Tag, Rect]


def draw(frame: Frame, placed: Sequence[Placed], *, kept: bool = False) -> None:
    """Draw placed labels, the first on top. With `kept`, labels are rendered once and reused, on screen only."""
    painter, ratio = frame.painter, frame.painter.device().devicePixelRatioF()
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    # With a fractional pixel ratio, the image of a label would not align with physical pixels.
    kept = kept and frame.raster and ratio == int(ratio)
    for tag, (left, top, width, height) in reversed(placed):
        if kept:
            image = _image(tag.text, tag.colour.rgba(), size=(width, height), unit=frame.unit, ratio=ratio)
            painter.drawImage(QPointF(left, top), image)
        else:
            _draw(frame, tag.text, tag.colour, (left, top, width, height))
    painter.restore()


def _draw(frame: Frame, text: str, colour: QColor, rect: Rect) -> None:
    left, top, width, height = rect
    painter, size = frame.painter, max(1, round(SMALL_PX * frame.unit))
    metrics = _metrics(size)
    edge, margin, radius = frame.length(1.0), MARGIN_PX * frame.unit, CORNER_PX * frame.unit
    painter.setFont(_font(size))

    # The plate extends the dark edge of the outline; the coloured pill lies inside it.
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(PLATE)
    painter.drawRoundedRect(QRectF(left, top, width, height), radius, radius)
    painter.setBrush(colour)
    pill = QRectF(left + edge, top + edge, width - 2 * edge, height - 2 * edge)
    painter.drawRoundedRect(pill, radius - edge / 2, radius - edge / 2)

    painter.setPen(_ink(colour.rgba()))
    start = frame.snap_value(left + margin)
    baseline = frame.snap_value(top + (height + metrics.capHeight()) / 2)
    if frame.raster:
        painter.drawStaticText(QPointF(start, baseline - metrics.ascent()), _static(text, size))
    else:
        painter.drawText(QPointF(start, baseline), text)


@lru_cache(maxsize=1024)
def _image(text: str, rgba: int, *, size: Spot, unit: float, ratio: float) -> QImage:
    """Return a label as an image; `size` is in the painter's units."""
    width, height = size
    form = QImage.Format.Format_ARGB32_Premultiplied
    image = QImage(math.ceil(width * ratio), math.ceil(height * ratio), form)
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    frame = Frame.of(painter, scale=1 / unit, visible=None, bounds=None)
    _draw(frame, text, QColor.fromRgba(rgba), (0.0, 0.0, width, height))
    painter.end()
    return image


def place(frame: Frame, tags: Sequence[Tag]) -> list[Placed]:
    """Return the labels that found a place, as (left, top, width, height) in the painter's units.

    Labels that must be visible are placed first, then the others in order; earlier labels get better places. A label
    goes above, below or beside its box, wherever it covers the fewest other boxes, and inside only if the picture
    leaves no other place.
    """
    tags = sorted(tags, key=lambda tag: not tag.must)
    size = max(1, round(SMALL_PX * frame.unit))
    height = float(frame.snap(np.array(size + (EXTRA_HEIGHT_PX + 1) * frame.unit)))
    x0, y0, x1, y1 = frame.bounds.tolist()
    crowded = len(tags) > CROWD
    boxes = np.array([tag.box for tag in tags] if len(tags) <= CLEAR_MAX else []).reshape(-1, 4)
    taken = _Taken(height)
    found: list[tuple[Tag, Rect]] = []

    for tag in tags:
        width = float(math.ceil(_advance(tag.text, size) + 2 * MARGIN_PX * frame.unit))
        right, bottom = x1 - width + 0.01, y1 - height + 0.01
        spots = _spots(tag.box, width=width, height=height, left=x0, right=x1)
        fitting = [(x, y) for x, y in spots if x0 - 0.01 <= x <= right and y0 - 0.01 <= y <= bottom]
        free = (spot for spot in fitting if taken.is_free(*spot, width))
        spot = _clearest(list(free), boxes, size=(width, height)) if len(boxes) else next(free, None)

        if spot is None and fitting and crowded and not tag.must:
            continue
        if spot is None and fitting:
            spot = fitting[0]
        if spot is None:
            spot = max(min(float(tag.box[0]), right), x0), max(min(float(tag.box[1]), bottom), y0)

        left, top = (frame.snap_value(value) for value in spot)
        taken.add(left, top, width)
        found.append((tag, (left, top, width, height)))

    return found


class _Taken:
    """Occupied places, in rows of a label's height, so that only neighbours are compared."""

    def __init__(self, height: float) -> None:
        self._height = height
        self._rows: dict[int, list[tuple[float, float, float]]] = {}

    def add(self, left: float, top: float, width: float) -> None:
        self._rows.setdefault(int(top // self._height), []).append((left, top, left + width))

    def is_free(self, left: float, top: float, width: float) -> bool:
        row, touch = int(top // self._height), self._height - 0.01
        return not any(
            left < end - 0.01 and left + width > start + 0.01 and abs(top - other) < touch
            for near in (row - 1, row, row + 1)
            for start, other, end in self._rows.get(near, ())
        )


def _clearest(spots: list[Spot], boxes: Table, *, size: Spot) -> Spot | None:
    """Return the spot that covers the fewest boxes, the first in case of a tie."""
    if not spots:
        return None
    start = np.array(spots)[:, None]
    on = (start < boxes[:, 2:] - 0.01) & (start + size > boxes[:, :2] + 0.01)
    return spots[int(on.all(axis=2).sum(axis=1).argmin())]


def _spots(box: Table, *, width: float, height: float, left: float, right: float) -> list[Spot]:
    """Return the places around a box, best first, shifted horizontally into the picture if that suffices."""
    x0, y0, x1, y1 = box.tolist()
    along = max(min(x0, right - width), left)
    above, below = y0 - height, y1
    return [(along, above), (along, below), (x1 - width, above), (x1 - width, below), (x1, y0), (x0 - width, y0)]


@lru_cache(maxsize=64)
def _ink(rgba: int) -> QColor:
    return on_colour(QColor.fromRgba(rgba))


@lru_cache(maxsize=8)
def _metrics(size: int) -> QFontMetricsF:
    return QFontMetricsF(_font(size))


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
