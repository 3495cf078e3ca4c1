"""Losses as curves over a place: of a box along a path, of a probability, or the recall over a number of proposals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtWidgets import QSizePolicy

from viewer import theme
from viewer.translation import tr
from viewer.widgets.charts import plot as plots
from viewer.widgets.charts.plot import Plot, Series

HEIGHT_PX = 190
Real = NDArray[np.floating]


class LossCurves(Plot):
    """Curves (K, P) over places (P,), each with a title; `mark` draws a vertical line, `chosen` a thicker curve."""

    def __init__(self, name: str, *, height_px: int = HEIGHT_PX) -> None:
        super().__init__(name)
        self._height_px = height_px
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.places: Real = np.zeros(0)
        self.curves: Real = np.zeros((0, 0))
        self.titles: tuple[str, ...] = ()
        self.mark: float | None = None
        self.chosen = -1
        self.most = np.inf
        self._legend = self.add_legend()

    def sizeHint(self) -> QSize:
        """Return a size for a column of controls."""
        return QSize(200, self._height_px)

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size that still shows something."""
        return QSize(96, self._height_px)

    def show_curves(
        self,
        places: Real,
        curves: Real,
        titles: Sequence[str],
        *,
        bottom: str,
        mark: float | None = None,
        chosen: int = -1,
        most: float = np.inf,
    ) -> None:
        """Show curves; values above `most` are out of sight at first."""
        self.places, self.curves, self.titles = places, curves, tuple(titles)
        self.mark, self.chosen, self.most = mark, chosen, most
        self.plot.setLabel("bottom", bottom)
        ends = [f"{title} {float(c[0]):.3g}…{float(c[-1]):.3g}" for title, c in zip(titles, curves, strict=True)]
        self.describe(", ".join(ends), known=bool(curves.size and np.isfinite(curves).any()))

    def draw(self) -> None:
        """Draw the curves, dashed from the fifth on, and the mark."""
        self._legend.clear()
        for number, (title, values) in enumerate(zip(self.titles, self.curves, strict=True)):
            style = Qt.PenStyle.SolidLine if number < 4 else Qt.PenStyle.DashLine
            line = plots.pen(theme.class_colour(number), 3.5 if number == self.chosen else 1.6, style)
            self.curve(self.places, values.astype(np.float64), line)
            self._legend.add(pg.PlotCurveItem(pen=line), title)
        if self.mark is not None:
            line = plots.pen(theme.colours().text, 1, Qt.PenStyle.DotLine)
            self.plot.addItem(pg.InfiniteLine(self.mark, pen=line))
        known = self.curves[np.isfinite(self.curves)]
        top = min(float(known.max(initial=0.1)), self.most)
        self.fit((float(self.places[0]), float(self.places[-1])), (min(float(known.min(initial=0)), 0.0), top * 1.05))

    def series(self) -> list[Series]:
        """Return every curve."""
        return [Series(title, self.places, values) for title, values in zip(self.titles, self.curves, strict=True)]

    def explain(self, place: QPointF) -> str:
        """Return the value of the curve under the pointer."""
        found = self.nearest(place, [(self.places, values) for values in self.curves])
        if found is None:
            return ""
        curve, at = found
        return tr(
            "{title}: {value:.4g} at {place:.3g}",
            title=self.titles[curve],
            value=float(self.curves[curve, at]),
            place=float(self.places[at]),
        )
