"""A small table whose cells are copied with a click."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QCursor, QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QHeaderView, QToolTip, QTreeWidget, QTreeWidgetItem

from viewer.translation import tr

NOTHING = "none"
LEAST_PX, MOST_PX = 56, 112  # width limits of value columns; the first column takes the rest


class Cells(QTreeWidget):
    """Rows of text under `titles`; a click on a cell copies it, as does Ctrl+C."""

    def __init__(self, name: str, titles: Sequence[str]) -> None:
        super().__init__()
        self.rows: tuple[tuple[str, ...], ...] = ()
        self.setAccessibleName(name)
        self.setHeaderLabels(list(titles))
        self.setRootIsDecorated(False)
        self.setSelectionBehavior(QTreeWidget.SelectionBehavior.SelectItems)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.itemClicked.connect(self._copy)

    def take(self, rows: Sequence[tuple[str, ...]]) -> None:
        """Replace the rows; an empty text is displayed as missing."""
        if tuple(rows) == self.rows:
            return
        self.rows = tuple(rows)
        self.clear()
        for row in rows:
            item = QTreeWidgetItem([text or NOTHING for text in row])
            for column, text in enumerate(row):
                item.setToolTip(column, tr("{text}\nClick to copy", text=text).strip())
            self.addTopLevelItem(item)
        for column in range(1, self.columnCount()):
            wanted = max(self.sizeHintForColumn(column) + 4, self.header().sectionSizeHint(column))
            self.header().resizeSection(column, max(LEAST_PX, min(MOST_PX, wanted)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy the current cell."""
        item = self.currentItem()
        if item is not None and event.matches(QKeySequence.StandardKey.Copy):
            self._copy(item, self.currentColumn())
        else:
            super().keyPressEvent(event)

    def _copy(self, item: QTreeWidgetItem, column: int) -> None:
        text = self.rows[self.indexOfTopLevelItem(item)][column]
        QGuiApplication.clipboard().setText(text)
        QToolTip.showText(QCursor.pos(), tr("Copied {text}", text=text).strip(), self)
