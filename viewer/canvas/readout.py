"""Small widgets over the canvas: the readout at the pointer, the marker of another pane's pointer, the stale dot."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from viewer.theme import GRID_PX, SMALL_PX, colours
from viewer.translation import tr

SWATCH_PX = 10
DISTANCE_PX = 2 * GRID_PX
DOT_PX = GRID_PX
MARK_PX = 19


class Readout(QWidget):
    """A few lines beside the pointer, with a swatch of the class's colour."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._host = parent
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._lines: tuple[str, ...] = ()
        self._colour = QColor()
        self.hide()

    @property
    def text(self) -> str:
        """The lines shown, for tests and screen readers."""
        return "\n".join(self._lines)

    def tell(self, lines: tuple[str, ...], *, colour: QColor, position: QPoint) -> None:
        """Show lines beside a position in the parent, on the side with enough room."""
        if (lines, colour) != (self._lines, self._colour):
            self._lines, self._colour = lines, colour
            self.resize(self._wanted())
            self.update()

        parent = self._host.rect()
        x, y = position.x() + DISTANCE_PX, position.y() + DISTANCE_PX
        if x + self.width() > parent.width():
            x = max(0, position.x() - DISTANCE_PX - self.width())
        if y + self.height() > parent.height():
            y = max(0, position.y() - DISTANCE_PX - self.height())
        self.move(x, y)
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        now, painter = colours(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(now.border, 1))
        painter.setBrush(now.panel)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)

        painter.setFont(self._font())
        metrics = QFontMetrics(self._font())
        left, top = GRID_PX, GRID_PX - 2
        painter.setPen(QPen(now.border, 1))
        painter.setBrush(self._colour)
        painter.drawRoundedRect(QRectF(left, top + (metrics.height() - SWATCH_PX) / 2, SWATCH_PX, SWATCH_PX), 2, 2)

        for index, line in enumerate(self._lines):
            painter.setPen(now.muted if index else now.text)
            baseline = top + index * metrics.lineSpacing() + metrics.ascent()
            painter.drawText(QPoint(left + SWATCH_PX + GRID_PX - 2, baseline), line)
        painter.end()

    def _wanted(self) -> QSize:
        metrics = QFontMetrics(self._font())
        width = max((metrics.horizontalAdvance(line) for line in self._lines), default=0)
        height = len(self._lines) * metrics.lineSpacing()
        return QSize(width + SWATCH_PX + 3 * GRID_PX - 2, height + 2 * GRID_PX - 4)

    def _font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(SMALL_PX)
        return font


class StaleDot(QWidget):
    """A dot in the corner: the results shown are for an earlier request."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._host = parent
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName(tr("Updating"))
        self.setFixedSize(DOT_PX + 2, DOT_PX + 2)
        self.hide()

    def settle(self) -> None:
        """Move to the parent's corner."""
        self.move(self._host.width() - self.width() - GRID_PX, GRID_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        now, painter = colours(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(now.canvas, 1))
        painter.setBrush(now.accent)
        painter.drawEllipse(QRectF(1, 1, DOT_PX, DOT_PX))
        painter.end()


class Marker(QWidget):
    """A small cross at the position of another pane's pointer."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.resize(MARK_PX, MARK_PX)
        self.hide()

    def mark(self, position: QPoint | None) -> None:
        """Show the cross at a position in the parent, or hide it for None."""
        self.setVisible(position is not None)
        if position is not None:
            self.move(position - QPoint(MARK_PX // 2, MARK_PX // 2))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, middle = QPainter(self), MARK_PX / 2
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for ink, width in ((QColor("#16161a"), 3.0), (QColor("#ffffff"), 1.2)):
            painter.setPen(QPen(ink, width))
            painter.drawLine(QPointF(middle, 2), QPointF(middle, MARK_PX - 2))
            painter.drawLine(QPointF(2, middle), QPointF(MARK_PX - 2, middle))
