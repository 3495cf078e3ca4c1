"""Precision over recall, one curve per class, with a dot on each for the current settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QResizeEvent

from viewer import theme
from viewer.translation import tr
from viewer.widgets.charts import plot as plots
from viewer.widgets.charts.plot import Plot, Series

DOT_PX = 9
ENTRY_PX, LISTED = 18, 0.7  # a line of the legend, and the share of the height that it may take
MISSING = tr("No class has a curve: there are no objects, or nothing was detected.")
Double = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Line:
    """One curve: `recall`, `precision`, `score` (M,) and the `point` (recall, precision) at the current settings.

    `label` chooses the colour; -1 stands for all classes together.
    """

    name: str
    label: int
    recall: Double
    precision: Double
    score: Double
    point: tuple[float, float]

    @property
    def colour(self) -> QColor:
        """Return the colour of the class, or the text colour for all classes together."""
        return theme.colours().text if self.label < 0 else theme.class_colour(self.label)


class CurveChart(Plot):
    """Precision-recall curves with a legend of as many as fit."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._lines: Sequence[Line] = ()
        self._legend = self.add_legend(bottom=True)
        self.plot.setLabel("bottom", tr("Recall"))
        self.plot.setLabel("left", tr("Precision"))
        self.plot.showGrid(x=True, y=True, alpha=0.3)

    def set_lines(self, lines: Sequence[Line], *, missing: str = MISSING) -> None:
        """Replace the curves; the first is drawn on top. `missing` is said where no curve can be drawn."""
        self._lines = lines
        said = [
            tr(
                "{line}: recall {point:.3f}, precision {point_2:.3f}",
                line=line.name,
                point=line.point[0],
                point_2=line.point[1],
            )
            for line in lines
        ]
        known = any(np.isfinite(line.precision).any() for line in lines)
        self.describe("; ".join(said), known=known, missing=missing)

    def draw(self) -> None:
        """Draw curves, points and legend."""
        now = theme.colours()
        for one in reversed(self._lines):
            self.curve(one.recall, one.precision, plots.pen(one.colour, 2.2 if one.label < 0 else 1.4))
        shown = [one for one in reversed(self._lines) if np.isfinite(one.point).all()]
        dots = pg.ScatterPlotItem(
            [one.point[0] for one in shown],
            [one.point[1] for one in shown],
            size=DOT_PX,
            brush=[pg.mkBrush(one.colour) for one in shown],
            pen=plots.pen(now.panel, 1.5),
        )
        self.plot.addItem(dots)
        self._list()
        self.fit((0.0, 1.0), (0.0, 1.0), margin=(0.02, 0.04))

    def resizeEvent(self, ev: QResizeEvent | None) -> None:
        """List as many curves as there is room for."""
        super().resizeEvent(ev)
        if ev is not None:
            self._list()

    def _list(self) -> None:
        self._legend.clear()
        room = max(2, int(self.height() * LISTED / ENTRY_PX))
        listed = self._lines if len(self._lines) <= room else self._lines[: room - 1]
        for one in listed:
            self._legend.add(pg.PlotCurveItem(pen=plots.pen(one.colour, 2.2)), one.name)
        if len(listed) < len(self._lines):
            self._legend.add(
                pg.PlotCurveItem(pen=pg.mkPen(None)), tr("and {lines} more", lines=len(self._lines) - len(listed))
            )

    def series(self) -> list[Series]:
        """Return precision over recall for each curve, then the scores at its points."""
        curves = [Series(tr("{one} recall, precision", one=one.name), one.recall, one.precision) for one in self._lines]
        return curves + [Series(tr("{one} recall, score", one=one.name), one.recall, one.score) for one in self._lines]

    def explain(self, place: QPointF) -> str:
        """Return recall, precision and score at the nearest point of a curve."""
        found = self.nearest(place, [(one.recall, one.precision) for one in self._lines])
        if found is None:
            return ""
        one, row = self._lines[found[0]], found[1]
        numbers = tr(
            "recall {recall:.3f}, precision {precision:.3f}", recall=one.recall[row], precision=one.precision[row]
        )
        return tr("{one} at score {score:.3f}: {numbers}", one=one.name, score=one.score[row], numbers=numbers)
