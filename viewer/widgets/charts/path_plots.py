"""Values along a latent path, as plots stacked above each other with one line for the current time across them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent

from viewer import theme
from viewer.translation import tr
from viewer.widgets.charts import plot as plots
from viewer.widgets.charts.plot import Axes, Plot, Series
from viewer.widgets.pictures.key_frames import LEFT_PX, RIGHT_PX

LANE_PX = 40
LEAST_PX = 26
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


class PathPlots(Plot):
    """Plots stacked over one time axis, which they zoom and pan together.

    `sought` emits a time in [0, 1] while the user drags, `let_go` the drag's end.
    """

    sought = Signal(float)
    release = Signal()

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._lanes: Sequence[Lane] = ()
        self._now = 0.0
        self._bounds: Sequence[float] = ()
        self._marks: list[pg.InfiniteLine] = []
        self.grid.setContentsMargins(0, 0, RIGHT_PX, 0)
        self.grid.setSpacing(4)
        self._style_axes(self.plot)

    def set_lanes(self, lanes: Sequence[Lane], *, bounds: Sequence[float] = ()) -> None:
        """Replace the plots. `bounds` are the times of the keys, drawn as faint lines."""
        self._lanes, self._bounds = lanes, bounds
        while len(self.axes) < len(lanes):
            axes = self.add_axes(row=len(self.axes))
            self._style_axes(axes)
            plots.share_x(self.plot, axes)
        for row, axes in enumerate(self.axes):
            axes.setVisible(row < max(1, len(lanes)))
            axes.setMaximumHeight(16_777_215 if row < max(1, len(lanes)) else 0)
        self._style()
        known = [(lane.name, lane.values[np.isfinite(lane.values)]) for lane in lanes]
        said = [
            tr("{name} from {values:.3g} to {values_2:.3g}", name=name, values=values.min(), values_2=values.max())
            for name, values in known
            if len(values)
        ]
        self.describe("; ".join(said), known=not lanes or bool(said))
        self.updateGeometry()

    def set_now(self, time: float) -> None:
        """Move the line that marks the current time."""
        if time != self._now:
            self._now = time
            for mark in self._marks:
                mark.setValue(time)

    def sizeHint(self) -> QSize:
        """Return a height for all plots."""
        return QSize(320, LANE_PX * max(1, len(self._lanes)))

    def minimumSizeHint(self) -> QSize:
        """Return the smallest height at which the plots can be told apart."""
        return QSize(160, LEAST_PX * max(1, len(self._lanes)))

    def draw(self) -> None:
        """Draw bands, curves, names and the line of the current time."""
        now = theme.colours()
        self._marks = []
        shade = QColor(now.success)
        shade.setAlphaF(0.18)
        for axes, lane in zip(self.axes, self._lanes, strict=False):
            axes.vb.setBackgroundColor(now.window)
            if lane.band is not None:
                region = pg.LinearRegionItem(lane.band, "horizontal", brush=shade, pen=pg.mkPen(None), movable=False)
                axes.addItem(region, ignoreBounds=True)
            for time in self._bounds:
                axes.addItem(pg.InfiniteLine(time, pen=plots.pen(now.border)), ignoreBounds=True)
            self.curve(lane.times, lane.values, plots.pen(now.text, 1.4), axes=axes)
            mark = pg.InfiniteLine(self._now, pen=plots.pen(now.accent, 1.5))
            axes.addItem(mark, ignoreBounds=True)
            self._marks.append(mark)
            high = lane.high if lane.high > lane.low else lane.low + 1.0
            span = high - lane.low
            scale = tr("{low:.3g} to {high:.3g}", low=lane.low, high=lane.high)
            axes.getAxis("left").setTicks([[(lane.low + 0.7 * span, lane.name), (lane.low + 0.2 * span, scale)]])
            axes.getAxis("left").setTextPen(now.text)
            self.fit((0.0, 1.0), (lane.low, high), axes=axes)

    def series(self) -> list[Series]:
        """Return each plot's values over time."""
        return [Series(lane.name, lane.times, lane.values) for lane in self._lanes]

    def explain(self, place: QPointF) -> str:
        """Return a plot's name and help, with its value under the pointer."""
        for axes, lane in zip(self.axes, self._lanes, strict=False):
            if self.field(axes).top() <= place.y() <= self.field(axes).bottom():
                value = np.interp(self.value_at(place, axes=axes)[0], lane.times, lane.values)
                return f"{lane.name} {value:.3g}. {lane.help}".strip()
        return ""

    def mousePressEvent(self, ev: QMouseEvent) -> None:
        """Seek to the time under the pointer; the middle button pans."""
        if ev.button() == Qt.MouseButton.LeftButton and self._lanes:
            self._seek(ev)
        else:
            super().mousePressEvent(ev)

    def mouseMoveEvent(self, ev: QMouseEvent) -> None:
        """Keep seeking while the button is held."""
        if ev.buttons() & Qt.MouseButton.LeftButton:
            self._seek(ev)
        else:
            super().mouseMoveEvent(ev)

    def mouseReleaseEvent(self, ev: QMouseEvent) -> None:
        """Emit `let_go`: the last time sought is final."""
        if ev.button() == Qt.MouseButton.LeftButton:
            self.release.emit()
        else:
            super().mouseReleaseEvent(ev)

    def _seek(self, event: QMouseEvent) -> None:
        self.sought.emit(max(0.0, min(1.0, self.value_at(event.position())[0])))

    def _style_axes(self, axes: Axes) -> None:
        axes.hideAxis("bottom")
        axes.getAxis("left").setWidth(LEFT_PX)
        axes.getAxis("left").setStyle(tickLength=0, tickAlpha=0)
        axes.vb.setMouseEnabled(y=False)
