"""A question in a quiet bar over the window's content, which stays until it is answered. It knows no question."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMainWindow, QPushButton, QToolBar, QWidget

from viewer import theme
from viewer.widgets.controls.elided_label import ElidedLabel

GAP = 8  # pixels, as is the next
ICON = 20
Answer = tuple[str, Callable[[], None]]


class Banner(QToolBar):
    """One question with its answers, in the window's top tool bar area."""

    def __init__(self, window: QMainWindow, text: str, answers: Sequence[Answer], *, help_text: str = "") -> None:
        super().__init__("Question", window)
        self.setObjectName("banner")
        self.setMovable(False)
        self.setFloatable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setAccessibleName(text)
        self.toggleViewAction().setVisible(False)
        inner = QWidget(self)
        row = QHBoxLayout(inner)
        row.setContentsMargins(GAP, GAP // 2, GAP, GAP // 2)
        row.setSpacing(GAP)
        self._icon = QLabel(inner)
        self._icon.setAccessibleName("Question")
        self.text = ElidedLabel(text, lines=2, parent=inner)
        self.text.setAccessibleDescription(help_text)
        row.addWidget(self._icon)
        row.addWidget(self.text, 1)
        self.buttons: list[QPushButton] = []
        for title, run in answers:
            button = QPushButton(title, inner)
            button.clicked.connect(run)
            row.addWidget(button)
            self.buttons.append(button)
        self.addWidget(inner)
        window.addToolBar(Qt.ToolBarArea.TopToolBarArea, self)
        self._tint()
        theme.changes().connect(self._tint)

    def leave(self) -> None:
        """Go away: it is answered."""
        window = self.parent()
        if isinstance(window, QMainWindow):
            window.removeToolBar(self)
        self.deleteLater()

    def _tint(self) -> None:
        self._icon.setPixmap(theme.icon("info").pixmap(ICON, ICON))
