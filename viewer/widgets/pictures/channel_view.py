"""The layout that channel panels share: controls above a grid, its numbers beside it, or only a message."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from viewer import theme
from viewer.canvas.mosaic import Atlas
from viewer.context_menu.subject import Subject
from viewer.translation import tr
from viewer.widgets.controls.elided_label import ElidedLabel
from viewer.widgets.pictures.channel_grid import STEP, ChannelGrid, tile_image

GAP = 8
SIDE_PX = 400
BINS = 32


class ChannelView(QWidget):
    """A channel panel's layout: `controls`, a summary line, the grid called `name` with the widget `side` to its right.

    Instead of all that it can show only a message.
    """

    def __init__(self, name: str, side: QWidget) -> None:
        super().__init__()
        self.grid = ChannelGrid(name)
        self.summary = ElidedLabel()
        self.summary.setProperty("small", True)
        self.summary.setAccessibleName(tr("About the {name}", name=name.lower()))
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.note = QLabel()
        self.note.setProperty("small", True)
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.note.setAccessibleName(tr("Under the pointer in the {name}", name=name.lower()))
        self.note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.message = QLabel()
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        self.message.setMargin(2 * GAP)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setAccessibleName(tr("Why there are no {name}", name=name.lower()))
        self.controls = QHBoxLayout()
        self.controls.setSpacing(GAP)
        self.controls.addStretch(1)
        for symbol, title, act in (
            ("zoom-out", tr("Smaller"), lambda: self.grid.zoom(1 / STEP)),
            ("zoom-in", tr("Larger"), lambda: self.grid.zoom(STEP)),
        ):
            self.controls.addWidget(_Button(symbol, f"{title} {name.lower()}", act))
        scroll = QScrollArea()
        scroll.setAccessibleName(tr("Numbers of one of the {name}", name=name.lower()))
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(side)
        scroll.setFixedWidth(SIDE_PX)
        body = QHBoxLayout()
        body.setSpacing(GAP)
        left = QVBoxLayout()
        left.setSpacing(GAP // 2)
        left.addWidget(self.grid, 1)
        left.addWidget(self.note)
        body.addLayout(left, 1)
        body.addWidget(scroll)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(GAP, GAP // 2, GAP, GAP // 2)
        column.setSpacing(GAP // 2)
        column.addLayout(self.controls)
        column.addWidget(self.summary)
        column.addLayout(body, 1)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self.message)
        self._pages.addWidget(content)
        self._failed: tuple[object, str] = (None, "")
        self.grid.hovered.connect(lambda place: self.tell(self.grid.describe(place[0]) if place else ""))

    def add_control(self, title: str, widget: QWidget) -> None:
        """Add a control with a title, before the zoom buttons."""
        label = QLabel(title)
        label.setProperty("small", True)
        label.setBuddy(widget)
        at = self.controls.count() - 3
        self.controls.insertWidget(at, label)
        self.controls.insertWidget(at + 1, widget)

    def add_wide(self, widget: QWidget) -> None:
        """Add a control that has its own title."""
        self.controls.insertWidget(self.controls.count() - 3, widget)

    def fail(self, about: object, words: str) -> None:
        """Remember that computing `about` failed and why; show the reason above the grid, which stays."""
        self._failed = (about, words)
        self.summary.setText(words)

    def show_state(self, about: object, *, reason: str, there: bool, waiting: str) -> None:
        """Show the grid if it is `there`, otherwise `reason`, the failure of `about`, or the text `waiting`."""
        failed = self._failed[1] if self._failed[0] == about else ""
        self.say(reason or ("" if there else failed or waiting))

    def say(self, words: str) -> None:
        """Show only a message; "" shows the grid again."""
        self.message.setText(words)
        self._pages.setCurrentIndex(int(not words))

    @property
    def text_shown(self) -> str:
        """Return the message shown instead of the grid, "" if the grid is shown."""
        return "" if self._pages.currentIndex() else self.message.text()

    def tell(self, words: str) -> None:
        """Describe what is under the pointer."""
        self.note.setText(words)
        self.note.setToolTip(words)


class _Button(QToolButton):
    """A button whose icon follows the theme."""

    def __init__(self, symbol: str, title: str, act: Callable[[], None]) -> None:
        super().__init__()
        self._symbol = symbol
        self.setAutoRaise(True)
        self.setToolTip(title)
        self.setAccessibleName(title)
        self.clicked.connect(act)
        theme.changes().connect(self._set_icon)
        self._set_icon()

    def _set_icon(self) -> None:
        self.setIcon(theme.icon(self._symbol))


def copy_button(name: str, text: Callable[[], str]) -> QToolButton:
    """Return a button that copies the text `text()` returns."""
    return _Button("copy", name, lambda: QGuiApplication.clipboard().setText(text()))


def choice(name: str, entries: Sequence[tuple[str, object]], *, help: str = "") -> QComboBox:  # noqa: A002
    """Return a combo box called `name` with (title, data) entries."""
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(help)
    box.setMaxVisibleItems(24)
    fill_choice(box, entries)
    return box


def fill_choice(box: QComboBox, entries: Sequence[tuple[str, object]]) -> None:
    """Replace the entries of a combo box, unless they are the same."""
    there = [(box.itemText(i), box.itemData(i)) for i in range(box.count())]
    if there != list(entries):
        box.clear()
        for title, data in entries:
            box.addItem(title, data)


def set_choice(box: QComboBox, data: object) -> None:
    """Select the entry whose data is `data`, adding one if there is none."""
    if box.findData(data) < 0:
        box.addItem(str(data), data)
    box.setCurrentIndex(box.findData(data))


class Tile(QWidget):
    """One tile of an atlas, enlarged, each of its pixels drawn as a square."""

    def __init__(self, name: str, *, side_px: int = 112) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self._side_px = side_px
        self._image: QImage | None = None
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def show_tile(self, atlas: Atlas | None, row: int) -> None:
        """Show the tile at `row`, or nothing."""
        self._image = None
        if atlas is not None and 0 <= row < len(atlas):
            self._image = tile_image(atlas, row)
        self.update()

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell the picture shown."""
        return Subject(name=self.accessibleName(), picture=self._image) if self._image is not None else None

    def sizeHint(self) -> QSize:
        return QSize(self._side_px, self._side_px)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._image is None:
            return
        painter = QPainter(self)
        whole = min((self.width() - 2) / self._image.width(), (self.height() - 2) / self._image.height())
        width, height = self._image.width() * whole, self._image.height() * whole
        place = QRectF((self.width() - width) / 2, 1, width, height)
        painter.drawImage(place, self._image)
        painter.setPen(theme.colours().border)
        painter.drawRect(place)
        painter.end()
