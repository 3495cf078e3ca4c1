"""One channel of a layer in a window of its own: every value as a cell, with zoom, and levels to drag."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from models.types import Float
from viewer import theme
from viewer.translation import tr
from viewer.widgets.charts.histogram import LevelHistogram
from viewer.widgets.charts.plot import Plot, Series

GAP = 8
SIDE_PX = 560


class ChannelImage(Plot):
    """The values (H, W) of a channel as square cells in the colours of a scale."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.values: Float = np.zeros((0, 0), np.float32)
        self._scale = (0.0, 1.0, "sequential")
        self.plot.vb.invertY()
        self.plot.vb.setAspectLocked(True)
        self.plot.setLabel("bottom", tr("Column"))
        self.plot.setLabel("left", tr("Row"))

    def show_values(self, values: Float, *, low: float, high: float, colours: str) -> None:
        """Show a channel with a scale from `low` to `high` in a colour map; values that are not finite stay empty."""
        self.values, self._scale = values, (low, high, colours)
        known = values[np.isfinite(values)]
        ends = (
            tr(", values from {known:.4g} to {known_2:.4g}", known=known.min(), known_2=known.max())
            if known.size
            else ""
        )
        missing = tr("No cell of this channel has a finite value.")
        self.describe(
            tr("{shape} rows, {shape_2} columns{ends}", shape=values.shape[0], shape_2=values.shape[1], ends=ends),
            known=bool(known.size),
            missing=missing,
        )

    def draw(self) -> None:
        """Draw the cells."""
        low, high, colours = self._scale
        levels = (low, high if high > low else low + 1)
        image = pg.ImageItem(self.values, levels=levels, lut=theme.heat_lut(colours), autoLevels=False)
        self.plot.addItem(image)
        rows, columns = self.values.shape
        image.setRect(QRectF(-0.5, -0.5, columns, rows))
        # Cells stay square, so that more than the channel is in view along one side.
        self.fit((-0.5, columns - 0.5), (-0.5, rows - 0.5), bounded=False)

    def series(self) -> list[Series]:
        """Return the values of each row over its columns."""
        columns = np.arange(self.values.shape[1])
        return [Series(tr("Row {row}", row=row), columns, values) for row, values in enumerate(self.values)]

    def explain(self, place: QPointF) -> str:
        """Return the value of the cell at a point."""
        across, down = self.value_at(place)
        row, column = round(down), round(across)
        if not (0 <= row < self.values.shape[0] and 0 <= column < self.values.shape[1]):
            return ""
        return tr(
            "Row {row}, column {column}: {values:.6g}", row=row, column=column, values=float(self.values[row, column])
        )

    def sizeHint(self) -> QSize:
        """Return a size at which cells can be told apart."""
        return QSize(SIDE_PX, SIDE_PX)


class ChannelWindow(QDialog):
    """A channel above the histogram of its values, whose levels set the colours here only."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.image = ChannelImage(tr("Channel"))
        self.levels = LevelHistogram(tr("Values of the channel"))
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.image, 1)
        column.addWidget(self.levels)
        self._colours = ""
        self.levels.region.sigRegionChanged.connect(self._recolour)

    def show_channel(self, title: str, values: Float, *, low: float, high: float, colours: str) -> None:
        """Show the values (H, W) of a channel under a title, at first with this scale."""
        self.setWindowTitle(title)
        self.setAccessibleName(title)
        self._colours = colours
        self.levels.show_map(values, low=low, high=high, colours=colours)
        self.image.show_values(values, low=low, high=high, colours=colours)

    def _recolour(self) -> None:
        low, high = self.levels.ends
        if high > low:
            self.levels.levels = (low, high)
            self.levels.redraw()
            self.image.show_values(self.image.values, low=low, high=high, colours=self._colours)
