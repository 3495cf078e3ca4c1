"""The models of the zoo as a table, one per row; text is formatted only for visible cells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from models.cards.zoo_catalogue import NOT_STATED, Entry
from viewer.engine_texts import shown
from viewer.translation import tr

Index = QModelIndex | QPersistentModelIndex
ROW_PX = 28
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CENTRE = Qt.AlignmentFlag.AlignCenter


def size(count: int) -> str:
    """Return a number of bytes in readable units."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB" if count else "–"


def licence(entry: Entry) -> str:
    """Return the licence of an entry's weights, with a link shortened."""
    text = entry.licence.removeprefix("https://github.com/")
    return ("/".join(text.split("/")[:2]) if text != entry.licence else text) or (NOT_STATED if entry.tag else "–")


def _millions(entry: Entry) -> str:
    return f"{entry.parameters / 1e6:,.1f} M" if entry.parameters else "–"


# Title, width in pixels (0: the remaining width), text, sort key.
Column = tuple[str, int, Callable[[Entry], str], Callable[[Entry], Any]]
COLUMNS: tuple[Column, ...] = (
    (tr("Model"), 0, lambda e: e.architecture, lambda e: e.architecture),
    (tr("Weights"), 0, lambda e: e.tag or tr("none published"), lambda e: e.tag),
    (tr("From"), 88, lambda e: e.library, lambda e: e.library),
    (tr("Task"), 104, lambda e: shown(e.task).capitalize(), lambda e: e.task),
    (tr("Licence"), 136, licence, licence),
    (tr("Parameters"), 96, _millions, lambda e: e.parameters),
    (tr("Download"), 88, lambda e: ("" if e.measured or not e.bytes else "≈ ") + size(e.bytes), lambda e: e.bytes),
    (tr("In cache"), 72, lambda e: "", lambda e: e.name),
)
LICENCE, NUMBERS = 4, (5, 6)
CACHED = len(COLUMNS) - 1


class ZooRows(QAbstractTableModel):
    """The entries shown, and the names of those that are in the cache."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.there: Collection[str] = ()

    def take(self, entries: Sequence[Entry], there: Collection[str]) -> None:
        """Replace the entries; `there` are the names of those in the cache."""
        self.beginResetModel()
        self.entries, self.there = list(entries), there
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return len(self.entries) if parent is None or not parent.isValid() else 0

    def columnCount(self, parent: Index | None = None) -> int:
        return len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return COLUMNS[section][0] if role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: Index, role: int = 0) -> Any:
        entry, column = self.entries[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(entry, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return entry.licence or self.text(entry, column) if column == LICENCE else self.text(entry, column)
        if role == Qt.ItemDataRole.AccessibleTextRole and column == CACHED:
            return tr("In the cache") if entry.name in self.there else tr("Not in the cache")
        return None

    def text(self, entry: Entry, column: int) -> str:
        """Return the text of a cell."""
        if column == CACHED:
            return "✓" if entry.name in self.there else ""
        return COLUMNS[column][2](entry)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort the rows by a column; -1 restores the original order."""
        if column < 0:
            return
        self.beginResetModel()
        key = (lambda e: e.name not in self.there) if column == CACHED else COLUMNS[column][3]
        self.entries.sort(key=key, reverse=order == Qt.SortOrder.DescendingOrder)
        self.endResetModel()


class ZooTable(QTableView):
    """`opened` is emitted on Return or a double click, `left` when Up is pressed in the first row."""

    opened = Signal()
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.rows = ZooRows()
        self.setModel(self.rows)
        self.setAccessibleName(tr("Models"))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setSortingEnabled(True)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_PX)
        header = self.horizontalHeader()
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setHighlightSections(False)
        for number, (_, width, *_) in enumerate(COLUMNS):
            fixed = QHeaderView.ResizeMode.Interactive if width else QHeaderView.ResizeMode.Stretch
            header.setSectionResizeMode(number, fixed)
            if width:
                self.setColumnWidth(number, width)
        self.doubleClicked.connect(lambda _: self.opened.emit())

    @property
    def entry(self) -> Entry | None:
        """Return the entry of the current row."""
        row = self.currentIndex().row()
        return self.rows.entries[row] if 0 <= row < len(self.rows.entries) else None

    def take(self, entries: Sequence[Entry], there: Collection[str]) -> None:
        """Replace the entries, keeping the sort order and, if possible, the current entry."""
        before = self.entry
        self.rows.take(entries, there)
        header = self.horizontalHeader()
        self.rows.sort(header.sortIndicatorSection(), header.sortIndicatorOrder())
        row = self.rows.entries.index(before) if before in self.rows.entries else 0
        self.setCurrentIndex(self.rows.index(row, 0) if self.rows.entries else QModelIndex())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open on Return, leave upwards with Up in the first row."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit()
        elif event.key() == Qt.Key.Key_Up and self.currentIndex().row() <= 0:
            self.left.emit()
        elif event.key() == Qt.Key.Key_Escape:
            event.ignore()
        else:
            super().keyPressEvent(event)


def _alignment(column: int) -> Qt.AlignmentFlag:
    left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    return RIGHT if column in NUMBERS else CENTRE if column == CACHED else left
