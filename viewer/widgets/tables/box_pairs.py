"""The boxes of two models in a table: first those only one model found, then the matched pairs."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QItemSelection, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from viewer import theme
from viewer.canvas.layers import ONLY_A, ONLY_B
from viewer.context_menu.subject import KNOWN
from viewer.presenters.model_difference import Pairs
from viewer.translation import tr

COLUMNS = (tr("Class"), "A", "B", "B − A", "IoU")
HELP = (
    tr("Class name, which is how the boxes of two models are paired"),
    tr("Score that the first model gives"),
    tr("Score that the second model gives"),
    tr("Change of the score"),
    tr("How much the two boxes overlap"),
)
ROW_PX = 22
WIDEST = ("0.000", "0.000", "+0.0000", "0.000")
PADDING_PX = 10
Index = QModelIndex | QPersistentModelIndex


class PairRows(QAbstractTableModel):
    """One row per box or pair; text is formatted only for visible rows."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: Pairs | None = None
        self._listed: list[tuple[int, int]] = []

    def take(self, pairs: Pairs | None) -> None:
        """Replace the pairs."""
        self.beginResetModel()
        self.pairs, self._listed = pairs, pairs.rows if pairs is not None else []
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return len(self._listed) if parent is None or not parent.isValid() else 0

    def columnCount(self, parent: Index | None = None) -> int:
        return len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation == Qt.Orientation.Horizontal and role in (
            Qt.ItemDataRole.DisplayRole,
            Qt.ItemDataRole.ToolTipRole,
        ):
            return (COLUMNS if role == Qt.ItemDataRole.DisplayRole else HELP)[section]
        return None

    def data(self, index: Index, role: int = 0) -> Any:
        if self.pairs is None:
            return None
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self.pairs.texts(self._listed[row], row)[column]
        if role == Qt.ItemDataRole.TextAlignmentRole and column:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.DecorationRole and column == 0:
            return self._colour(row)
        if role == KNOWN:
            return {"detection": self.pairs.ids(self._listed[row])[0]}
        return None

    def _colour(self, row: int) -> Any:
        i, j = self._listed[row]
        if j < 0 or i < 0:
            return theme.class_colour(ONLY_A if j < 0 else ONLY_B)
        assert self.pairs is not None
        return theme.class_colour(int(self.pairs.a.arrays["labels"][i]))


class PairTable(QTableView):
    """`chosen` emits the ids of the boxes in a row, model A's and model B's, -1 for none."""

    chosen = Signal(int, int)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.rows = PairRows()
        self.setModel(self.rows)
        self.setAccessibleName(name)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_PX)
        self.horizontalHeader().setMinimumSectionSize(ROW_PX)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        for column, widest in enumerate(WIDEST, 1):
            self.setColumnWidth(column, self.fontMetrics().horizontalAdvance(widest) + PADDING_PX)
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.selectionModel().selectionChanged.connect(self._selected)

    def take(self, pairs: Pairs | None) -> None:
        """Replace the pairs."""
        if pairs is not self.rows.pairs:
            self.rows.take(pairs)

    def follow(self, a: int, b: int) -> None:
        """Select the row of the boxes with these ids."""
        pairs, model = self.rows.pairs, self.selectionModel()
        ids = [pairs.ids(each) for each in pairs.rows] if pairs is not None and (a >= 0 or b >= 0) else []
        wanted = next(
            (row for row, (one, other) in enumerate(ids) if (a >= 0 and one == a) or (a < 0 and other == b)), -1
        )
        if [index.row() for index in model.selectedRows()] == ([wanted] if wanted >= 0 else []):
            return
        model.blockSignals(True)
        self.clearSelection()
        if wanted >= 0:
            self.selectRow(wanted)
            self.scrollTo(self.rows.index(wanted, 0))
        model.blockSignals(False)
        self.viewport().update()

    @property
    def text(self) -> str:
        """Return the table as tab-separated text."""
        pairs = self.rows.pairs
        lines = [pairs.texts(each, row) for row, each in enumerate(pairs.rows)] if pairs is not None else []
        return "\n".join("\t".join(line) for line in (COLUMNS, *lines))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy the selected row."""
        row = self.currentIndex().row()
        if event.matches(QKeySequence.StandardKey.Copy) and row >= 0 and self.rows.pairs is not None:
            texts = self.rows.pairs.texts(self.rows.pairs.rows[row], row)
            QGuiApplication.clipboard().setText("\t".join(texts))
        else:
            super().keyPressEvent(event)

    def _selected(self, selection: QItemSelection) -> None:
        rows = [index.row() for index in selection.indexes()]
        if rows and self.rows.pairs is not None:
            self.chosen.emit(*self.rows.pairs.ids(self.rows.pairs.rows[rows[0]]))
