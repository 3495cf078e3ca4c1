"""The evaluation figures of each class as a table that can be copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from models.evaluation.report import CLASS_FIELDS
from viewer import theme
from viewer.translation import tr

TITLES = (
    tr("Class"),
    tr("Objects"),
    "AP",
    tr("AP at 0.5"),
    tr("AP at 0.75"),
    tr("Precision"),
    tr("Recall"),
    "F1",
    tr("Best F1"),
    tr("At score"),
)
Index = QModelIndex | QPersistentModelIndex


class _Rows(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self.rows: Sequence[dict[str, Any]] = ()
        self.labels: Sequence[int] = ()

    def rowCount(self, parent: Index | None = None) -> int:
        return len(self.rows) if parent is None or not parent.isValid() else 0

    def columnCount(self, parent: Index | None = None) -> int:
        return len(TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if role != Qt.ItemDataRole.DisplayRole or orientation != Qt.Orientation.Horizontal:
            return None
        return TITLES[section]

    def data(self, index: Index, role: int = 0) -> Any:
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            value = self.rows[row][CLASS_FIELDS[column]] if row or column else tr("All classes")
            if isinstance(value, float):
                return f"{value:.3f}"
            return "–" if value is None else f"{value:,}" if column else str(value)
        if role == Qt.ItemDataRole.TextAlignmentRole and column:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.DecorationRole and not column and row:
            return theme.swatch(theme.class_colour(self.labels[row - 1]))
        return None


class FigureTable(QTableView):
    """One row for all classes together, then one per class."""

    def __init__(self) -> None:
        super().__init__()
        self._rows = _Rows()
        self.setModel(self._rows)
        self.setAccessibleName(tr("Figures of each class"))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)

    def take(self, rows: Sequence[dict[str, Any]], labels: Sequence[int] = ()) -> None:
        """Replace the figures; keep scroll position and selection if the number of rows is the same."""
        same = len(rows) == len(self._rows.rows)
        if not same:
            self._rows.beginResetModel()
        self._rows.rows, self._rows.labels = rows, labels
        if same:
            self.viewport().update()
        else:
            self._rows.endResetModel()
