"""Curves of a classifier from 0 to 1 on both axes, and its reliability diagram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor

from models.types import Int
from viewer import theme
from viewer.translation import tr
from viewer.widgets.charts import plot as plots
from viewer.widgets.charts.plot import Plot, Series, mixed

MOST_LISTED = 6
Double = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class ClassCurve:
    """One curve; `label` chooses the colour, -1 stands for all classes together."""

    name: str
    label: int
    x: Double
    y: Double

    @property
    def colour(self) -> QColor:
        """Return the colour of the class, or the text colour for all classes together."""
        return theme.colours().text if self.label < 0 else theme.class_colour(self.label)


class ClassCurves(Plot):
    """Curves with the names of the first few; with `chance` the diagonal is drawn."""

    def __init__(self, name: str, *, across: str, up: str, chance: bool) -> None:
        super().__init__(name)
        self._chance = chance
        self.curves: Sequence[ClassCurve] = ()
        self._legend = self.add_legend(bottom=not chance)
        self.plot.setLabel("bottom", across)
        self.plot.setLabel("left", up)
        self.plot.showGrid(x=True, y=True, alpha=0.3)

    def set_curves(self, curves: Sequence[ClassCurve]) -> None:
        """Replace the curves; the first is drawn on top."""
        self.curves = curves
        known = any(bool((np.isfinite(one.x) & np.isfinite(one.y)).any()) for one in curves)
        self.describe("; ".join(one.name for one in curves), known=known)

    def draw(self) -> None:
        """Draw curves and legend."""
        if self._chance:
            self.curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]), plots.pen(theme.colours().border))
        self._legend.clear()
        for one in reversed(self.curves):
            self.curve(one.x, one.y, plots.pen(one.colour, 2.2 if one.label < 0 else 1.4))
        for one in self.curves[:MOST_LISTED]:
            self._legend.add(pg.PlotCurveItem(pen=plots.pen(one.colour, 2.2)), one.name)
        self.fit((0.0, 1.0), (0.0, 1.0), margin=(0.02, 0.04))

    def series(self) -> list[Series]:
        """Return the points of each curve."""
        return [Series(one.name, one.x, one.y) for one in self.curves]

    def explain(self, place: QPointF) -> str:
        """Return the values at the nearest point of a curve."""
        found = self.nearest(place, [(one.x, one.y) for one in self.curves])
        if found is None:
            return ""
        one, row = self.curves[found[0]], found[1]
        return f"{one.name}: {one.x[row]:.3f}, {one.y[row]:.3f}"


class ReliabilityChart(Plot):
    """The share of right answers over the confidence, in bins, beside the diagonal on which a calibrated model lies."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.confidence = self.accuracy = np.zeros(0)
        self.counts: Int = np.zeros(0, np.int64)
        self.plot.setLabel("bottom", tr("Confidence"))
        self.plot.setLabel("left", tr("Share that is right"))
        self.plot.showGrid(x=True, y=True, alpha=0.3)

    def set_bins(self, confidence: Double, accuracy: Double, counts: Int) -> None:
        """Replace the bins (B,), of equal width."""
        self.confidence, self.accuracy, self.counts = confidence, accuracy, counts
        rows = [f"{confidence[i]:.2f}: {accuracy[i]:.2f} ({counts[i]})" for i in np.flatnonzero(counts)]
        self.describe("; ".join(rows), known=bool(counts.any()))

    def draw(self) -> None:
        """Draw a bar for each bin with pictures, its gap to the diagonal, and the diagonal."""
        now, rows = theme.colours(), np.flatnonzero(self.counts)
        edges = np.linspace(0, 1, len(self.counts) + 1)
        share = np.sqrt(self.counts[rows] / max(int(self.counts.max(initial=1)), 1))
        brushes = [mixed(now.panel, now.accent, 0.25 + 0.75 * float(each)) for each in share]
        none = [pg.mkPen(None)] * len(rows)
        bars = pg.BarGraphItem(
            x0=edges[rows], x1=edges[rows + 1], y0=0, height=self.accuracy[rows], brushes=brushes, pens=none
        )
        self.plot.addItem(bars)
        ends = np.repeat(self.confidence[rows], 2)
        heights = np.stack([self.accuracy[rows], self.confidence[rows]], 1).ravel()
        self.curve(ends, heights, plots.pen(now.error, 2), connect="pairs")
        diagonal = plots.pen(now.text, 1.4, Qt.PenStyle.DashLine)
        self.curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]), diagonal)
        self.fit((0.0, 1.0), (0.0, 1.0), margin=(0.02, 0.04))

    def series(self) -> list[Series]:
        """Return accuracy and count over the mean confidence of the bins."""
        rows = np.flatnonzero(self.counts)
        x = self.confidence[rows]
        return [Series(tr("Right"), x, self.accuracy[rows]), Series(tr("Pictures"), x, self.counts[rows])]

    def explain(self, place: QPointF) -> str:
        """Return the bin under the pointer."""
        row = int(self.value_at(place)[0] * max(len(self.counts), 1))
        if not self.field().contains(place) or not 0 <= row < len(self.counts) or not self.counts[row]:
            return ""
        return tr(
            "{count:,} pictures with a confidence of {sure:.1%} on average, {right:.1%} of them right",
            count=int(self.counts[row]),
            sure=float(self.confidence[row]),
            right=float(self.accuracy[row]),
        )
