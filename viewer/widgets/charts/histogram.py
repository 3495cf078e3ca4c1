"""Histograms: best IoUs with a threshold, two groups of values, the values of a channel, and of a map with levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QSizePolicy

from models.types import Float
from viewer import theme
from viewer.translation import tr
from viewer.widgets.charts import plot as plots
from viewer.widgets.charts.plot import Plot, Series

BINS = 32
Real = NDArray[np.floating]


class BinPlot(Plot):
    """A plot of bins with `edges` (N + 1,) and `heights` (N,), low enough for a column of controls."""

    def __init__(self, name: str, *, height_px: int) -> None:
        super().__init__(name)
        self._height_px = height_px
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.edges: Real = np.zeros(1)
        self.heights: Real = np.zeros(0)
        self.plot.hideAxis("left")
        self.plot.vb.setMouseEnabled(y=False)

    def sizeHint(self) -> QSize:
        """Return a size for a column of controls."""
        return QSize(200, self._height_px)

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size that still shows something."""
        return QSize(96, self._height_px)

    def bars(self, brushes: Sequence[QColor]) -> None:
        """Draw the bins as bars."""
        none = [pg.mkPen(None)] * len(self.heights)
        bars = pg.BarGraphItem(
            x0=self.edges[:-1], x1=self.edges[1:], y0=0, height=self.heights, brushes=list(brushes), pens=none
        )
        self.plot.addItem(bars)

    def line(self, x: float, *, dashed: bool = False) -> None:
        """Draw a vertical line."""
        style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
        self.plot.addItem(pg.InfiniteLine(x, pen=plots.pen(theme.colours().text, 1.5, style)))

    def bin_at(self, place: QPointF) -> int:
        """Return the bin at a point of the widget, -1 if there is none."""
        row = int(np.searchsorted(self.edges, self.value_at(place)[0], side="right")) - 1
        return row if 0 <= row < len(self.heights) else -1


