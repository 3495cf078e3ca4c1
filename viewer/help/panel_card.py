"""The card that opens at the "?" of a panel: two sentences, a drawing, the paper, and the documentation."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QRect, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from viewer import theme
from viewer.help import panel_help
from viewer.help.drawing import Drawing
from viewer.help.linked_text import TERM, linked
from viewer.help.panel_help import PanelHelp
from viewer.translation import tr
from viewer.widgets.dialogs.modal_overlay import Overlay

WIDTH = 304  # pixels, like those below
GAP = 8
PAGE = "page:"
MORE = tr("More in the documentation")


class PanelCard(Overlay):
    """The help on one panel, beside its title. `term_wanted` and `page_wanted` lead on."""

    term_wanted = Signal(str)
    page_wanted = Signal(str, str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, name=tr("Help on a panel"))
        self._at = QRect()
        self.help: PanelHelp | None = None
        self.title = QLabel(self.panel)
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.close_button = QToolButton(self.panel)
        self.close_button.setAutoRaise(True)
        self.close_button.setAccessibleName(tr("Close"))
        self.close_button.clicked.connect(self.dismiss)
        self.drawing = Drawing(parent=self.panel)
        self.text = _text_with_links(self.panel)
        self.text.linkActivated.connect(lambda link: self.term_wanted.emit(link.removeprefix(TERM)))
        self.paper = _text_with_links(self.panel)
        self.paper.linkActivated.connect(lambda link: QDesktopServices.openUrl(QUrl(link)))
        self.page = _text_with_links(self.panel)
        self.page.setText(f'<a href="{PAGE}">{escape(MORE)}</a>')
        self.page.setAccessibleName(MORE)
        self.page.linkActivated.connect(self._open_page)
        self.order = (self.close_button, self.text, self.paper, self.page)
        self._lay_out()
        self._dress()
        theme.changes().connect(self._dress)

    def show_help(self, panel: str, title: str, at: QRect) -> None:
        """Show the help on a panel; `at` is where its "?" is, in the window's coordinates."""
        told = panel_help.of(panel)
        if told is None:
            return
        self._at, self.help = at, told
        self.title.setText(title)
        self.panel.setAccessibleName(tr("Help on {panel}", panel=title))
        self.text.setText(linked(told.text))
        self.text.setAccessibleName(told.text)
        self.drawing.show_drawing(panel, spoken=tr("Drawing: {panel}", panel=title))
        self.paper.setText(f'<a href="{told.address}">{escape(told.paper)}</a>')
        self.paper.setAccessibleName(tr("Paper: {paper}", paper=told.paper))
        self.paper.setToolTip(told.address)
        self.paper.setVisible(bool(told.paper))
        self.open()
        self.close_button.setFocus()

    def area(self) -> QRect:
        """The area below the "?", moved to lie within the window."""
        room = self.rect().adjusted(GAP, GAP, -GAP, -GAP)
        width = min(WIDTH, room.width())
        layout = self.panel.layout()
        height = min(layout.totalHeightForWidth(width) if layout is not None else 0, room.height())
        left = max(room.left(), min(self._at.right() - width, room.right() - width))
        top = max(room.top(), min(self._at.bottom() + GAP // 2, room.bottom() - height))
        return QRect(left, top, width, height)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Leave the window as it is: a card is no question."""

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.close_button)
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(2 * GAP, GAP, 2 * GAP, GAP)
        column.setSpacing(GAP)
        column.addLayout(head)
        column.addWidget(self.drawing)
        column.addWidget(self.text)
        column.addWidget(self.paper)
        column.addWidget(self.page)

    def _open_page(self) -> None:
        if self.help is not None:
            self.page_wanted.emit(self.help.page, self.help.part)

    def _dress(self) -> None:
        self.close_button.setIcon(theme.icon("close"))


def _text_with_links(parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
    )
    return label
