"""The error of a cycle over the noise that was added to the picture made, beside what the noise itself changes."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt

from models.types import Float
from viewer import theme
from viewer.translation import tr
from viewer.widgets.charts import plot as plots
from viewer.widgets.charts.plot import Plot, Series


class NoiseCurve(Plot):
    """The curve with its spread; the dashed line is a way back that passes on the noise as it is."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.sigma = self.error = self.spread = self.added = np.zeros(0, np.float32)
        self._legend = self.add_legend()
        self.plot.setLabel("bottom", tr("Noise, sigma of 255"))
        self.plot.setLabel("left", tr("Error of 255"))
        self.plot.showGrid(x=True, y=True, alpha=0.3)

    def set_curve(self, sigma: Float, error: Float, spread: Float, added: Float) -> None:
        """Replace the points (K,), all in 255ths."""
        self.sigma, self.error, self.spread, self.added = sigma, error, spread, added
        rows = [f"{s:g}: {e:.2f}" for s, e in zip(sigma, error, strict=True)]
        self.describe("; ".join(rows), known=bool(np.isfinite(error).any()))

    @property
    def passed_on(self) -> Float:
        """Return the error of the undisturbed cycle and the noise together."""
        return self.error[:1] + self.added

    def draw(self) -> None:
        """Draw both curves, the spread as bars."""
        now = theme.colours()
        error = np.where(np.isfinite(self.error), self.error, np.nan)
        ends = np.stack([error - self.spread, error + self.spread], 1)
        self.curve(np.repeat(self.sigma, 2), ends.ravel(), plots.pen(now.border, 2), connect="pairs")
        dashed, whole = plots.pen(now.text, 1.4, Qt.PenStyle.DashLine), plots.pen(now.accent, 2.2)
        self.curve(self.sigma, self.passed_on, dashed)
        self.curve(self.sigma, error, whole)
        self._legend.clear()
        self._legend.add(pg.PlotCurveItem(pen=whole), tr("Error of the cycle"))
        self._legend.add(pg.PlotCurveItem(pen=dashed), tr("Noise passed on"))
        every = np.concatenate([ends.ravel(), self.passed_on])
        high = float(every[np.isfinite(every)].max(initial=0.0))
        self.fit((0.0, float(self.sigma.max())), (0.0, 1.7 * high), margin=(0.02, 0.02))

    def series(self) -> list[Series]:
        """Return both curves and the spread."""
        return [
            Series(tr("Error of the cycle"), self.sigma, self.error),
            Series(tr("Spread"), self.sigma, self.spread),
            Series(tr("Noise passed on"), self.sigma, self.passed_on),
        ]

    def explain(self, place: QPointF) -> str:
        """Return the values at the nearest point."""
        found = self.nearest(place, [(self.sigma, self.error), (self.sigma, self.passed_on)])
        if found is None:
            return ""
        at = found[1]
        return tr(
            "Noise {sigma:g}: error {error:.2f} ± {spread:.2f}; the noise itself changes {added:.2f}",
            sigma=float(self.sigma[at]),
            error=float(self.error[at]),
            spread=float(self.spread[at]),
            added=float(self.added[at]),
        )
