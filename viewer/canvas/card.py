"""A card in the corner of the canvas: a title and a table of numbers that can be copied."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QToolButton, QWidget

from viewer import theme
from viewer.canvas.layers import Note
from viewer.theme import GRID_PX, colours
from viewer.translation import tr

ICON_PX = 16
TITLE_MOST_PX = 200


class Card(QFrame):
    """Shows a note: its title, and its lines as names and values."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._host = parent
        self._note: Note | None = None
        self.setAccessibleName(tr("Numbers of the picked boxes"))
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.title, self.names, self.values = QLabel(), QLabel(), QLabel()
        self.copy = QToolButton()
        self.copy.setAccessibleName(tr("Copy the numbers of the picked boxes"))
        self.copy.setToolTip(tr("Copy the numbers"))
        self.copy.setAutoRaise(True)
        self.copy.setIconSize(QSize(ICON_PX, ICON_PX))
        self.copy.clicked.connect(self._copy)
        for label, name in ((self.title, tr("Picked boxes")), (self.names, tr("Names")), (self.values, tr("Values"))):
            label.setAccessibleName(name)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.values.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.title.setWordWrap(True)
        self.title.setMaximumWidth(TITLE_MOST_PX)
        grid = QGridLayout(self)
        grid.setContentsMargins(GRID_PX, GRID_PX // 2, GRID_PX, GRID_PX)
        grid.setHorizontalSpacing(2 * GRID_PX)
        grid.setColumnStretch(1, 1)
        grid.setVerticalSpacing(GRID_PX // 2)
        grid.addWidget(self.title, 0, 0, 1, 2)
        grid.addWidget(self.copy, 0, 2, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.names, 1, 0)
        grid.addWidget(self.values, 1, 1, 1, 2)
        theme.changes().connect(self._restyle)
        self._restyle()
        self.hide()

    @property
    def text(self) -> str:
        """The text shown, "" for none."""
        return self._note.text if self._note else ""

    def show_note(self, note: Note | None) -> None:
        """Show a note, or hide the card if there is none."""
        self._note = note
        self.setVisible(note is not None)
        if note is not None:
            self.title.setText(note.title)
            self.names.setText("\n".join(name for name, _ in note.lines))
            self.values.setText("\n".join(value for _, value in note.lines))
            self.adjustSize()
            self.settle()

    def settle(self) -> None:
        """Move to the parent's lower left corner."""
        self.move(GRID_PX, self._host.height() - self.height() - GRID_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        now, painter = colours(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(now.border, 1))
        painter.setBrush(now.panel)
        painter.drawRoundedRect(self.rect().toRectF().adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        painter.end()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text)

    def _restyle(self) -> None:
        self.copy.setIcon(theme.icon("copy"))
        self.update()
