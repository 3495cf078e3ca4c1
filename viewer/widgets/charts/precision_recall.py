"""Precision over recall, one curve per class, with a dot on each for the current settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from viewer import theme
from viewer.widgets.charts.base import GAP, TICKS, Chart

DOT_PX = 4.5
REACH_PX = 12.0
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Line:
    """One curve: `recall`, `precision`, `score` (M,) and the `point` (recall, precision) at the current settings.

    `label` chooses the colour; -1 stands for all classes together.
    """

    name: str
    label: int
    recall: Double
    precision: Double
    score: Double
    point: tuple[float, float]

    @property
    def colour(self) -> QColor:
        """Return the colour of the class, or the text colour for all classes together."""
        return theme.colours().text if self.label < 0 else theme.class_colour(self.label)


class CurveChart(Chart):
    """Precision-recall curves with a legend of as many as fit."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._lines: Sequence[Line] = ()

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Replace the curves; the first is drawn on top."""
        self._lines = lines
        said = [f"{line.name}: recall {line.point[0]:.3f}, precision {line.point[1]:.3f}" for line in lines]
        self.setAccessibleDescription("; ".join(said))
        self.update()

    @property
    def legend_width(self) -> int:
        """Return the width of the legend in pixels, 0 if there is no room for one."""
        wide = max((self.width_of(line.name) for line in self._lines), default=0) + 3 * GAP
        wide = min(wide, 140)
        return wide if self.width() > wide + 180 else 0

    def field(self) -> QRectF:
        """Return the rectangle in which the data is drawn."""
        line = self.fontMetrics().height()
        left = self.width_of("0.00") + GAP
        return QRectF(
            left, line / 2 + 2, self.width() - left - GAP - self.legend_width, self.height() - 2.5 * line - GAP
        )

    def draw(self, painter: QPainter) -> None:
        """Paint grid, numbers, curves, points and legend."""
        field, now = self.field(), theme.colours()
        line = self.fontMetrics().height()
        for tick in TICKS:
            y, x = field.bottom() - tick * field.height(), field.left() + tick * field.width()
            painter.setPen(QPen(now.border, 1))
            painter.drawLine(QPointF(field.left(), y), QPointF(field.right(), y))
            painter.drawLine(QPointF(x, field.top()), QPointF(x, field.bottom()))
            place = QRectF(0, y - line / 2, field.left() - GAP / 2, line)
            self.write(painter, place, f"{tick:g}", align=Qt.AlignmentFlag.AlignRight)
            self.write(
                painter, QRectF(x - 20, field.bottom() + 1, 40, line), f"{tick:g}", align=Qt.AlignmentFlag.AlignHCenter
            )
        base = QRectF(field.left(), field.bottom() + line, field.width(), line)
        self.write(painter, base, "Recall →  precision ↑", align=Qt.AlignmentFlag.AlignHCenter)
        for one in reversed(self._lines):
            painter.setPen(QPen(one.colour, 2.2 if one.label < 0 else 1.4))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPolyline(self._polygon(one.recall, one.precision))
        for one in reversed(self._lines):
            painter.setPen(QPen(now.panel, 1.5))
            painter.setBrush(one.colour)
            painter.drawEllipse(self._place(*one.point), DOT_PX, DOT_PX)
        if self.legend_width:
            self._legend(painter, field)

    def explain(self, place: QPointF) -> str:
        """Return recall, precision and score at the nearest point of a curve."""
        best, text = REACH_PX, ""
        for line in self._lines:
            if not len(line.recall):
                continue
            field = self.field()
            across = field.left() + line.recall * field.width() - place.x()
            distance = np.hypot(across, field.bottom() - line.precision * field.height() - place.y())
            row = int(distance.argmin())
            if distance[row] < best:
                best = float(distance[row])
                numbers = f"recall {line.recall[row]:.3f}, precision {line.precision[row]:.3f}"
                text = f"{line.name} at score {line.score[row]:.3f}: {numbers}"
        return text

    def _legend(self, painter: QPainter, field: QRectF) -> None:
        height = self.fontMetrics().height() + 3
        room = max(1, int((self.height() - field.top()) // height))
        left = field.right() + GAP * 1.5
        listed = self._lines if len(self._lines) <= room else self._lines[: room - 1]
        for row, line in enumerate(listed):
            y = field.top() + row * height
            painter.fillRect(QRectF(left, y + height / 2 - 2, 10, 3), line.colour)
            self.write(painter, QRectF(left + 14, y, self.legend_width - 3 * GAP, height), line.name)
        if len(listed) < len(self._lines):
            rest = f"and {len(self._lines) - len(listed)} more"
            self.write(painter, QRectF(left, field.top() + len(listed) * height, self.legend_width, height), rest)

    def _place(self, recall: float, precision: float) -> QPointF:
        field = self.field()
        return QPointF(field.left() + recall * field.width(), field.bottom() - precision * field.height())

    def _polygon(self, recall: Double, precision: Double) -> QPolygonF:
        return QPolygonF([self._place(x, y) for x, y in zip(recall.tolist(), precision.tolist(), strict=True)])
