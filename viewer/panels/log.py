"""The Log panel: every message with its time."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPlainTextEdit, QVBoxLayout

from viewer.panels.base import Panel
from viewer.session.history import Store
from viewer.translation import tr

MOST_LINES = 5000


class LogPanel(Panel):
    """Messages, newest last, as text that can be copied."""

    id: ClassVar[str] = "log"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setMaximumBlockCount(MOST_LINES)
        flags = Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        self.text.setTextInteractionFlags(flags)
        self.text.setAccessibleName(tr("Log"))
        self.text.setPlaceholderText(tr("What Vitrine told you, and what the model printed, is listed here."))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.text)

    def write(self, text: str, details: str = "") -> None:
        """Append a message with its details underneath."""
        stamp = datetime.now().astimezone().strftime("%H:%M:%S")
        self.text.appendPlainText(f"{stamp}  {text}")
        if details:
            self.text.appendPlainText(details.rstrip())


PANEL = LogPanel
