"""The Results panel: the detections as a table linked to the picture. Every number can be copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from PySide6.QtCore import QAbstractTableModel, QItemSelection, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QVBoxLayout

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer import theme
from viewer.context_menu.subject import KNOWN
from viewer.panels.base import Panel
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.lookup import row_of
from viewer.translation import tr

COLUMNS = (tr("Class"), tr("Score"), "x0", "y0", "x1", "y1", tr("Width"), tr("Height"))
Index = QModelIndex | QPersistentModelIndex


class Rows(QAbstractTableModel):
    """The detections of a result, one per row; text is formatted only for visible rows."""

    def __init__(self) -> None:
        super().__init__()
        self.result: Result | None = None
        self.current: Callable[[], bool] = lambda: False  # whether the result is the present model's

    def take(self, result: Result | None) -> None:
        """Replace the result."""
        self.beginResetModel()
        self.result = result
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        flat = parent is None or not parent.isValid()
        return len(self.result.arrays["boxes"]) if self.result is not None and flat else 0

    def columnCount(self, parent: Index | None = None) -> int:
        return len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return COLUMNS[section] if orientation == Qt.Orientation.Horizontal else section + 1

    def data(self, index: Index, role: int = 0) -> Any:
        if self.result is None:
            return None
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(row, column)
        if role == Qt.ItemDataRole.TextAlignmentRole and column:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.DecorationRole and column == 0:
            return theme.class_colour(int(self.result.arrays["labels"][row]))
        if role == KNOWN and self.current():
            return {"detection": int(self.result.arrays["ids"][row])}
        return None

    def text(self, row: int, column: int) -> str:
        """Return the text of a cell, as shown and copied."""
        assert self.result is not None
        arrays = self.result.arrays
        if column == 0:
            label, classes = int(arrays["labels"][row]), self.result.meta["classes"]
            return classes[label] if label < len(classes) else str(label)
        if column == 1:
            return f"{float(arrays['scores'][row]):.4f}"
        box = arrays["boxes"][row]
        numbers = (*box, box[2] - box[0], box[3] - box[1])
        return f"{float(numbers[column - 2]):.1f}"


class ResultsPanel(Panel):
    """The table; selecting a row selects its box, and vice versa."""

    id: ClassVar[str] = "results"
    rank: ClassVar[int] = 20

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.rows = Rows()
        self.table = QTableView()
        self.table.setModel(self.rows)
        self.table.setAccessibleName(tr("Detections"))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.setTabKeyNavigation(False)
        self.table.verticalHeader().setDefaultSectionSize(24)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.selectionModel().selectionChanged.connect(self._selected)
        self.table.doubleClicked.connect(lambda _: self.command_wanted.emit("zoom-selection"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        self._model = ""
        self.rows.current = lambda: self._model == self.store.document.model

    def refresh(self, document: Document, description: Description | None) -> None:
        """Follow the document's selection."""
        self._follow(document.selected)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """List the detections."""
        if slot == "detect":
            self._model = request.model
            self.rows.take(result)
            self._follow(self.store.document.selected)

    def forget(self) -> None:
        """Empty the table."""
        self.rows.take(None)

    def showEvent(self, event: QShowEvent) -> None:
        """Scroll to a selection made while the panel was closed."""
        super().showEvent(event)
        self.table.scrollTo(self.table.currentIndex())

    @property
    def text(self) -> str:
        """Return the table as tab-separated text."""
        lines = ["\t".join(COLUMNS)]
        lines += [
            "\t".join(self.rows.text(row, column) for column in range(len(COLUMNS)))
            for row in range(self.rows.rowCount())
        ]
        return "\n".join(lines)

    def _follow(self, selected: int) -> None:
        result, model = self.rows.result, self.table.selectionModel()
        wanted = row_of(result, selected) if result is not None else -1
        if [index.row() for index in model.selectedRows()] == ([wanted] if wanted >= 0 else []):
            return
        model.blockSignals(True)
        self.table.clearSelection()
        if wanted >= 0:
            self.table.selectRow(wanted)
            self.table.scrollTo(self.rows.index(wanted, 0))
        model.blockSignals(False)
        self.table.viewport().update()

    def _selected(self, selection: QItemSelection) -> None:
        rows = [index.row() for index in selection.indexes()]
        if rows and self.rows.result is not None and self._model == self.store.document.model:
            self.store.update(self.store.document.with_selected(int(self.rows.result.arrays["ids"][rows[0]])))


PANEL = ResultsPanel
