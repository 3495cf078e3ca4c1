"""The confusion matrix of a classifier: labels down, predictions across; a click chooses a cell."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF

from viewer.translation import tr, trn
from viewer.widgets.charts.confusion_matrix import MatrixChart
from viewer.widgets.charts.plot import Series


class ClassMatrix(MatrixChart):
    """Rows are labels and columns predictions."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.plot.setLabel("left", tr("Labelled as"))
        self.plot.setLabel("top", tr("Taken for"))

    def _write_names(self, side: str, names: Sequence[str], room_px: float) -> None:
        super()._write_names(side, self._names, room_px)

    def series(self) -> list[Series]:
        """Return the counts of each column, by the name of the row."""
        return [
            Series(tr("Taken for {name}", name=name), list(self._names), self._counts[:, column])
            for column, name in enumerate(self._names)
        ]

    def explain(self, place: QPointF) -> str:
        """Describe the count of the cell at a place."""
        cell = self.cell_at(place)
        if cell is None:
            return ""
        row, column = cell
        return trn(
            "{n:,} picture of {label} taken for {taken}. Click to see it.",
            "{n:,} pictures of {label} taken for {taken}. Click to see them.",
            int(self._counts[row, column]),
            label=self._names[row],
            taken=self._names[column],
        )
