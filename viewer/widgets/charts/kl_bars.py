"""The KL divergence of each latent dimension as bars, largest first."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy

from models.types import Bool, Float
from viewer import theme
from viewer.widgets.charts.base import Chart

HEIGHT_PX = 88


class KLBars(Chart):
    """One bar per dimension, in nats. Dimensions in `quiet` are grey; `other` values, if given, are drawn as ticks."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.values = np.zeros(0, np.float32)
        self.order = np.zeros(0, np.int64)
        self._quiet = np.zeros(0, np.bool_)
        self._other: Float | None = None

    def show_values(self, values: Float, *, quiet: Bool, other: Float | None = None) -> None:
        """Show the KL divergences `values` (D,), sorted from largest to smallest."""
        self.values, self._quiet, self._other = values, quiet, other
        self.order = np.argsort(-values, kind="stable")
        self.setAccessibleDescription(", ".join(f"z{row} {values[row]:.2f} nats" for row in self.order.tolist()))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, HEIGHT_PX)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, HEIGHT_PX)

    def draw(self, painter: QPainter) -> None:
        """Paint the bars and their scale, with the dimension's name under each bar if there is room."""
        if not len(self.values):
            return
        now, line = theme.colours(), self.fontMetrics().height()
        top, foot = line, self.height() - line - 2
        most = max(float(self.values.max()), float(self._other.max()) if self._other is not None else 0.0, 1e-9)
        width = self.width() / len(self.values)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for place, row in enumerate(self.order.tolist()):
            high = float(self.values[row]) / most * (foot - top)
            colour = now.border if self._quiet[row] else now.accent
            painter.fillRect(QRectF(place * width + 1, foot - high, max(1.0, width - 2), high), QColor(colour))
            if self._other is not None:
                y = foot - float(self._other[row]) / most * (foot - top)
                painter.setPen(QPen(now.text, 2))
                painter.drawLine(QPointF(place * width + 1, y), QPointF((place + 1) * width - 1, y))
            if width >= self.fontMetrics().horizontalAdvance("z00"):
                label = QRectF(place * width, foot + 1, width, line)
                self.write(painter, label, f"z{row}", align=Qt.AlignmentFlag.AlignHCenter)
        painter.setPen(QPen(now.border, 1))
        painter.drawLine(QPointF(0, foot), QPointF(self.width(), foot))
        self.write(painter, QRectF(0, 0, self.width(), line), f"{most:.3g} nats", align=Qt.AlignmentFlag.AlignRight)

    def explain(self, place: QPointF) -> str:
        """Return the dimension under the pointer and its KL divergence."""
        at = int(place.x() / max(self.width(), 1) * len(self.values))
        if not 0 <= at < len(self.values):
            return ""
        row = int(self.order[at])
        over = f"; {self._other[row]:.3f} over the folder" if self._other is not None else ""
        return f"z{row}: {self.values[row]:.3f} nats{over}"
