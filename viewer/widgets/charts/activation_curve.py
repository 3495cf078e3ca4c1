"""An activation function and its derivative over the histogram of the inputs that it got."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt

from models.types import Float, Int
from viewer import theme
from viewer.translation import tr
from viewer.widgets.charts import plot as plots
from viewer.widgets.charts.histogram import BinPlot
from viewer.widgets.charts.plot import Series, mixed

HEIGHT_PX = 190


class ActivationCurve(BinPlot):
    """Bars grow with the square root of the count, scaled to the curves' height: rare inputs must stay visible."""

    def __init__(self, name: str) -> None:
        super().__init__(name, height_px=HEIGHT_PX)
        self.counts: Int = np.zeros(0, np.int64)
        self.places = self.curve_values = self.slope = np.zeros(0, np.float32)
        self.plot.showAxis("left")
        self._legend = self.add_legend()

    def show_call(self, counts: Int, span: float, x: Float, curve: Float, slope: Float) -> None:
        """Show the counts (B,) of the inputs from -span to span, and the function at `x` (P,)."""
        self.counts, self.places, self.curve_values, self.slope = counts, x, curve, slope
        self.edges = np.linspace(-span, span, len(counts) + 1)
        low, high = self._range()
        share = np.sqrt(counts / max(int(counts.max(initial=0)), 1))
        self.heights = share * (high - low)
        text = tr("{count:,} inputs from {low:.3g} to {high:.3g}", count=int(counts.sum()), low=-span, high=span)
        self.describe(text, known=bool(np.isfinite(curve).any()))

    def draw(self) -> None:
        """Draw the bars from the bottom, the curves and the axes through zero."""
        now, (low, high) = theme.colours(), self._range()
        brush = mixed(now.panel, now.accent, 0.45)
        bars = pg.BarGraphItem(
            x0=self.edges[:-1], x1=self.edges[1:], y0=low, height=self.heights, brush=brush, pen=pg.mkPen(None)
        )
        self.plot.addItem(bars)
        for place in (pg.InfiniteLine(0.0, pen=plots.pen(now.border)), pg.InfiniteLine(0.0, angle=0)):
            place.setPen(plots.pen(now.border))
            self.plot.addItem(place)
        function = plots.pen(now.text, 2.4)
        slope = plots.pen(theme.class_colour(1), 1.8, Qt.PenStyle.DashLine)
        self.curve(self.places, self.slope, slope)
        self.curve(self.places, self.curve_values, function)
        self._legend.clear()
        self._legend.add(pg.PlotCurveItem(pen=function), tr("Function"))
        self._legend.add(pg.PlotCurveItem(pen=slope), tr("Derivative"))
        self._legend.add(pg.BarGraphItem(x=[], height=[], width=1, brush=brush), tr("Inputs"))
        self.fit((float(self.edges[0]), float(self.edges[-1])), (low, high), margin=(0.01, 0.02))

    def series(self) -> list[Series]:
        """Return the counts over the lower ends of the bins, the function and its derivative."""
        return [
            Series(tr("Inputs"), self.edges[:-1], self.counts),
            Series(tr("Function"), self.places, self.curve_values),
            Series(tr("Derivative"), self.places, self.slope),
        ]

    def explain(self, place: QPointF) -> str:
        """Return the inputs, the function and the derivative at the pointer."""
        row = self.bin_at(place)
        if row < 0 or not len(self.places):
            return ""
        at = int(np.abs(self.places - self.value_at(place)[0]).argmin())
        return tr(
            "{x:.3g}: function {y:.3g}, derivative {slope:.3g}; {count:,} inputs near it",
            x=float(self.places[at]),
            y=float(self.curve_values[at]),
            slope=float(self.slope[at]),
            count=int(self.counts[row]),
        )

    def _range(self) -> tuple[float, float]:
        both = np.concatenate([self.curve_values, self.slope, [0.0, 1.0]])
        known = both[np.isfinite(both)]
        return float(known.min()), float(known.max())