class IoUHistogram(BinPlot):
    """Counts in equal bins of [0, 1].

    Bins whose centre is at or above `mark` are highlighted; `other` is an outline.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, height_px=112)
        self.counts: tuple[int, ...] = ()
        self.other: tuple[int, ...] = ()
        self.mark = 0.5
        self.plot.setLabel("bottom", tr("Best IoU"))

    def show_counts(self, counts: Sequence[int], *, mark: float, other: Sequence[int] = ()) -> None:
        """Replace the counts, one per bin."""
        self.counts, self.other, self.mark = tuple(counts), tuple(other), mark
        self.heights, self.edges = np.array(counts, np.float64), np.linspace(0, 1, len(counts) + 1)
        lines = [f"{self._range(i)}: {count:,}" for i, count in enumerate(self.counts) if count]
        self.describe("\n".join(lines), known=bool(lines), missing=tr("There are no objects to count."))

    def draw(self) -> None:
        """Draw the bars, the outline and the threshold."""
        now = theme.colours()
        middles = (self.edges[:-1] + self.edges[1:]) / 2
        self.bars([now.accent if middle >= self.mark else now.muted for middle in middles])
        if self.other:
            corners = plots.steps(self.edges, np.array(self.other, np.float64))
            self.curve(*corners, plots.pen(now.success, 2))
        self.line(self.mark, dashed=True)
        self.fit((0.0, 1.0), (0.0, max((*self.counts, *self.other, 1)) * 1.05))

    def series(self) -> list[Series]:
        """Return the counts over the lower ends of their bins."""
        found = [Series(tr("Objects by best IoU"), self.edges[:-1], self.heights)]
        return found + ([Series(tr("Before"), self.edges[:-1], np.array(self.other))] if self.other else [])

    def explain(self, place: QPointF) -> str:
        """Return the bin under the pointer with its counts."""
        row = self.bin_at(place)
        if row < 0:
            return ""
        before = tr(", {other:,} in outline", other=self.other[row]) if self.other else ""
        return tr(
            "Best IoU {range}: {counts:,} objects{before}",
            range=self._range(row),
            counts=self.counts[row],
            before=before,
        )

    def _range(self, row: int) -> str:
        return tr("{edges:.2f} to {edges_2:.2f}", edges=self.edges[row], edges_2=self.edges[row + 1])


class TwoHistograms(BinPlot):
    """Two histograms, each normalised by the size of its group: one filled, one in outline, with a marked value.

    `words` names the two groups and the marked value.
    """

    def __init__(self, name: str, words: tuple[str, str, str]) -> None:
        super().__init__(name, height_px=120)
        self.words = words
        self.other: Real = np.zeros(0)
        self.mark = 0.0
        self._legend = self.add_legend()

    def show_values(self, filled: Float, outlined: Float, *, mark: float) -> None:
        """Replace the values and the mark; either group may be empty. Values that are not finite are left out."""
        filled, outlined = (values[np.isfinite(values)] for values in (filled, outlined))
        both = np.concatenate([filled, outlined, [mark] if np.isfinite(mark) else []])
        low, high = (float(both.min()), float(both.max())) if both.size else (0.0, 1.0)
        self.edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
        shares = [np.histogram(values, self.edges)[0] / max(len(values), 1) for values in (filled, outlined)]
        self.heights, self.other, self.mark = shares[0], shares[1], mark
        medians = [f"{word} {_middle(of):.3g}" for word, of in zip(self.words, (filled, outlined), strict=False)]
        self.describe(
            tr("{words} {mark:.3g}; medians: {medians}", words=self.words[2], mark=mark, medians=", ".join(medians)),
            known=bool(both.size),
        )

    def draw(self) -> None:
        """Draw both groups and the mark."""
        now = theme.colours()
        self.bars([now.accent] * len(self.heights))
        self._legend.clear()
        self._legend.add(pg.BarGraphItem(x=[], height=[], width=1, brush=now.accent), self.words[0])
        if self.other.any():
            line = plots.pen(now.success, 2)
            self.curve(*plots.steps(self.edges, self.other), line)
            self._legend.add(pg.PlotCurveItem(pen=line), self.words[1])
        if np.isfinite(self.mark):
            self.line(self.mark)
        most = max(float(self.heights.max(initial=0)), float(self.other.max(initial=0)), 1e-9)
        self.fit((float(self.edges[0]), float(self.edges[-1])), (0.0, most * 1.05), margin=(0.01, 0.0))

    def series(self) -> list[Series]:
        """Return both groups' shares over the lower ends of the bins, and the mark."""
        both = ((self.words[0], self.heights), (self.words[1], self.other))
        shares = [Series(tr("{word} share", word=word), self.edges[:-1], values) for word, values in both]
        return [*shares, Series(self.words[2], np.array([self.mark]), np.array([np.nan]))]

    def explain(self, place: QPointF) -> str:
        """Return the bin under the pointer and each group's share in it."""
        row = self.bin_at(place)
        if row < 0:
            return ""
        other = f", {self.words[1]} {self.other[row]:.1%}" if self.other.any() else ""
        return tr(
            "{edges:.3g} to {edges_2:.3g}: {words} {heights:.1%}{other}",
            edges=self.edges[row],
            edges_2=self.edges[row + 1],
            words=self.words[0],
            heights=self.heights[row],
            other=other,
        )


