"""A swatch: the small square of a class's colour beside its name in lists. Not the colours themselves."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap

SWATCH_PX = 12


def swatch(colour: QColor) -> QIcon:
    """Return a rounded square of a colour."""
    pixmap = QPixmap(SWATCH_PX, SWATCH_PX)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawRoundedRect(0, 0, SWATCH_PX, SWATCH_PX, 3, 3)
    painter.end()
    return QIcon(pixmap)
