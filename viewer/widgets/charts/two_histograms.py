"""The distributions of two groups of values on one axis: one filled, one in outline, with a marked value."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy

from models.types import Float
from viewer import theme
from viewer.widgets.charts.base import Chart

BINS = 32
HEIGHT_PX = 96


class Spread(Chart):
    """Two histograms, each normalised by the size of its group. `words` names the two groups and the marked value."""

    def __init__(self, name: str, words: tuple[str, str, str]) -> None:
        super().__init__(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.words = words
        self._shares: tuple[Float, Float] = (np.zeros(0, np.float32), np.zeros(0, np.float32))
        self._range, self.mark = (0.0, 1.0), 0.0

    def show_values(self, filled: Float, outlined: Float, *, mark: float) -> None:
        """Replace the values and the mark; either group may be empty."""
        both = np.concatenate([filled, outlined, [mark]])
        low, high = float(both.min()), float(both.max())
        self._range = (low, high if high > low else low + 1)
        counts = [np.histogram(values, BINS, self._range)[0] / max(len(values), 1) for values in (filled, outlined)]
        self._shares, self.mark = (counts[0].astype(np.float32), counts[1].astype(np.float32)), mark
        told = [
            f"{word} {mid:.3g}" for word, mid in zip(self.words, (_middle(filled), _middle(outlined)), strict=False)
        ]
        self.setAccessibleDescription(f"{self.words[2]} {mark:.3g}; medians: {', '.join(told)}")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, HEIGHT_PX)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, HEIGHT_PX)

    def draw(self, painter: QPainter) -> None:
        """Paint both groups, the mark and the ends of the axis."""
        filled, outlined = self._shares
        if not len(filled):
            return
        now, line = theme.colours(), self.fontMetrics().height()
        top, foot = line + 2, self.height() - line - 2
        most = max(float(filled.max()), float(outlined.max()), 1e-9)
        width = self.width() / BINS
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for row, share in enumerate(filled.tolist()):
            high = share / most * (foot - top)
            painter.fillRect(QRectF(row * width, foot - high, max(1.0, width - 1), high), QColor(now.accent))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if outlined.any():
            tops = [foot - share / most * (foot - top) for share in outlined.tolist()]
            painter.setPen(QPen(now.success, 2))
            painter.drawPolyline(
                QPolygonF([QPointF(x * width, y) for row, y in enumerate(tops) for x in (row, row + 1)])
            )
        painter.setPen(QPen(now.border, 1))
        painter.drawLine(QPointF(0, foot), QPointF(self.width(), foot))
        low, high = self._range
        at = (self.mark - low) / (high - low) * (self.width() - 2) + 1
        painter.setPen(QPen(now.text, 2))
        painter.drawLine(QPointF(at, top), QPointF(at, foot))
        self.write(painter, QRectF(0, foot + 1, self.width(), line), f"{low:.2f}")
        self.write(painter, QRectF(0, foot + 1, self.width(), line), f"{high:.2f}", align=Qt.AlignmentFlag.AlignRight)
        painter.setPen(now.accent)
        painter.drawText(QPointF(0, line - 3), self.words[0])
        if outlined.any():
            painter.setPen(now.success)
            painter.drawText(QPointF(self.fontMetrics().horizontalAdvance(self.words[0]) + 12, line - 3), self.words[1])

    def explain(self, place: QPointF) -> str:
        """Return the bin under the pointer and each group's share in it."""
        filled, outlined = self._shares
        row = int(place.x() / max(self.width(), 1) * BINS)
        if not len(filled) or not 0 <= row < BINS:
            return ""
        low, step = self._range[0], (self._range[1] - self._range[0]) / BINS
        told = f"{self.words[0]} {filled[row]:.1%}"
        told += f", {self.words[1]} {outlined[row]:.1%}" if outlined.any() else ""
        return f"{low + row * step:.3g} to {low + (row + 1) * step:.3g}: {told}"


def _middle(values: Float) -> float:
    return float(np.median(values)) if len(values) else float("nan")
