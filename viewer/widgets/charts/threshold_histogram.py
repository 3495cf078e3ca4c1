"""All boxes of a picture by their highest IoU, those chosen for training in front, with two thresholds to drag."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal

from models.types import Int
from viewer import theme
from viewer.canvas.layers import CORRECT, WRONG
from viewer.translation import tr
from viewer.widgets.charts import plot as plots
from viewer.widgets.charts.histogram import BinPlot
from viewer.widgets.charts.plot import Series, mixed

HEIGHT_PX = 150
FG, BG = "fg", "bg"
TITLES = {FG: tr("foreground"), BG: tr("background")}


class ThresholdHistogram(BinPlot):
    """Counts (N,) in equal bins of [0, 1], drawn by their square root: few boxes overlap an object well.

    `dragged` emits the name of a threshold, "fg" or "bg", its value and whether the drag is over.
    """

    dragged = Signal(str, float, bool)

    def __init__(self, name: str) -> None:
        super().__init__(name, height_px=HEIGHT_PX)
        none = np.zeros(0, np.int64)
        self.counts: Int = none
        self.positives: Int = none
        self.negatives: Int = none
        self.thresholds = {FG: 0.5, BG: 0.5}
        self.plot.setLabel("bottom", tr("Highest IoU with an object"))
        self._legend = self.add_legend()
        self.lines: dict[str, Any] = {}
        for key in (BG, FG):
            line = pg.InfiniteLine(0.5, movable=True, bounds=(0.0, 1.0))
            line.setZValue(10)
            self.plot.vb.addItem(line, ignoreBounds=True)  # not to the axes, which are cleared while it is dragged
            line.sigDragged.connect(partial(self._line_moved, key, False))
            line.sigPositionChangeFinished.connect(partial(self._line_moved, key, True))
            self.lines[key] = line

    def show_counts(self, counts: Int, positives: Int, negatives: Int, *, fg: float, bg: float, movable: bool) -> None:
        """Show how many boxes there are in each bin, and how many of them take part on either side."""
        self.counts, self.positives, self.negatives = counts, positives, negatives
        self.edges, self.heights = np.linspace(0, 1, len(counts) + 1), np.sqrt(counts.astype(np.float64))
        self.thresholds = {FG: fg, BG: bg}
        for key, line in self.lines.items():
            if not line.moving:
                line.setValue(self.thresholds[key])
            line.setVisible(movable)
        text = tr(
            "{all:,} boxes; {positives:,} positives and {negatives:,} negatives take part",
            all=int(counts.sum()),
            positives=int(positives.sum()),
            negatives=int(negatives.sum()),
        )
        self.describe(text, known=bool(counts.sum()), missing=tr("There are no boxes."))

    def draw(self) -> None:
        """Draw all boxes behind those that take part."""
        now = theme.colours()
        behind = mixed(now.panel, now.muted, 0.5)
        colours = {tr("All"): behind, tr("Negative"): theme.class_colour(WRONG), tr("Positive"): _good()}
        self.bars([behind] * len(self.heights))
        both = np.sqrt((self.positives + self.negatives).astype(np.float64))
        side = np.sqrt(self.positives.astype(np.float64))
        for heights, colour in ((both, theme.class_colour(WRONG)), (side, _good())):
            item = pg.BarGraphItem(
                x0=self.edges[:-1], x1=self.edges[1:], y0=0, height=heights, brush=colour, pen=pg.mkPen(None)
            )
            self.plot.addItem(item)
        self._legend.clear()
        for title, colour in colours.items():
            self._legend.add(pg.BarGraphItem(x=[], height=[], width=1, brush=colour), title)
        for key, line in self.lines.items():
            style = Qt.PenStyle.SolidLine if key == FG else Qt.PenStyle.DashLine
            line.setPen(plots.pen(now.text, 2, style))
            line.setHoverPen(plots.pen(now.accent, 4, style))
        self.fit((0.0, 1.0), (0.0, float(self.heights.max(initial=1)) * 1.05))

    def series(self) -> list[Series]:
        """Return the counts over the lower ends of the bins."""
        named = ((tr("All"), self.counts), (tr("Positive"), self.positives), (tr("Negative"), self.negatives))
        return [Series(title, self.edges[:-1], values) for title, values in named]

    def explain(self, place: QPointF) -> str:
        """Return the threshold or the counts under the pointer."""
        x = self.value_at(place)[0]
        for key in (FG, BG):
            if self.lines[key].isVisible() and abs(x - self.thresholds[key]) < 0.015:
                return tr("{name} IoU {value:.2f}: drag it", name=TITLES[key], value=self.thresholds[key])
        row = self.bin_at(place)
        if row < 0 or not len(self.counts):
            return ""
        return tr(
            "IoU {low:.2f} to {high:.2f}: {all:,} boxes, {positives:,} positives and {negatives:,} negatives taken",
            low=float(self.edges[row]),
            high=float(self.edges[row + 1]),
            all=int(self.counts[row]),
            positives=int(self.positives[row]),
            negatives=int(self.negatives[row]),
        )

    def _line_moved(self, key: str, final: bool, *_: object) -> None:
        value = min(max(round(float(self.lines[key].value()), 2), 0.0), 1.0)
        if final or value != self.thresholds[key]:
            self.dragged.emit(key, value, final)


def _good() -> Any:
    return theme.class_colour(CORRECT)
