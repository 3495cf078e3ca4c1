"""A confusion matrix as shaded cells, with class names along both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from viewer import theme
from viewer.widgets.charts.base import GAP, Chart, mixed

MOST_NAME_PX = 72
MISSED = "miss"


class MatrixChart(Chart):
    """Rows are objects and columns are detections; the last of each is background.

    Shading is relative to the row's sum.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._names: Sequence[str] = ()
        self._counts: NDArray[np.int64] = np.zeros((0, 0), np.int64)

    def set_counts(self, names: Sequence[str], counts: NDArray[np.int64]) -> None:
        """Set the counts (N, N) and the names (N,) of rows and columns."""
        self._names, self._counts = names, counts
        rows = [f"{name}: {', '.join(map(str, row))}" for name, row in zip(names, counts.tolist(), strict=True)]
        self.setAccessibleDescription("; ".join(rows[:20]))
        self.update()

    def field(self) -> QRectF:
        """Return the rectangle of the cells."""
        line = self.fontMetrics().height()
        left = min(MOST_NAME_PX, max((self.width_of(name) for name in self._names), default=0)) + 2 * line
        return QRectF(left, 2 * line + 2, self.width() - left - 2, self.height() - 2 * line - 4)

    def draw(self, painter: QPainter) -> None:
        """Paint names and cells, with numbers where they fit."""
        if not len(self._names):
            return
        now, field, count = theme.colours(), self.field(), len(self._names)
        line = self.fontMetrics().height()
        wide, high = field.width() / count, field.height() / count
        sums = np.maximum(self._counts.sum(1, keepdims=True), 1)
        self.write(
            painter, QRectF(field.left(), 0, field.width(), line), "Detected as", align=Qt.AlignmentFlag.AlignHCenter
        )
        painter.save()
        painter.translate(0, field.bottom())
        painter.rotate(-90)
        self.write(painter, QRectF(0, 0, field.height(), line), "Object", align=Qt.AlignmentFlag.AlignHCenter)
        painter.restore()
        for row, name in enumerate(self._names):
            if high >= line - 2 or row % (int(line / high) + 1) == 0:
                place = QRectF(line + 2, field.top() + row * high + (high - line) / 2, field.left() - line - GAP, line)
                self.write(painter, place, name, align=Qt.AlignmentFlag.AlignRight)
            if wide >= 16:
                place = QRectF(field.left() + row * wide + 1, line, wide - 2, line)
                head = MISSED if row == count - 1 else name
                self.write(painter, place, head, align=Qt.AlignmentFlag.AlignHCenter)
        for (row, column), value in np.ndenumerate(self._counts):
            cell = QRectF(field.left() + column * wide, field.top() + row * high, wide, high)
            part = float(value / sums[row, 0])
            colour = mixed(now.panel, now.accent, 0.08 + 0.92 * part**0.6) if value else now.panel
            painter.fillRect(cell.adjusted(0.5, 0.5, -0.5, -0.5) if wide > 6 else cell, colour)
            text = f"{value:,}"
            if value and wide > self.width_of(text) + 2 and high >= line - 2:
                self.write(painter, cell, text, align=Qt.AlignmentFlag.AlignHCenter, colour=theme.on_colour(colour))
        painter.setPen(QPen(now.border, 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(field)

    def explain(self, place: QPointF) -> str:
        """Describe the count of the cell at a place."""
        field, count = self.field(), len(self._names)
        if not count or not field.contains(place):
            return ""
        row = min(count - 1, int((place.y() - field.top()) / field.height() * count))
        column = min(count - 1, int((place.x() - field.left()) / field.width() * count))
        value, last = int(self._counts[row, column]), count - 1
        if row == last:
            return f"{value:,} detections of {self._names[column]} on background" if column != last else ""
        if column == last:
            return f"{value:,} objects of {self._names[row]} that nothing was found on"
        return f"{value:,} objects of {self._names[row]} detected as {self._names[column]}"
