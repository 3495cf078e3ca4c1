"""The header of one of two panes: its letter, its model, the device and the run time."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPalette, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from viewer import theme
from viewer.translation import tr
from viewer.widgets.controls.elided_label import ElidedLabel

GAP = 8
ICON_PX = 16
HEIGHT_PX = 36


class PaneHead(QWidget):
    """A line with a letter, the model's name or the `box` that chooses it, and facts; below, an optional note.

    `resized` emits a new height, so that headers side by side can be given the same height.
    """

    resized = Signal(int)

    def __init__(self, letter: str, box: QWidget | None = None) -> None:
        super().__init__()
        self.letter = QLabel(letter)
        self.letter.setAccessibleName(tr("Pane {letter}", letter=letter))
        font = self.letter.font()
        font.setBold(True)
        self.letter.setFont(font)
        self.name = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle, parent=self)
        self.facts = ElidedLabel(role=QPalette.ColorRole.PlaceholderText)
        for label in (self.name, self.facts):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.note.setAccessibleName(tr("About pane {letter}", letter=letter))
        self.note.setContentsMargins(GAP, 0, GAP, GAP)
        self.note.hide()
        self._icons: dict[QToolButton, str] = {}
        self._line = QHBoxLayout()
        self._line.setContentsMargins(GAP, 0, GAP, 0)
        self._line.setSpacing(GAP)
        self._line.addWidget(self.letter)
        self._line.addWidget(self.name if box is None else box, 0)
        self._line.addWidget(self.facts, 1)
        self.name.setVisible(box is None)
        self.facts.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        line = QWidget()
        line.setFixedHeight(HEIGHT_PX)
        line.setLayout(self._line)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(line)
        column.addWidget(self.note)
        column.addStretch(1)
        self.setAutoFillBackground(True)
        theme.changes().connect(self._restyle)

    def add_button(self, icon: str, name: str, help_text: str, run: object) -> QToolButton:
        """Append a button to the line."""
        button = QToolButton()
        button.setAutoRaise(True)
        button.setAccessibleName(name)
        button.setToolTip(help_text)
        button.setIconSize(QSize(ICON_PX, ICON_PX))
        button.setIcon(theme.icon(icon))
        button.clicked.connect(run)
        self._icons[button] = icon
        self._line.addWidget(button)
        return button

    def tell(self, name: str, facts: str, note: str) -> None:
        """Show the model's name, facts about it, and a note ("" for none)."""
        if (name, facts, note) == (self.name.text(), self.facts.text(), self.note.text()):
            return
        self.name.setText(name)
        self.facts.setText(facts)
        self.note.setText(note)
        self.note.setVisible(bool(note))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit(event.size().height())

    def _restyle(self) -> None:
        for button, icon in self._icons.items():
            button.setIcon(theme.icon(icon))
