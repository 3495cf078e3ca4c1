"""The quiet line under the picture: what the model knows, remarks, and links to models that may suit better."""

from __future__ import annotations

import html
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from models.cards.knowledge import Offer
from viewer import theme
from viewer.engine_texts import shown
from viewer.translation import tr

GAP = 8
MORE, MORE_MODELS = "more", tr("More models…")


class KnowledgeLine(QWidget):
    """`model_wanted` emits the name of a model whose link was followed, `more_wanted` asks for the list of models."""

    model_wanted = Signal(str)
    more_wanted = Signal()
    closed = Signal()

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("knowledge")
        self.setAccessibleName(tr("What the model knows"))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.text = QLabel()
        self.text.setTextFormat(Qt.TextFormat.RichText)
        self.text.setWordWrap(True)
        self.text.setMinimumSize(1, 1)  # else Qt asks for the height that the text has in a narrow column
        links = Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        self.text.setTextInteractionFlags(links)
        self.text.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.text.linkActivated.connect(self._follow)
        self.close_button = QToolButton()
        self.close_button.setAutoRaise(True)
        self.close_button.setAccessibleName(tr("Hide what the model knows"))
        self.close_button.setToolTip(tr("Hide this line; the View menu shows it again"))
        self.close_button.clicked.connect(self.closed)
        row = QHBoxLayout(self)
        row.setContentsMargins(GAP, GAP // 2, GAP // 2, GAP // 2)
        row.addWidget(self.text, 1)
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        self._said: tuple[str, tuple[str, ...], str, tuple[Offer, ...]] = "", (), "", ()
        self._tint()
        theme.changes().connect(self._tint)

    def say(self, knows: str, remarks: Sequence[str] = (), lead: str = "", offers: Sequence[Offer] = ()) -> None:
        """Show what the model knows; "" shows nothing."""
        said = knows, tuple(remarks), lead, tuple(offers)
        if said != self._said:
            self._said = said
            self._show()

    @property
    def words(self) -> str:
        """What is shown, as plain text."""
        knows, remarks, lead, offers = self._said
        return " ".join(filter(None, (knows, *remarks, lead, " · ".join(_words(offer) for offer in offers))))

    def _show(self) -> None:
        knows, remarks, lead, offers = self._said
        colours = theme.colours()
        parts = [html.escape(knows)]
        parts += [f'<span style="color: {colours.warning.name()}">{html.escape(remark)}</span>' for remark in remarks]
        if offers:
            links = [(offer.name, _words(offer)) for offer in offers] + [(MORE, MORE_MODELS)]
            style = f'style="color: {colours.accent.name()}"'
            shown = [f'<a {style} href="{html.escape(name)}">{html.escape(words)}</a>' for name, words in links]
            parts += [html.escape(lead), " · ".join(shown)]
        self.text.setText(" ".join(parts))
        self.text.setAccessibleName(self.words)
        self.text.setFocusPolicy(Qt.FocusPolicy.StrongFocus if offers else Qt.FocusPolicy.NoFocus)

    def _follow(self, link: str) -> None:
        if link == MORE:
            self.more_wanted.emit()
        else:
            self.model_wanted.emit(link)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colours().window)
        painter.fillRect(0, 0, self.width(), 1, theme.colours().border)

    def _tint(self) -> None:
        self.close_button.setIcon(theme.icon("close"))
        self._show()


def _words(offer: Offer) -> str:
    words = shown(offer.words)
    return f"{words} ({shown(offer.takes)})" if offer.takes else words
