"""A combo box to pick one of up to thousands of classes by typing part of its name."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QComboBox, QCompleter, QLineEdit, QSizePolicy

from models.cards import card
from viewer.session.lookup import word_for


class ClassBox(QComboBox):
    """`picked` emits the class's name, its number if the name is ambiguous, or "" for the first entry."""

    picked = Signal(str)

    def __init__(self, name: str, *, none: str) -> None:
        super().__init__()
        self._names: Sequence[str] | None = None
        self.setAccessibleName(name)
        self.line = QLineEdit()
        self.setLineEdit(self.line)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setMaxVisibleItems(16)
        self.line.setAccessibleName(name)
        completer = QCompleter(self.model(), self)
        self.setCompleter(completer)
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.activated.connect(self._typed)
        self.activated.connect(self._pick)
        self.line.editingFinished.connect(self._typed)
        self._word = ""
        self.list((), none=none)

    def list(self, names: Sequence[str], *, none: str) -> None:
        """List a model's classes by label; `none` is the text of the first entry."""
        if names != self._names:
            self._names = names
            with QSignalBlocker(self):
                self.clear()
                self.addItem(none, "")
                for label in card.label_ids(names):
                    self.addItem(names[label], word_for(label, names))
        elif none != self.itemText(0):
            self.setItemText(0, none)
        if not self.line.hasFocus() or self.line.text() != self.itemText(self.currentIndex()):
            self.follow(self._word)

    def follow(self, word: str) -> None:
        """Show a class without emitting a signal."""
        self._word = word
        index = max(self.findData(word), 0)
        if index != self.currentIndex():
            with QSignalBlocker(self):
                self.setCurrentIndex(index)
        typing = self.line.hasFocus() and self.line.isModified()
        if not typing and self.line.text() != self.itemText(index):
            self.setEditText(self.itemText(index))
        if not self.line.hasFocus():
            self.line.setCursorPosition(0)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll only when focused, so that scrolling the panel does not change the class."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def _pick(self, index: int) -> None:
        self.line.setModified(False)
        self._update_text(str(self.itemData(index)))

    def _typed(self, text: str = "") -> None:
        """Take the typed text if it names a class, otherwise restore the previous choice."""
        text = text or self.line.text()
        index = self.findText(text, Qt.MatchFlag.MatchFixedString)
        self.line.setModified(False)
        if index < 0:
            self.follow(self._word)
        elif text != self.itemText(max(self.findData(self._word), 0)):
            self._update_text(str(self.itemData(index)))

    def _update_text(self, word: str) -> None:
        if word != self._word:
            self.picked.emit(word)
