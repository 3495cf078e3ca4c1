"""Keys that belong to the focused widget: a slider keeps its arrow keys, a button its Space."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)
from shiboken6 import isValid

STEPS = {Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End}
PLAIN = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier, Qt.KeyboardModifier.ShiftModifier)
PRESSED = (QAbstractButton, QAbstractItemView, QComboBox)
KEEPERS = (*PRESSED, QAbstractSlider, QAbstractSpinBox, QLineEdit, QPlainTextEdit, QTextEdit)


class FocusKeys(QObject):
    """Watches the focused widget: before running a shortcut, Qt asks the widget whether it wants the key itself."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._watched: QWidget | None = None
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._focused)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Claim keys for the widget, or let the shortcut run if the widget has nothing left to undo."""
        if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
            return False
        if isinstance(watched, PRESSED):
            event.setAccepted(event.key() == Qt.Key.Key_Space)
            return event.isAccepted()
        if event.key() in STEPS and event.modifiers() in PLAIN:
            event.accept()
            return True
        if _nothing_to_undo(watched) and (
            event.matches(QKeySequence.StandardKey.Undo) or event.matches(QKeySequence.StandardKey.Redo)
        ):
            event.ignore()
            return True
        return False

    def _focused(self, _: QWidget | None, now: QWidget | None) -> None:
        if self._watched is not None and isValid(self._watched):
            self._watched.removeEventFilter(self)
        self._watched = None
        if isinstance(now, KEEPERS) and self._window.isAncestorOf(now):
            self._watched = now
            now.installEventFilter(self)


def _nothing_to_undo(widget: QObject) -> bool:
    line = widget.findChild(QLineEdit) if isinstance(widget, QAbstractSpinBox) else widget
    return isinstance(line, QLineEdit) and not line.isModified()
