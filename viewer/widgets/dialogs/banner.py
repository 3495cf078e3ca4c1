"""A question in a bar above the window's centre, which stays until it is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from viewer import theme
from viewer.translation import tr
from viewer.widgets.controls.elided_label import ElidedLabel

GAP = 8  # pixels, like the next
ICON = 20
Answer = tuple[str, Callable[[], None]]


class Notices(QWidget):
    """The window's centre with the banners above it, in one layout so that they never overlap."""

    def __init__(self, centre: QWidget) -> None:
        super().__init__()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(0)
        self.column.addWidget(centre, 1)


class Banner(QWidget):
    """One question with a button for each answer."""

    def __init__(self, place: Notices, text: str, answers: Sequence[Answer], *, help_text: str = "") -> None:
        super().__init__(place)
        self.setObjectName("banner")
        self.setAccessibleName(text)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        row = QHBoxLayout(self)
        row.setContentsMargins(GAP, GAP // 2, GAP, GAP // 2)
        row.setSpacing(GAP)
        self._icon = QLabel(self)
        self._icon.setAccessibleName(tr("Question"))
        self.text = ElidedLabel(text, lines=2, parent=self)
        self.text.setAccessibleDescription(help_text)
        row.addWidget(self._icon)
        row.addWidget(self.text, 1)
        self.buttons: list[QPushButton] = []
        for title, run in answers:
            button = QPushButton(title, self)
            button.clicked.connect(run)
            row.addWidget(button)
            self.buttons.append(button)
        place.column.insertWidget(0, self)
        self._tint()
        theme.changes().connect(self._tint)

    def leave(self) -> None:
        """Remove the banner, once it is answered."""
        self.hide()
        self.setParent(None)
        self.deleteLater()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colours().panel)
        painter.fillRect(0, self.height() - 1, self.width(), 1, theme.colours().border)

    def _tint(self) -> None:
        self._icon.setPixmap(theme.icon("info").pixmap(ICON, ICON))
