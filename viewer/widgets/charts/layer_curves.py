"""Curves over the layers of a network, in the order in which they are called: sizes on a log scale, or cosines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPen

from viewer import theme
from viewer.translation import tr
from viewer.widgets.charts import plot as plots
from viewer.widgets.charts.plot import Plot, Series

MISSING = tr("No layer has a value here yet.")
MOST_NAMES, MOST_TICKS = 7, 5
LEGEND = 0.5  # room for the legend at the left, as a share of the room for the curves
STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
Real = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class LayerCurve:
    """Values (L,), one for each layer; NaN where there is none. `rank` 0 is the main curve."""

    name: str
    values: Real
    rank: int

    @property
    def pen(self) -> QPen:
        """Return the pen. Curves differ in colour, width and dashes, so that colour alone never distinguishes them."""
        colour = theme.colours().text if self.rank == 0 else theme.class_colour(self.rank)
        return plots.pen(colour, 2.4 if self.rank == 0 else 1.8, STYLES[self.rank % len(STYLES)])


class LayerCurves(Plot):
    """Curves under a title, one value for each layer; with `logarithmic` only values above 0 are drawn."""

    def __init__(self, name: str, *, logarithmic: bool) -> None:
        super().__init__(name)
        self._title, self._logarithmic = name, logarithmic
        self.layers: Sequence[str] = ()
        self.curves: Sequence[LayerCurve] = ()
        self._legend = self.add_legend(bottom=True)

    def set_curves(self, layers: Sequence[str], curves: Sequence[LayerCurve]) -> None:
        """Replace the curves."""
        self.layers, self.curves = layers, curves
        known = any(np.isfinite(self._drawn(one)).any() for one in curves)
        rows = [", ".join(f"{layers[i]} {one.values[i]:.3g}" for i in range(len(layers))) for one in curves]
        text = "; ".join(f"{one.name}: {row}" for one, row in zip(curves, rows, strict=True))
        self.describe(text[:2000], known=known, missing=MISSING)

    def draw(self) -> None:
        """Draw title, grid, curves and legend."""
        now, places = theme.colours(), np.arange(len(self.layers), dtype=np.float64)
        self.plot.setTitle(self._title, color=now.text, size=f"{theme.SMALL_PX}px")
        self.plot.showGrid(x=False, y=True, alpha=0.3)
        self._legend.clear()
        drawn = [self._drawn(one) for one in self.curves]
        for one, values in zip(reversed(self.curves), reversed(drawn), strict=True):
            known = np.isfinite(values)
            self.curve(places[known], values[known], one.pen)
            dots = pg.ScatterPlotItem(places[known], values[known], size=5, pen=None, brush=one.pen.color())
            self.plot.addItem(dots)
        for one in self.curves:
            self._legend.add(pg.PlotCurveItem(pen=one.pen), one.name)
        every = np.concatenate([values[np.isfinite(values)] for values in drawn] or [np.zeros(1)])
        low, high = (float(every.min()), float(every.max())) if every.size else (0.0, 1.0)
        if self._logarithmic:
            low, high = math.floor(low), math.ceil(high)
            step = max(1, -(-(high - low) // MOST_TICKS))
            self.plot.getAxis("left").setTicks([[(n, f"1e{n:g}") for n in range(int(low), int(high) + 1, step)]])
        else:
            low, high = min(low, 0.0), max(high, 1.0)
        few = len(self.layers) <= MOST_NAMES
        names = [(place, _short(self.layers[place])) for place in range(len(self.layers))] if few else []
        self.plot.getAxis("bottom").setTicks([names])
        self.plot.setLabel("bottom", "" if few else tr("{count} layers, the first at the left", count=len(self.layers)))
        last = max(len(self.layers) - 1.0, 1.0)
        self.fit((-LEGEND * last, last), (low, max(high, low + 1e-6)), margin=(0.03, 0.06))

    def series(self) -> list[Series]:
        """Return each curve's values by the names of the layers."""
        return [Series(one.name, list(self.layers), one.values) for one in self.curves]

    def explain(self, place: QPointF) -> str:
        """Return the layer under the pointer with the value of every curve."""
        at = round(self.value_at(place)[0])
        if not self.field().contains(place) or not 0 <= at < len(self.layers):
            return ""
        told = [f"{one.name} {one.values[at]:.3g}" for one in self.curves if np.isfinite(one.values[at])]
        return f"{self.layers[at]}: {', '.join(told) or tr('nothing arrives')}"

    def _drawn(self, one: LayerCurve) -> Real:
        if not self._logarithmic:
            return one.values.astype(np.float64)
        values = one.values.astype(np.float64)
        return np.log10(values, out=np.full_like(values, np.nan), where=values > 0)


def _short(name: str) -> str:
    return name if len(name) <= 12 else f"…{name[-11:]}"
