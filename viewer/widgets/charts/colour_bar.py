"""The colour bar of a heat map: its gradient with the lowest and highest value."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, QSize
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from viewer import theme
from viewer.context_menu.subject import Subject
from viewer.translation import tr

BAR_PX = 12
GAP = 4


class ColourBar(QWidget):
    """A gradient with its lowest and highest value underneath."""

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._low, self._high, self._map = 0.0, 1.0, "sequential"
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Colour bar"))

    def set_range(self, low: float, high: float, *, colour_map: str = "sequential") -> None:
        """Set the values at the two ends of the gradient and the name of the colour map."""
        self._low, self._high, self._map = low, high, colour_map
        self.setAccessibleDescription(tr("From {number} to {number_2}", number=_number(low), number_2=_number(high)))
        self.update()

    def subject_at(self, place: QPoint | None) -> Subject:
        """Tell the scale."""
        text = f"{_number(self._low)}\t{_number(self._high)}"
        return Subject(name=self.accessibleName(), text=text, picture=self.grab().toImage())

    def sizeHint(self) -> QSize:
        """Return room for the bar and a line of numbers."""
        return QSize(120, BAR_PX + GAP + self.fontMetrics().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the gradient and the numbers."""
        table = theme.heat_lut(self._map)
        painter = QPainter(self)
        strip = QImage(table.tobytes(), len(table), 1, QImage.Format.Format_RGBA8888)
        painter.drawImage(QRectF(0, 0, self.width(), BAR_PX), strip)
        painter.setPen(theme.colours().muted)
        line = BAR_PX + GAP + self.fontMetrics().ascent()
        high = _number(self._high)
        painter.drawText(0, line, _number(self._low))
        painter.drawText(self.width() - self.fontMetrics().horizontalAdvance(high), line, high)


def _number(value: float) -> str:
    """Return a whole number without decimals, any other number with three significant digits."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3g}"
