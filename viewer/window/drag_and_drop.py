"""Drag and drop on a window: show what a drop will do, and open what was dropped or pasted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QLabel

from models.types import Refusal
from viewer.window import dropped_data
from viewer.window.context import WindowContext

HINT_SIZE_PX = (400, 48)
HINT_ABOVE_PX = 88


class DragAndDrop(QObject):
    """Handles a window's drag events, and opens what was dropped or pasted.

    `take_sessions` opens the first session among some paths and returns the others, `open_code` asks about a file of
    code, `choose_second` opens weights beside the model. `hinted` is emitted with what a drop would do.
    """

    hinted = Signal(str)

    def __init__(
        self,
        context: WindowContext,
        *,
        take_sessions: Callable[[Sequence[str | Path]], list[str | Path]],
        open_code: Callable[[str], None],
        choose_second: Callable[[str], None],
    ) -> None:
        super().__init__(context.frame)
        self._context = context
        self._take_sessions, self._open_code, self._choose_second = take_sessions, open_code, choose_second
        self.label = QLabel(context.canvas)
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.label.setObjectName("drop-hint")
        self.label.setAccessibleName("What a drop will do")
        self.label.setAutoFillBackground(True)
        self.label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.label.hide()
        context.frame.setAcceptDrops(True)
        context.frame.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Handle the window's drag events."""
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
        """Show what a drop would do; an empty text hides it."""
        self.hinted.emit(text)
        self.label.setText(text)
        width, height = HINT_SIZE_PX
        room = self._context.canvas.rect()
        self.label.setGeometry((room.width() - width) // 2, room.height() - HINT_ABOVE_PX, width, height)
        self.label.setVisible(bool(text))
        self.label.raise_()

    def open_data(self, data: QMimeData) -> bool:
        """Open what was pasted or dropped; return whether there was anything to open."""
        paths: Sequence[str | Path] = dropped_data.paths_in(data)
        try:
            if not paths and (path := dropped_data.pasted_picture(data, self._context.settings.folder / "pasted")):
                paths = [path]
        except Refusal as refusal:
            self._context.messages.tell(f"{refusal} {refusal.advice}", severity="error")
            return True
        code = [path for path in paths if Path(path).suffix.lower() == ".py"]
        if code:
            self._open_code(str(code[0]))
        if pictures := self._take_sessions([path for path in paths if path not in code]):
            self._context.session.open_paths(pictures)
        return bool(paths)

    def _take(self, event: QDropEvent) -> None:
        self.hint("")
        weights = dropped_data.weights_in(dropped_data.paths_in(event.mimeData()))
        if weights and _shift(event):
            self._choose_second(str(weights[0].absolute()))
            event.acceptProposedAction()
        elif self.open_data(event.mimeData()):
            event.acceptProposedAction()
            self._context.frame.activateWindow()


def _shift(event: QDropEvent) -> bool:
    """Return whether Shift is held, in which case the drop opens beside the model."""
    return bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
