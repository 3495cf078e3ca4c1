"""The documentation over the window, read from the pages in docs/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QRect, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QFont, QImage, QTextCursor, QTextDocument
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QTextBrowser, QToolButton, QVBoxLayout, QWidget

from viewer import theme
from viewer.translation import tr
from viewer.widgets.dialogs.modal_overlay import Overlay

DOCS = Path(__file__).resolve().parents[2] / "docs"
WIDTH, HEIGHT = 960, 720  # pixels, like those below
PICTURE = 320
GAP = 8


class PageReader(Overlay):
    """One page at a time; links between pages are followed, others open in the browser."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, name=tr("Documentation"))
        self.title = QLabel(self.panel)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.back = _button(tr("Back"), "undo", self.panel)
        self.close_button = _button(tr("Close"), "close", self.panel)
        self.text = _Text(self.panel)
        self.back.clicked.connect(self.text.backward)
        self.text.backwardAvailable.connect(self.back.setEnabled)
        self.close_button.clicked.connect(self.dismiss)
        self.text.anchorClicked.connect(self._follow)
        self.text.sourceChanged.connect(self._name)
        self.order = (self.text, self.back, self.close_button)
        head = QHBoxLayout()
        head.addWidget(self.back)
        head.addWidget(self.title, 1)
        head.addWidget(self.close_button)
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(2 * GAP, GAP, 2 * GAP, 2 * GAP)
        column.addLayout(head)
        column.addWidget(self.text, 1)
        self._dress()
        theme.changes().connect(self._dress)

    def show_page(self, page: str, part: str = "") -> None:
        """Open at a page of docs/, at the heading or the words in bold that are `part`."""
        self.text.setSource(QUrl.fromLocalFile(str(DOCS / page)))
        self.text.clearHistory()
        self.open()
        self.text.setFocus()
        if part:
            self.scroll_to(part)

    def scroll_to(self, part: str) -> bool:
        """Scroll to a heading, or to words in bold; return whether they were found."""
        document, cursor = self.text.document(), QTextCursor(self.text.document())
        while True:
            cursor = document.find(part, cursor, QTextDocument.FindFlag.FindCaseSensitively)
            if cursor.isNull():
                return False
            if cursor.charFormat().fontWeight() >= QFont.Weight.Bold:
                break
        self.text.moveCursor(QTextCursor.MoveOperation.End)  # then the text stands at the top once it is shown
        start = QTextCursor(document)
        start.setPosition(cursor.selectionStart())
        start.setPosition(cursor.selectionEnd(), QTextCursor.MoveMode.KeepAnchor)
        self.text.setTextCursor(start)
        self.text.ensureCursorVisible()
        return True

    def area(self) -> QRect:
        """A rectangle in the middle of the window."""
        room = self.room()
        width, height = min(WIDTH, room.width()), min(HEIGHT, room.height())
        return QRect(room.center().x() - width // 2, room.center().y() - height // 2, width, height)

    def _follow(self, link: QUrl) -> None:
        target = self.text.source().resolved(link)
        if target.isLocalFile() and target.fileName().endswith(".md"):
            self.text.setSource(target)
        elif not target.isLocalFile():
            QDesktopServices.openUrl(target)

    def _name(self) -> None:
        self.title.setText(self.text.document().firstBlock().text())

    def _dress(self) -> None:
        self.back.setIcon(theme.icon("undo"))
        self.close_button.setIcon(theme.icon("close"))


class _Text(QTextBrowser):
    """The text of a page, its pictures no wider than a column."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Documentation"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        """Read pages and pictures of docs/ only, pictures at the width of a column."""
        whole = self.source().resolved(QUrl(name))
        if kind == QTextDocument.ResourceType.ImageResource.value and whole.isLocalFile():
            picture = QImage(whole.toLocalFile())
            if picture.width() > PICTURE:
                picture = picture.scaledToWidth(PICTURE, Qt.TransformationMode.SmoothTransformation)
            return picture
        return super().loadResource(kind, name)


def _button(title: str, icon: str, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setAutoRaise(True)
    button.setAccessibleName(title)
    button.setToolTip(title)
    return button
