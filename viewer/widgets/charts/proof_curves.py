"""Curves over a share from 0 to 1 (deletion, insertion), each labelled with its name and area."""

from __future__ import annotations

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

TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
MISSING = tr("No point of these curves has been computed with a finite value yet.")
Real = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Curve:
    """Values (L,) at `share` (L,), NaN where not computed yet, and the `area` under them.

    `rank` 0 is the main curve.
    """

    name: str
    share: Real
    values: Real
    area: float
    rank: int

    @property
    def pen(self) -> QPen:
        """Return the pen. Curves differ in colour, width and dashes, so that colour alone never distinguishes them."""
        colour = theme.colours().text if self.rank == 0 else theme.class_colour(self.rank)
        style = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine)[self.rank % 3]
        return plots.pen(colour, 2.4 if self.rank == 0 else 1.8, style)

    @property
    def label(self) -> str:
        """Return the name and the area."""
        return f"{self.name}  {self.area:.3f}"


class ShareChart(Plot):
    """Curves under a title, with a legend; the first is drawn on top."""

    def __init__(self, name: str, base: str) -> None:
        super().__init__(name)
        self._title, self._base = name, base
        self._curves: Sequence[Curve] = ()
        self._low, self._high = 0.0, 1.0
        self._legend = self.add_legend()
        self.plot.getAxis("bottom").setTicks([[(tick, f"{tick:.0%}") for tick in TICKS]])

    def set_curves(self, curves: Sequence[Curve], *, low: float, high: float) -> None:
        """Replace the curves; the value axis runs from `low` to `high`."""
        self._curves, self._low = curves, low
        self._high = high if high > low else low + 1.0
        known = any(np.isfinite(one.values).any() for one in curves)
        self.describe(
            "; ".join(tr("{one}: area {area:.3f}", one=one.name, area=one.area) for one in curves),
            known=known,
            missing=MISSING,
        )

    def draw(self) -> None:
        """Draw title, grid, curves and legend."""
        now = theme.colours()
        self.plot.setTitle(self._title, color=now.text, size=f"{theme.SMALL_PX}px")
        self.plot.setLabel("bottom", self._base)
        self.plot.showGrid(x=True, y=True, alpha=0.3)
        self._legend.clear()
        for one in reversed(self._curves):
            known = np.isfinite(one.values)
            self.curve(one.share[known], one.values[known], one.pen)
        for one in self._curves:
            self._legend.add(pg.PlotCurveItem(pen=one.pen), one.label)
        self.fit((0.0, 1.0), (self._low, self._high), margin=(0.02, 0.04))

    def series(self) -> list[Series]:
        """Return each curve's values over the share; not a number where not computed yet."""
        return [Series(one.name, one.share, one.values) for one in self._curves]

    def explain(self, place: QPointF) -> str:
        """Return the values at the nearest point of a curve."""
        found = self.nearest(place, [(one.share, one.values) for one in self._curves])
        if found is None:
            return ""
        one, row = self._curves[found[0]], found[1]
        return tr("{one} at {share:.0%}: {values:.4g}", one=one.name, share=one.share[row], values=one.values[row])
