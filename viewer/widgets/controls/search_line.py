"""A search line above a list: Down moves into the list, Return takes its first row."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QLineEdit, QToolButton, QWidget

from viewer.translation import tr


class Search(QLineEdit):
    """`textChanged` emits the text to search for; `taken` is emitted on Return."""

    taken = Signal()

    def __init__(self, words: str, *, below: QAbstractItemView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._below = below
        self.setPlaceholderText(words)
        self.setAccessibleName(words)
        self.setClearButtonEnabled(True)
        for button in self.findChildren(QToolButton):
            button.setAccessibleName(tr("Clear"))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move into the list, take its first row, or clear the text."""
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
