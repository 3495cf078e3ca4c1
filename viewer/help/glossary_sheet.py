"""The glossary over the window: a search line, the words, and what the chosen one means."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from viewer.help import glossary
from viewer.help.glossary_term import Term
from viewer.help.linked_text import TERM, linked
from viewer.translation import tr
from viewer.widgets.dialogs.modal_overlay import Overlay

WIDTH, HEIGHT = 720, 480  # pixels, like those below
LIST = 240
GAP = 8
STEPS = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -10, Qt.Key.Key_PageDown: 10}


class GlossarySheet(Overlay):
    """Every word, or those that contain what was typed. `searched` is emitted with a word looked up by a link."""

    shown = Signal(str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, name=tr("Glossary"))
        title = QLabel(tr("Glossary"), self.panel)
        font = title.font()
        font.setBold(True)
        title.setFont(font)
        self.search = QLineEdit(self.panel)
        self.search.setPlaceholderText(tr("Search the field's words"))
        self.search.setAccessibleName(tr("Search the glossary"))
        self.list = QListWidget(self.panel)
        self.list.setAccessibleName(tr("Words"))
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setMaximumWidth(LIST)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.word = QLabel()
        self.word.setTextFormat(Qt.TextFormat.PlainText)
        self.word.setWordWrap(True)
        self.word.setFont(font)
        self.text = QLabel()
        self.text.setTextFormat(Qt.TextFormat.RichText)
        self.text.setWordWrap(True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse
            | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
            | Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.text.linkActivated.connect(lambda link: self.show_term(link.removeprefix(TERM)))
        self._lay_out(title)
        self.order = (self.search, self.list, self.text)
        self.search.textChanged.connect(self._filter)
        self.list.currentItemChanged.connect(self._tell)

    @property
    def term(self) -> Term | None:
        """The word that is explained."""
        item = self.list.currentItem()
        return None if item is None else item.data(Qt.ItemDataRole.UserRole)

    @property
    def titles(self) -> list[str]:
        """The words in the list."""
        return [self.list.item(row).text() for row in range(self.list.count())]

    def open(self) -> None:
        """Show every word and take the keyboard focus."""
        self.search.clear()
        self._filter("")
        super().open()
        self.search.setFocus()

    def show_term(self, name: str) -> None:
        """Open at a word, by its id."""
        if not self.isVisible():
            self.open()
        else:
            self.search.clear()
        for row in range(self.list.count()):
            if self.list.item(row).data(Qt.ItemDataRole.UserRole).id == name:
                self.list.setCurrentRow(row)
                self.list.scrollToItem(self.list.item(row), QListWidget.ScrollHint.PositionAtCenter)
        self.shown.emit(name)

    def area(self) -> QRect:
        """A rectangle in the middle of the window."""
        room = self.room()
        width, height = min(WIDTH, room.width()), min(HEIGHT, room.height())
        return QRect(room.center().x() - width // 2, room.center().y() - height // 2, width, height)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if (step := STEPS.get(Qt.Key(event.key()))) and self.list.count():
            self.list.setCurrentRow(max(0, min(self.list.count() - 1, self.list.currentRow() + step)))
        else:
            super().keyPressEvent(event)

    def _lay_out(self, title: QLabel) -> None:
        inside = QWidget()
        words = QVBoxLayout(inside)
        words.setContentsMargins(GAP, 0, GAP, 0)
        words.setSpacing(GAP)
        words.addWidget(self.word)
        words.addWidget(self.text)
        words.addStretch(1)
        scroll = QScrollArea(self.panel)
        scroll.setAccessibleName(tr("What the word means"))
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inside)
        both = QHBoxLayout()
        both.setSpacing(GAP)
        both.addWidget(self.list, 2)
        both.addWidget(scroll, 3)
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        column.setSpacing(GAP)
        column.addWidget(title)
        column.addWidget(self.search)
        column.addLayout(both, 1)

    def _filter(self, text: str) -> None:
        terms = glossary.search(text) if text.strip() else glossary.sorted_terms()
        self.list.clear()
        for term in terms:
            item = QListWidgetItem(term.title, self.list)
            item.setData(Qt.ItemDataRole.UserRole, term)
            item.setToolTip(term.title)
        self.list.setCurrentRow(0)
        if not terms:
            self.word.setText(tr("No word of the glossary contains “{text}”.", text=text.strip()))
            self.text.clear()

    def _tell(self) -> None:
        if (term := self.term) is not None:
            self.word.setText(term.title)
            self.text.setText(linked(term.text, but=term.id))
            self.text.setAccessibleName(f"{term.title}: {term.text}")
