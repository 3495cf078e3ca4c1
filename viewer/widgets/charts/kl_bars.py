"""The KL divergence of each latent dimension as bars, largest first."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QSize
from PySide6.QtWidgets import QSizePolicy

from models.types import Bool, Float
from viewer import theme
from viewer.translation import tr
from viewer.widgets.charts import plot as plots
from viewer.widgets.charts.plot import Plot, Series

HEIGHT_PX = 120


class KLBars(Plot):
    """One bar per dimension, in nats. Dimensions in `quiet` are grey; `other` values, if given, are drawn as ticks."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.values = np.zeros(0, np.float32)
        self.order = np.zeros(0, np.int64)
        self._quiet = np.zeros(0, np.bool_)
        self._other: Float | None = None
        self.plot.setLabel("left", tr("Nats"))
        self.plot.getAxis("bottom").setStyle(tickLength=0)

    def show_values(self, values: Float, *, quiet: Bool, other: Float | None = None) -> None:
        """Show the KL divergences `values` (D,), sorted from largest to smallest."""
        self.values, self._quiet, self._other = values, quiet, other
        self.order = np.argsort(-values, kind="stable")
        text = ", ".join(f"z{row} {values[row]:.2f} nats" for row in self.order.tolist())
        self.describe(text, known=bool(np.isfinite(values).any()))

    def sizeHint(self) -> QSize:
        """Return a size for a column of controls."""
        return QSize(200, HEIGHT_PX)

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size that still shows something."""
        return QSize(120, HEIGHT_PX)

    def draw(self) -> None:
        """Draw the bars, with the dimensions' names below them."""
        now, places = theme.colours(), np.arange(len(self.values))
        heights = np.nan_to_num(self.values[self.order], posinf=0.0, neginf=0.0)
        brushes = [now.border if quiet else now.accent for quiet in self._quiet[self.order]]
        pens = [pg.mkPen(None)] * len(places)
        self.plot.addItem(pg.BarGraphItem(x=places, height=heights, width=0.8, brushes=brushes, pens=pens))
        most = float(heights.max(initial=0.0))
        if self._other is not None:
            ticks = np.nan_to_num(self._other[self.order])
            ends = np.stack([places - 0.4, places + 0.4], 1).ravel()
            self.curve(ends, np.repeat(ticks, 2), plots.pen(now.text, 2), connect="pairs")
            most = max(most, float(ticks.max(initial=0.0)))
        names = [(place, f"z{row}") for place, row in enumerate(self.order.tolist())]
        self.plot.getAxis("bottom").setTicks([names])
        self.fit((-0.5, len(places) - 0.5), (0.0, max(most, 1e-9) * 1.05))

    def series(self) -> list[Series]:
        """Return the nats by the dimensions' names, largest first, and the other values if given."""
        names = [f"z{row}" for row in self.order.tolist()]
        found = [Series(tr("KL in nats"), names, self.values[self.order])]
        return found + (
            [Series(tr("Over the folder"), names, self._other[self.order])] if self._other is not None else []
        )

    def explain(self, place: QPointF) -> str:
        """Return the dimension under the pointer and its KL divergence."""
        at = round(self.value_at(place)[0])
        if not 0 <= at < len(self.values):
            return ""
        row = int(self.order[at])
        over = tr("; {other:.3f} over the folder", other=self._other[row]) if self._other is not None else ""
        return f"z{row}: {self.values[row]:.3f} nats{over}"
