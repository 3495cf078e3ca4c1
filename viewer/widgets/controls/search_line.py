"""A line that filters a list below it: Down goes into the list, Return takes its first row. It only tells."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QLineEdit, QToolButton, QWidget


class Search(QLineEdit):
    """`textChanged` tells what to look for, `taken` that Return was pressed."""

    taken = Signal()

    def __init__(self, words: str, *, below: QAbstractItemView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._below = below
        self.setPlaceholderText(words)
        self.setAccessibleName(words)
        self.setClearButtonEnabled(True)
        for button in self.findChildren(QToolButton):
            button.setAccessibleName("Clear")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Step into the list, take its first row, or clear what was typed."""
        if event.key() == Qt.Key.Key_Down:
            self._below.setFocus(Qt.FocusReason.TabFocusReason)
            if not self._below.currentIndex().isValid():
                self._below.setCurrentIndex(self._below.model().index(0, 0))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.taken.emit()
        elif event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        else:
            super().keyPressEvent(event)
