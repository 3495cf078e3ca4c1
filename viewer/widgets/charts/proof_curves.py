"""Curves over a share from 0 to 1 (deletion, insertion), each labelled with its name and area."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QPolygonF

from viewer import theme
from viewer.widgets.charts.base import GAP, TICKS, Chart

REACH_PX = 14.0
SAMPLE_PX = 18
LEVELS = 4
Real = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Curve:
    """Values (L,) at `share` (L,), NaN where not computed yet, and the `area` under them.

    `rank` 0 is the main curve.
    """

    name: str
    share: Real
    values: Real
    area: float
    rank: int

    @property
    def pen(self) -> QPen:
        """Return the pen. Curves differ in colour, width and dashes, so that colour alone never distinguishes them."""
        colour = theme.colours().text if self.rank == 0 else theme.class_colour(self.rank)
        pen = QPen(colour, 2.4 if self.rank == 0 else 1.8)
        pen.setStyle((Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine)[self.rank % 3])
        return pen

    @property
    def label(self) -> str:
        """Return the name and the area."""
        return f"{self.name}  {self.area:.3f}"


class ShareChart(Chart):
    """Curves under a title, with a legend; the first is drawn on top."""

    def __init__(self, name: str, base: str) -> None:
        super().__init__(name)
        self._title, self._base = name, base
        self._curves: Sequence[Curve] = ()
        self._low, self._high = 0.0, 1.0

    def set_curves(self, curves: Sequence[Curve], *, low: float, high: float) -> None:
        """Replace the curves; the value axis runs from `low` to `high`."""
        self._curves, self._low = curves, low
        self._high = high if high > low else low + 1.0
        self.setAccessibleDescription("; ".join(f"{one.name}: area {one.area:.3f}" for one in curves))
        self.update()

    def field(self) -> QRectF:
        """Return the rectangle in which the data is drawn."""
        line = self.fontMetrics().height()
        left = max(self.width_of(_number(v)) for v in self._ticks()) + GAP
        top = 1.5 * line + (self._entries()[-1][1] + line + GAP / 2 if self._curves else 0.0)
        return QRectF(left, top, self.width() - left - 2.5 * GAP, self.height() - top - 2.2 * line)

    def draw(self, painter: QPainter) -> None:
        """Paint title, grid, numbers, curves and legend."""
        field, now, line = self.field(), theme.colours(), self.fontMetrics().height()
        self.write(painter, QRectF(0, 0, self.width(), line), self._title, colour=now.text)
        for tick in TICKS:
            x = field.left() + tick * field.width()
            painter.setPen(QPen(now.border, 1))
            painter.drawLine(QPointF(x, field.top()), QPointF(x, field.bottom()))
            place = QRectF(x - 20, field.bottom() + 1, 40, line)
            self.write(painter, place, f"{tick:.0%}", align=Qt.AlignmentFlag.AlignHCenter)
        for value in self._ticks():
            y = self._place(0.0, value).y()
            painter.setPen(QPen(now.border, 1))
            painter.drawLine(QPointF(field.left(), y), QPointF(field.right(), y))
            place = QRectF(0, y - line / 2, field.left() - GAP / 2, line)
            self.write(painter, place, _number(value), align=Qt.AlignmentFlag.AlignRight)
        base = QRectF(0, field.bottom() + line, self.width(), line)
        self.write(painter, base, self._base, align=Qt.AlignmentFlag.AlignHCenter)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for one in reversed(self._curves):
            known = np.isfinite(one.values)
            pairs = zip(one.share[known].tolist(), one.values[known].tolist(), strict=True)
            painter.setPen(one.pen)
            painter.drawPolyline(QPolygonF([self._place(x, y) for x, y in pairs]))
        for one, (x, y) in zip(self._curves, self._entries(), strict=True):
            middle = y + 1.25 * line + line / 2
            painter.setPen(one.pen)
            painter.drawLine(QPointF(x, middle), QPointF(x + SAMPLE_PX, middle))
            place = QRectF(x + SAMPLE_PX + GAP / 2, middle - line / 2, self.width_of(one.label) + 1, line)
            self.write(painter, place, one.label, colour=now.text)

    def explain(self, place: QPointF) -> str:
        """Return the values at the nearest point of a curve."""
        best, text = REACH_PX, ""
        for one in self._curves:
            for x, y in zip(one.share.tolist(), one.values.tolist(), strict=True):
                at = self._place(x, y) - place
                if np.isfinite(y) and at.manhattanLength() < best:
                    best, text = at.manhattanLength(), f"{one.name} at {x:.0%}: {y:.4g}"
        return text

    def _entries(self) -> list[tuple[float, float]]:
        """Return the offset in pixels of each legend entry below the title, in as few rows as the width allows."""
        found, x, y = [], 0.0, 0.0
        for one in self._curves:
            wide = SAMPLE_PX + self.width_of(one.label) + 2 * GAP
            if found and x + wide - GAP > self.width():
                x, y = 0.0, y + self.fontMetrics().height()
            found.append((x, y))
            x += wide
        return found

    def _ticks(self) -> list[float]:
        return [self._low + (self._high - self._low) * step / LEVELS for step in range(LEVELS + 1)]

    def _place(self, share: float, value: float) -> QPointF:
        field = self.field()
        up = (value - self._low) / (self._high - self._low)
        return QPointF(field.left() + share * field.width(), field.bottom() - up * field.height())


def _number(value: float) -> str:
    return f"{value:.2g}"
