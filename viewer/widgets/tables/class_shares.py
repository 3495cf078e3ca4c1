"""The classes in a segmented picture as a table: colour, name, share of the pixels, mean probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from viewer import theme
from viewer.canvas.layers import NO_CLASS
from viewer.context_menu.subject import KNOWN, Subject, row_of
from viewer.presenters.segmentation import TITLES, Line, as_text
from viewer.translation import tr

Index = QModelIndex | QPersistentModelIndex
ROW_PX = 26
SHORT = (tr("Class"), tr("Share"), tr("Probability"))


class _Rows(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self.lines: Sequence[Line] = ()
        self.clear: Sequence[int] = ()

    def rowCount(self, parent: Index | None = None) -> int:
        return len(self.lines) if parent is None or not parent.isValid() else 0

    def columnCount(self, parent: Index | None = None) -> int:
        return len(SHORT)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.ToolTipRole:
            return TITLES[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return SHORT[section] if role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: Index, role: int = 0) -> Any:
        label, name, share, mean = self.lines[index.row()]
        column = index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return (name, f"{share:.1%}", f"{mean:.1%}")[column]
        if role == Qt.ItemDataRole.DecorationRole and not column:
            return theme.swatch(theme.class_colour(NO_CLASS if label in self.clear else label))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.ToolTipRole and not column:
            return tr("{name}: explain it", name=name)
        if role == KNOWN:
            return {"label": name}
        return None


class ClassShares(QTableView):
    """`chosen` emits the label of a row that was clicked or taken with Return; Ctrl+C copies every row."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.rows = _Rows()
        self.setModel(self.rows)
        self.setAccessibleName(tr("Classes in the picture"))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(4 * ROW_PX)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_PX)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.clicked.connect(self._choose)
        theme.changes().connect(self.viewport().update)

    @property
    def text(self) -> str:
        """Return the table as tab-separated text."""
        return as_text(list(self.rows.lines))

    def take(self, lines: Sequence[Line], clear: Sequence[int] = ()) -> None:
        """Replace the classes; those in `clear` are not painted and get no colour."""
        self.rows.beginResetModel()
        self.rows.lines, self.rows.clear = lines, clear
        self.rows.endResetModel()

    def mark(self, label: int) -> None:
        """Select the row of a class, none for -1."""
        row = next((number for number, line in enumerate(self.rows.lines) if line[0] == label), -1)
        if row < 0:
            self.clearSelection()
        elif row not in {index.row() for index in self.selectionModel().selectedRows()}:
            self.selectRow(row)

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell the class at a place: it can be explained."""
        index = self.indexAt(place) if place is not None else self.currentIndex()
        if not index.isValid():
            return row_of(self, place)
        name = self.rows.lines[index.row()][1]
        return row_of(self, place, offers=[(tr("Explain {name}", name=name), lambda: self._choose(index))])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose a row on Return, copy on Ctrl+C."""
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.text)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self._choose(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _choose(self, index: QModelIndex) -> None:
        self.chosen.emit(self.rows.lines[index.row()][0])


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
