"""What the charts share: fonts, colours, room for text, and a word on what lies under the pointer. It draws no data."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from viewer import theme

GAP = 8
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


class Chart(QWidget):
    """A painted chart. A subclass draws into `draw`, and says in `explain` what is under a place."""

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
        """Show that the numbers are not those of the settings of now."""
        if faded != self._faded:
            self._faded = faded
            self.update()

    def sizeHint(self) -> QSize:
        """Enough for the text to be read."""
        return QSize(280, 160)

    def minimumSizeHint(self) -> QSize:
        """The least that still shows something."""
        return QSize(160, 96)

    def draw(self, painter: QPainter) -> None:
        """Paint the data."""

    def explain(self, place: QPointF) -> str:
        """Return what is under a place of the widget, "" for nothing."""
        return ""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the chart."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(0.5 if self._faded else 1.0)
        self.draw(painter)
        painter.end()

    def event(self, event: QEvent) -> bool:
        """Explain what is under the pointer in a tool tip."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            text = self.explain(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), text, self) if text else QToolTip.hideText()
            return True
        return super().event(event)

    def width_of(self, text: str) -> int:
        """Return how many pixels a text takes."""
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
        """Write a text, cut short with an ellipsis if it does not fit."""
        painter.setPen(colour or theme.colours().muted)
        short = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(place.width()) + 1)
        painter.drawText(place, align | Qt.AlignmentFlag.AlignVCenter, short)


def mixed(one: QColor, other: QColor, part: float) -> QColor:
    """Return the colour that lies `part` of the way from one to the other."""
    pairs = zip((one.redF(), one.greenF(), one.blueF()), (other.redF(), other.greenF(), other.blueF()), strict=True)
    return QColor.fromRgbF(*(a + (b - a) * part for a, b in pairs))
