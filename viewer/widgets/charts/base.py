"""The base class of all charts: font, colours, elided text, and a tooltip for what is under the pointer."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from viewer import theme

GAP = 8
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


class Chart(QWidget):
    """A painted chart. Subclasses paint in `draw` and describe what is at a point in `explain`."""

    def __init__(self, name: str, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self._faded = False
        font = QFont(self.font())
        font.setPixelSize(theme.SMALL_PX)
        self.setFont(font)
        theme.changes().connect(self.update)

    def set_faded(self, faded: bool) -> None:
        """Fade the chart while its numbers belong to older settings than the current ones."""
        if faded != self._faded:
            self._faded = faded
            self.update()

    def sizeHint(self) -> QSize:
        """Return a size at which the text is readable."""
        return QSize(280, 160)

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size that still shows something."""
        return QSize(160, 96)

    def draw(self, painter: QPainter) -> None:
        """Paint the data."""

    def explain(self, place: QPointF) -> str:
        """Return a description of what is at a point of the widget, "" if nothing is there."""
        return ""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the chart."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(0.5 if self._faded else 1.0)
        self.draw(painter)
        painter.end()

    def event(self, event: QEvent) -> bool:
        """Show the description of what is under the pointer as a tooltip."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            text = self.explain(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), text, self) if text else QToolTip.hideText()
            return True
        return super().event(event)

    def width_of(self, text: str) -> int:
        """Return the width of a text in pixels."""
        return self.fontMetrics().horizontalAdvance(text)

    def write(
        self,
        painter: QPainter,
        place: QRectF,
        text: str,
        *,
        align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
        colour: QColor | None = None,
    ) -> None:
        """Draw a text, elided if it does not fit."""
        painter.setPen(colour or theme.colours().muted)
        short = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(place.width()) + 1)
        painter.drawText(place, align | Qt.AlignmentFlag.AlignVCenter, short)


def mixed(one: QColor, other: QColor, part: float) -> QColor:
    """Return a linear mix of two colours in RGB: `one` at `part` = 0, `other` at 1."""
    pairs = zip((one.redF(), one.greenF(), one.blueF()), (other.redF(), other.greenF(), other.blueF()), strict=True)
    return QColor.fromRgbF(*(a + (b - a) * part for a, b in pairs))
