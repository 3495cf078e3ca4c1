"""A horizontal bar chart with a name and a number per bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from viewer import theme
from viewer.widgets.charts.base import GAP, Chart, mixed

MOST_ROW_PX = 26


@dataclass(frozen=True)
class Bar:
    """One bar: its length `part` (0 to 1 of the full length), the `text` after it and the tooltip `help`."""

    name: str
    part: float
    text: str
    help: str = ""
    quiet: bool = False


class BarChart(Chart):
    """Horizontal bars with a common left edge, sized to fit the widget."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._bars: Sequence[Bar] = ()

    def set_bars(self, bars: Sequence[Bar]) -> None:
        """Replace the bars."""
        self._bars = bars
        self.setAccessibleDescription("; ".join(f"{bar.name}: {bar.text}" for bar in bars))
        self.update()

    @property
    def row_height(self) -> float:
        """Return the height of one bar with the space around it, in pixels."""
        return min(MOST_ROW_PX, (self.height() - GAP / 2) / max(1, len(self._bars)))

    def draw(self, painter: QPainter) -> None:
        """Paint names, bars and numbers."""
        now, row = theme.colours(), self.row_height
        names = max((self.width_of(bar.name) for bar in self._bars), default=0) + GAP
        texts = max((self.width_of(bar.text) for bar in self._bars), default=0) + GAP
        room = max(8.0, self.width() - names - texts - GAP)
        for number, bar in enumerate(self._bars):
            y = number * row + GAP / 4
            self.write(painter, QRectF(0, y, names - GAP, row), bar.name, align=Qt.AlignmentFlag.AlignRight)
            track = QRectF(names, y + row * 0.18, room, row * 0.64)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(mixed(now.panel, now.border, 0.45))
            painter.drawRoundedRect(track, 2, 2)
            painter.setBrush(self._colour(bar))
            painter.drawRoundedRect(
                QRectF(track.left(), track.top(), room * min(1.0, max(0.0, bar.part)), track.height()), 2, 2
            )
            place = QRectF(names + room + GAP / 2, y, texts, row)
            self.write(painter, place, bar.text, colour=now.text)

    def explain(self, place: QPointF) -> str:
        """Return the help text of the bar at a place, "" if there is none."""
        number = int((place.y() - GAP / 4) // self.row_height)
        return self._bars[number].help if 0 <= number < len(self._bars) else ""

    def _colour(self, bar: Bar) -> QColor:
        now = theme.colours()
        return mixed(now.panel, now.accent, 0.45) if bar.quiet else now.accent
