"""Values along a latent path, as plots stacked above each other with one line for the current time across them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPainterPath, QPen, QPolygonF

from viewer import theme
from viewer.widgets.charts.base import Chart
from viewer.widgets.pictures.key_frames import LEFT_PX, RIGHT_PX

LANE_PX = 34
LEAST_PX = 22
LABEL_GAP = 6
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lane:
    """One plot: `values` (N,) at `times` (N,) in [0, 1], on a scale from `low` to `high`. `band` is the usual range."""

    name: str
    times: Double
    values: Double
    low: float
    high: float
    band: tuple[float, float] | None = None
    help: str = ""


class PathPlots(Chart):
    """Plots stacked over one time axis.

    `sought` emits a time in [0, 1] while the user drags, `let_go` the drag's end.
    """

    sought = Signal(float)
    let_go = Signal()

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._lanes: Sequence[Lane] = ()
        self._now = 0.0
        self._bounds: Sequence[float] = ()

    def set_lanes(self, lanes: Sequence[Lane], *, bounds: Sequence[float] = ()) -> None:
        """Replace the plots. `bounds` are the times of the keys, drawn as faint lines."""
        self._lanes, self._bounds = lanes, bounds
        said = [f"{lane.name} from {lane.values.min():.3g} to {lane.values.max():.3g}" for lane in lanes]
        self.setAccessibleDescription("; ".join(said))
        self.updateGeometry()
        self.update()

    def set_now(self, time: float) -> None:
        """Move the line that marks the current time."""
        if time != self._now:
            self._now = time
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(320, LANE_PX * max(1, len(self._lanes)))

    def minimumSizeHint(self) -> QSize:
        return QSize(160, LEAST_PX * max(1, len(self._lanes)))

    def field(self, row: int) -> QRectF:
        """Return the rectangle in which the data of a plot is drawn."""
        height = self.height() / max(1, len(self._lanes))
        return QRectF(LEFT_PX, row * height + 3, self.width() - LEFT_PX - RIGHT_PX, height - 5)

    def draw(self, painter: QPainter) -> None:
        """Paint bands, curves, names and the line of the current time."""
        now = theme.colours()
        for row, lane in enumerate(self._lanes):
            field = self.field(row)
            painter.fillRect(field, now.window)
            if lane.band is not None:
                ends = [self._y(field, lane, end) for end in lane.band]
                shade = QColor(now.success)
                shade.setAlphaF(0.18)
                painter.fillRect(QRectF(field.left(), ends[1], field.width(), ends[0] - ends[1]), shade)
            painter.setPen(QPen(now.border, 1))
            for time in self._bounds:
                x = field.left() + time * field.width()
                painter.drawLine(QPointF(x, field.top()), QPointF(x, field.bottom()))
            self._curve(painter, field, lane)
            self._name(painter, field, lane)
        if self._lanes:
            x = LEFT_PX + self._now * (self.width() - LEFT_PX - RIGHT_PX)
            painter.setPen(QPen(now.accent, 1.5))
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))

    def explain(self, place: QPointF) -> str:
        """Return a plot's name and help, with its value under the pointer."""
        for row, lane in enumerate(self._lanes):
            field = self.field(row)
            if field.top() <= place.y() <= field.bottom():
                value = np.interp((place.x() - field.left()) / field.width(), lane.times, lane.values)
                return f"{lane.name} {value:.3g}. {lane.help}".strip()
        return ""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Seek to the time under the pointer."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._seek(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Keep seeking while the button is held."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._seek(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Emit `let_go`: the last time sought is final."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.let_go.emit()

    def _seek(self, event: QMouseEvent) -> None:
        share = (event.position().x() - LEFT_PX) / max(1, self.width() - LEFT_PX - RIGHT_PX)
        self.sought.emit(max(0.0, min(1.0, share)))

    def _y(self, field: QRectF, lane: Lane, value: float) -> float:
        span = (lane.high - lane.low) or 1.0
        share = max(0.0, min(1.0, (value - lane.low) / span))
        return field.bottom() - share * field.height()

    def _curve(self, painter: QPainter, field: QRectF, lane: Lane) -> None:
        x = field.left() + lane.times * field.width()
        points = [QPointF(a, self._y(field, lane, b)) for a, b in zip(x.tolist(), lane.values.tolist(), strict=True)]
        path = QPainterPath()
        path.addRect(field.adjusted(-1, -1, 1, 1))
        painter.save()
        painter.setClipPath(path)
        painter.setPen(QPen(theme.colours().text, 1.4))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(points))
        painter.restore()

    def _name(self, painter: QPainter, field: QRectF, lane: Lane) -> None:
        """Write the plot's name beside it, and its scale underneath if there is room."""
        line, wide = self.fontMetrics().height(), LEFT_PX - LABEL_GAP
        rows = [lane.name, f"{lane.low:.2g} to {lane.high:.2g}"]
        rows = rows if field.height() >= 2 * line else rows[:1]
        top = field.center().y() - line * len(rows) / 2
        for number, text in enumerate(rows):
            place = QRectF(0, top + number * line, wide, line)
            self.write(painter, place, text, colour=theme.colours().text if not number else None)
