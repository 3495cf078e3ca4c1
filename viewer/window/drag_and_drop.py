"""Drag and drop on a window: says what a drop will do, and hands over what was dropped. It opens nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QLabel

from viewer.window import dropped_data

if TYPE_CHECKING:
    from viewer.window.main_window import Window

HINT_SIZE_PX = (400, 48)
HINT_ABOVE_PX = 88


class Drops(QObject):
    """Watches a window's drag events."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window
        self.label = QLabel(window.canvas)
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.label.setObjectName("drop-hint")
        self.label.setAccessibleName("What a drop will do")
        self.label.setAutoFillBackground(True)
        self.label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.label.hide()
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the window's drag events."""
        match event.type():
            case QEvent.Type.DragEnter if isinstance(event, QDragEnterEvent):
                text = dropped_data.hint(dropped_data.paths_in(event.mimeData()), beside=_shift(event))
                if not text and event.mimeData().hasImage():
                    text = "Drop to open the picture"
                self.hint(text)
                if text:
                    event.acceptProposedAction()
                return True
            case QEvent.Type.DragMove if isinstance(event, QDragMoveEvent):
                if text := dropped_data.hint(dropped_data.paths_in(event.mimeData()), beside=_shift(event)):
                    self.hint(text)
                event.setAccepted(bool(self.label.text()))
                return True
            case QEvent.Type.DragLeave:
                self.hint("")
                return True
            case QEvent.Type.Drop if isinstance(event, QDropEvent):
                self._take(event)
                return True
        return super().eventFilter(watched, event)

    def hint(self, text: str) -> None:
        """Show what a drop would do; an empty text takes it back."""
        self._window.welcome.set_drop_hint(text)
        self.label.setText(text)
        width, height = HINT_SIZE_PX
        room = self._window.canvas.rect()
        self.label.setGeometry((room.width() - width) // 2, room.height() - HINT_ABOVE_PX, width, height)
        self.label.setVisible(bool(text))
        self.label.raise_()

    def _take(self, event: QDropEvent) -> None:
        self.hint("")
        weights = dropped_data.weights_in(dropped_data.paths_in(event.mimeData()))
        if weights and _shift(event):
            self._window.panes.choose(str(weights[0].absolute()))
            event.acceptProposedAction()
        elif self._window.verbs.open_data(event.mimeData()):
            event.acceptProposedAction()
            self._window.activateWindow()


def _shift(event: QDropEvent) -> bool:
    """Tell whether Shift is held: what is dropped opens beside the model."""
    return bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
