"""A label for a plain text that wraps and is never cut off: it asks for the height that its text needs at its width."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy


class WrappedLabel(QLabel):
    """Plain text that can be selected, called `name` by screen readers; it does not widen its parent unless `wide`."""

    def __init__(self, name: str = "", text: str = "", *, wide: bool = False, small: bool = False) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setAccessibleName(name)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        if not wide:
            self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        if small:
            self.setProperty("small", True)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show a text."""
        super().setText(text)
        self._keep_height()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._keep_height()

    def _keep_height(self) -> None:
        # Qt's layouts know the height of wrapped text only as a hint, and give less where room is scarce.
        self.setMinimumHeight(self.heightForWidth(self.width()) if self.text() else 0)
