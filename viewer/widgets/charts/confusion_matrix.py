"""A confusion matrix as shaded cells, with class names along both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QMouseEvent

from viewer import theme
from viewer.translation import tr
from viewer.widgets.charts.plot import Plot, Series, mixed

MOST_NAME_PX = 96
MISSED = "miss"
MOST_NUMBERS = 400  # cells in view, beyond which their numbers are not written
DIGIT_PX = 7
CLICK_PX = 4


class MatrixChart(Plot):
    """Rows are objects and columns are detections; the last of each is background.

    `picked` emits the row and column of a clicked cell. Shading is relative to the row's sum. Numbers are written into
    the cells as soon as they fit; zooming in helps.
    """

    picked = Signal(int, int)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._pressed: QPointF | None = None
        self._names: Sequence[str] = ()
        self._counts: NDArray[np.int64] = np.zeros((0, 0), np.int64)
        self._texts: list[pg.TextItem] = []
        self._shades: NDArray[np.uint8] = np.zeros((0, 0, 3), np.uint8)
        self.plot.vb.invertY()
        self.plot.setLabel("left", tr("Object"))
        self.plot.setLabel("top", tr("Detected as"))
        self.plot.showAxis("top")
        self.plot.hideAxis("bottom")
        for side in ("left", "top"):
            self.plot.getAxis(side).setStyle(tickLength=0, tickAlpha=0)
        self.plot.vb.sigRangeChanged.connect(self._write)
        self.plot.vb.sigResized.connect(self._write)

    def set_counts(self, names: Sequence[str], counts: NDArray[np.int64]) -> None:
        """Set the counts (N, N) and the names (N,) of rows and columns."""
        self._names, self._counts = names, counts
        rows = [f"{name}: {', '.join(map(str, row))}" for name, row in zip(names, counts.tolist(), strict=True)]
        self.describe("; ".join(rows[:20]), known=bool(counts.size), missing=tr("There are no classes to confuse."))

    def draw(self) -> None:
        """Draw the cells and the names."""
        now, count = theme.colours(), len(self._names)
        parts = (self._counts / np.maximum(self._counts.sum(1, keepdims=True), 1)) ** 0.6
        ends = [_rgb(mixed(now.panel, now.accent, part)) for part in (0.08, 1.0)]
        shades = ends[0] + (ends[1] - ends[0]) * parts[..., None]
        shades[self._counts == 0] = _rgb(now.panel)
        self._shades = np.round(shades).astype(np.uint8)
        self.plot.addItem(pg.ImageItem(self._shades, levels=None, autoLevels=False))
        self._write_names("left", self._names, MOST_NAME_PX)
        self.fit((0.0, float(count)), (0.0, float(count)))
        self._write()

    def _write_names(self, side: str, names: Sequence[str], room_px: float) -> None:
        metrics = QFontMetrics(self.small)
        short = [metrics.elidedText(name, Qt.TextElideMode.ElideRight, int(room_px)) for name in names]
        self.plot.getAxis(side).setTicks([[(place + 0.5, name) for place, name in enumerate(short)]])

    def _write(self) -> None:
        """Write the names of the columns, and the counts of the cells in view where they fit."""
        for text in self._texts:
            self.plot.removeItem(text)
        self._texts = []
        if not self._counts.size:
            return
        (x0, x1), (y0, y1) = self.plot.vb.viewRange()
        count = len(self._names)
        columns = np.arange(max(0, int(x0)), min(count, int(np.ceil(x1))))
        rows = np.arange(max(0, int(y0)), min(count, int(np.ceil(y1))))
        field = self.field()
        wide, high = field.width() / max(x1 - x0, 1e-9), field.height() / max(y1 - y0, 1e-9)
        self._write_names("top", [*self._names[:-1], MISSED], wide - 2)
        if columns.size * rows.size > MOST_NUMBERS or high < theme.SMALL_PX + 2:
            return
        for row in rows.tolist():
            for column in columns.tolist():
                text = f"{self._counts[row, column]:,}"
                if self._counts[row, column] and wide > DIGIT_PX * len(text) + 2:
                    item = pg.TextItem(
                        text, color=theme.on_colour(QColor(*self._shades[row, column].tolist())), anchor=(0.5, 0.5)
                    )
                    item.setFont(self.small)
                    item.setPos(column + 0.5, row + 0.5)
                    self.plot.addItem(item, ignoreBounds=True)
                    self._texts.append(item)

    def series(self) -> list[Series]:
        """Return the counts of each column, by the name of the row."""
        heads = [*self._names[:-1], "nothing"] if len(self._names) else []
        rows = [*self._names[:-1], "background"] if len(self._names) else []
        return [
            Series(tr("Detected as {name}", name=name), rows, self._counts[:, column])
            for column, name in enumerate(heads)
        ]

    def cell_at(self, place: QPointF) -> tuple[int, int] | None:
        """Return the row and column at a point of the widget, None beside the cells."""
        count = len(self._names)
        if not count or not self.field().contains(place):
            return None
        across, down = self.value_at(place)
        return min(count - 1, max(0, int(down))), min(count - 1, max(0, int(across)))

    def explain(self, place: QPointF) -> str:
        """Describe the count of the cell at a place."""
        cell = self.cell_at(place)
        return self.told(*cell) if cell is not None else ""

    def told(self, row: int, column: int) -> str:
        """Return what a cell counts, in words."""
        value, last = int(self._counts[row, column]), len(self._names) - 1
        if row == last:
            return (
                tr("{value:,} detections of {names} on background", value=value, names=self._names[column])
                if column != last
                else ""
            )
        if column == last:
            return tr("{value:,} objects of {names} that nothing was found on", value=value, names=self._names[row])
        return tr(
            "{value:,} objects of {names} detected as {names_2}",
            value=value,
            names=self._names[row],
            names_2=self._names[column],
        )

    def mousePressEvent(self, ev: QMouseEvent | None) -> None:
        """Remember where a click began."""
        super().mousePressEvent(ev)
        self._pressed = ev.position() if ev is not None and ev.button() == Qt.MouseButton.LeftButton else None

    def mouseReleaseEvent(self, ev: QMouseEvent | None) -> None:
        """Choose the cell under a click, unless the matrix was dragged."""
        super().mouseReleaseEvent(ev)
        if ev is None or self._pressed is None:
            return
        moved = (ev.position() - self._pressed).manhattanLength() > CLICK_PX
        cell = None if moved else self.cell_at(ev.position())
        self._pressed = None
        if cell is not None:
            self.picked.emit(*cell)


def _rgb(colour: QColor) -> NDArray[np.float64]:
    return np.array([colour.red(), colour.green(), colour.blue()], np.float64)