class ValueHistogram(BinPlot):
    """The values of a channel in equal bins, with a line at zero if values of both signs occur.

    Bars grow with the square root of the count: rare values must stay visible beside very many zeros.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, height_px=96)
        self.counts: NDArray[np.int64] = np.zeros(0, np.int64)

    def show_values(self, values: Float) -> None:
        """Count these values; those that are not finite are left out."""
        known = values[np.isfinite(values)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        self.counts, self.edges = np.histogram(known, BINS, (low, high if high > low else low + 1))
        self.heights = np.sqrt(self.counts)
        left = values.size - known.size
        text = tr("{size:,} values from {low:.3g} to {high:.3g}", size=known.size, low=low, high=high) + (
            tr(", {left:,} not finite", left=left) if left else ""
        )
        missing = tr("None of these values is finite.") if values.size else tr("There are no values.")
        self.describe(text, known=bool(known.size), missing=missing)

    def draw(self) -> None:
        """Draw the bars."""
        low, high = float(self.edges[0]), float(self.edges[-1])
        self.bars([theme.colours().accent] * len(self.heights))
        if low < 0 < high:
            self.line(0.0, dashed=True)
        self.fit((low, high), (0.0, float(self.heights.max(initial=1)) * 1.05))

    def series(self) -> list[Series]:
        """Return the counts over the lower ends of their bins."""
        return [Series(tr("Values"), self.edges[:-1], self.counts)]

    def explain(self, place: QPointF) -> str:
        """Return the number of values in the bin under the pointer."""
        row = self.bin_at(place)
        if row < 0:
            return ""
        return tr(
            "{edges:.3g} to {edges_2:.3g}: {counts:,} places (height: square root)",
            edges=self.edges[row],
            edges_2=self.edges[row + 1],
            counts=self.counts[row],
        )


class LevelHistogram(BinPlot):
    """The values of a heat map in the colours of its scale, whose two ends can be dragged.

    `dragged` emits the field of the Look that an end stands for, its value and whether the drag is over. The scale of
    values of both signs is symmetric around zero: dragging one end moves the other.
    """

    dragged = Signal(str, float, bool)

    def __init__(self, name: str) -> None:
        super().__init__(name, height_px=96)
        self.counts: NDArray[np.int64] = np.zeros(0, np.int64)
        self.levels = (0.0, 1.0)
        self._colours = ""
        self.region = pg.LinearRegionItem(self.levels, brush=pg.mkBrush(None), hoverBrush=pg.mkBrush(None))
        self.region.setZValue(10)
        self.plot.vb.addItem(self.region, ignoreBounds=True)  # not to the axes, which are cleared while it is dragged
        self.region.sigRegionChanged.connect(lambda: self._moved_to(final=False))
        self.region.sigRegionChangeFinished.connect(lambda: self._moved_to(final=True))

    def show_map(self, values: Float, *, low: float, high: float, colours: str) -> None:
        """Show the values of a map with the scale from `low` to `high` in a colour map."""
        known = values[np.isfinite(values)]
        ends = (min(float(known.min(initial=low)), low), max(float(known.max(initial=high)), high))
        self.counts, self.edges = np.histogram(known, BINS, (ends[0], ends[1] if ends[1] > ends[0] else ends[0] + 1))
        self.heights, self.levels, self._colours = np.sqrt(self.counts), (low, high), colours
        self.region.blockSignals(True)
        self.region.setRegion(self.levels)
        self.region.blockSignals(False)
        text = tr("{size:,} cells; the scale runs from {low:.4g} to {high:.4g}", size=known.size, low=low, high=high)
        self.describe(text, known=bool(known.size), missing=tr("No cell of this map has a finite value."))
        self.region.setVisible(bool(known.size))

    @property
    def ends(self) -> tuple[float, float]:
        """Where the ends of the scale have been dragged to."""
        region: Any = self.region
        low, high = region.getRegion()
        return float(low), float(high)

    def draw(self) -> None:
        """Draw the bars, each in the colour of its middle."""
        low, high = self.levels
        middles = (self.edges[:-1] + self.edges[1:]) / 2
        table = theme.heat_lut(self._colours)
        rows = np.clip((middles - low) / max(high - low, 1e-12) * 255 + 0.5, 0, 255).astype(np.intp)
        self.bars([QColor(*table[row, :3].tolist()) for row in rows])
        for line in self.region.lines:
            line.setPen(plots.pen(theme.colours().text, 2))
            line.setHoverPen(plots.pen(theme.colours().accent, 3))
        ends = float(self.edges[0]), float(self.edges[-1])
        self.fit(ends, (0.0, float(self.heights.max(initial=1)) * 1.05), margin=(0.02, 0.0))

    def series(self) -> list[Series]:
        """Return the counts over the lower ends of their bins, and the levels."""
        return [
            Series(tr("Cells"), self.edges[:-1], self.counts),
            Series(tr("Levels"), np.array(self.levels), np.zeros(2)),
        ]

    def explain(self, place: QPointF) -> str:
        """Return the number of cells in the bin under the pointer."""
        row = self.bin_at(place)
        if row < 0:
            return ""
        return tr(
            "{edges:.3g} to {edges_2:.3g}: {counts:,} cells. Drag the ends.",
            edges=self.edges[row],
            edges_2=self.edges[row + 1],
            counts=self.counts[row],
        )

    def _moved_to(self, *, final: bool) -> None:
        """Tell which fields of the Look the ends that were dragged stand for: that nearer to zero is the floor."""
        ends, levels = self.ends, self.levels
        if levels[0] < 0 < levels[1]:
            moved = int(abs(ends[1] - levels[1]) > abs(ends[0] - levels[0]))
            found = {"scale": (abs(ends[moved]), levels[1])}
        elif levels[1] > 0:
            found = {"floor": (max(0.0, ends[0]), levels[0]), "scale": (ends[1], levels[1])}
        else:
            found = {"floor": (max(0.0, -ends[1]), -levels[1]), "scale": (-ends[0], -levels[0])}
        for name, (value, before) in found.items():
            if (name == "floor" or value > 0) and (value != before or final):
                self.dragged.emit(name, value, final)


def _middle(values: Float) -> float:
    return float(np.median(values)) if len(values) else float("nan")
