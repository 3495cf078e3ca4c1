"""A horizontal bar chart with a name and a number per bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF
from PySide6.QtGui import QResizeEvent

from viewer import theme
from viewer.translation import tr
from viewer.widgets.charts.plot import Plot, Series, mixed

BAR, MOST_ROW_PX = 0.64, 26  # the height of a bar, as a share of its row


@dataclass(frozen=True)
class Bar:
    """One bar: its length `part` (0 to 1 of the full length), the `text` after it and the tooltip `help`."""

    name: str
    part: float
    text: str
    help: str = ""
    quiet: bool = False


class BarChart(Plot):
    """Horizontal bars with a common left edge, the first at the top."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._bars: Sequence[Bar] = ()
        self.plot.vb.invertY()
        self.plot.vb.setMouseEnabled(x=False)
        self.plot.hideAxis("bottom")
        self.plot.showAxis("right")
        for side in ("left", "right"):
            self.plot.getAxis(side).setStyle(tickLength=0, tickAlpha=0)

    def set_bars(self, bars: Sequence[Bar]) -> None:
        """Replace the bars."""
        self._bars = bars
        known = bool(np.isfinite([bar.part for bar in bars]).any())
        self.describe("; ".join(f"{bar.name}: {bar.text}" for bar in bars), known=known)

    def draw(self) -> None:
        """Draw the bars on their tracks, with the names to the left and the numbers to the right."""
        now, rows = theme.colours(), np.arange(len(self._bars))
        parts = np.nan_to_num([bar.part for bar in self._bars]).clip(0.0, 1.0)
        colours = [mixed(now.panel, now.accent, 0.45) if bar.quiet else now.accent for bar in self._bars]
        track = mixed(now.panel, now.border, 0.45)
        none = pg.mkPen(None)
        self.plot.addItem(pg.BarGraphItem(x0=0, width=1, y=rows, height=BAR, brush=track, pen=none))
        pens = [none] * len(rows)
        self.plot.addItem(pg.BarGraphItem(x0=0, width=parts, y=rows, height=BAR, brushes=colours, pens=pens))
        for side, texts in (("left", [bar.name for bar in self._bars]), ("right", [bar.text for bar in self._bars])):
            axis = self.plot.getAxis(side)
            axis.setPen(pg.mkPen(None))
            axis.setTicks([list(enumerate(texts))])
            axis.setTextPen(now.muted if side == "left" else now.text)
        self._fit()

    def resizeEvent(self, ev: QResizeEvent | None) -> None:
        """Keep rows from becoming higher than is good to read."""
        super().resizeEvent(ev)
        if ev is not None and self._bars:
            self._fit()

    def _fit(self) -> None:
        rows = max(float(len(self._bars)), self.height() / MOST_ROW_PX)
        self.fit((0.0, 1.0), (-0.5, rows - 0.5))

    def series(self) -> list[Series]:
        """Return each bar's name with the share of the full length and the text beside it."""
        names = [bar.name for bar in self._bars]
        return [
            Series(tr("Share"), names, np.array([bar.part for bar in self._bars])),
            Series(tr("Text"), names, [bar.text for bar in self._bars]),
        ]

    def explain(self, place: QPointF) -> str:
        """Return the name, number and help text of the bar at a point."""
        row = round(self.value_at(place)[1])
        if not self.field().top() <= place.y() <= self.field().bottom() or not 0 <= row < len(self._bars):
            return ""
        bar = self._bars[row]
        return bar.help or f"{bar.name}: {bar.text}"
