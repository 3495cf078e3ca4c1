"""The layout that channel panels share: controls above a grid, its numbers beside it, or only a message."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter, QPaintEvent, QPen
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

from models.types import Float
from viewer import theme
from viewer.canvas.mosaic import Atlas, sheet
from viewer.widgets.charts.base import Chart
from viewer.widgets.controls.elided_label import ElidedLabel
from viewer.widgets.pictures.channel_grid import STEP, ChannelGrid

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
        self.summary.setAccessibleName(f"About the {name.lower()}")
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.note = QLabel()
        self.note.setProperty("small", True)
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.note.setAccessibleName(f"Under the pointer in the {name.lower()}")
        self.note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.message = QLabel()
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        self.message.setMargin(2 * GAP)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setAccessibleName(f"Why there are no {name.lower()}")
        self.controls = QHBoxLayout()
        self.controls.setSpacing(GAP)
        self.controls.addStretch(1)
        for symbol, title, act in (
            ("zoom-out", "Smaller", lambda: self.grid.zoom(1 / STEP)),
            ("zoom-in", "Larger", lambda: self.grid.zoom(STEP)),
        ):
            self.controls.addWidget(_Button(symbol, f"{title} {name.lower()}", act))
        scroll = QScrollArea()
        scroll.setAccessibleName(f"Numbers of one of the {name.lower()}")
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
    def saying(self) -> str:
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
        theme.changes().connect(self._dye)
        self._dye()

    def _dye(self) -> None:
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
            cell = atlas.tiles.shape[1:3]
            pixels = np.ascontiguousarray(sheet(atlas, np.array([row]), columns=1, cell=(cell[0], cell[1]), gap=0))
            kind = QImage.Format.Format_ARGB32_Premultiplied
            # QImage does not keep `pixels` alive, hence the copy.
            self._image = QImage(pixels.data, cell[1], cell[0], 4 * cell[1], kind).copy()
        self.update()

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


class ValueHistogram(Chart):
    """A histogram of values in equal bins, with a line at zero if values of both signs occur."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.counts, self.low, self.high = np.zeros(0, np.int64), 0.0, 1.0

    def show_values(self, values: Float) -> None:
        """Count these values."""
        self.low, self.high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        self.counts, _ = np.histogram(values, BINS, (self.low, self.high if self.high > self.low else self.low + 1))
        self.setAccessibleDescription(f"{values.size:,} values from {self.low:.3g} to {self.high:.3g}")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, 72)

    def minimumSizeHint(self) -> QSize:
        return QSize(96, 72)

    def draw(self, painter: QPainter) -> None:
        """Paint the bars, with the lowest and highest value under them."""
        if not len(self.counts):
            return
        now, most = theme.colours(), max(1, int(self.counts.max()))
        foot = self.height() - self.fontMetrics().height() - 2
        width = self.width() / len(self.counts)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for row, count in enumerate(self.counts.tolist()):
            # Bars grow with the square root: rare values must stay visible beside very many zeros.
            high = (count / most) ** 0.5 * (foot - 2)
            painter.fillRect(QRectF(row * width, foot - high, max(1.0, width - 1), high), QColor(now.accent))
        painter.setPen(QPen(now.border, 1))
        painter.drawLine(QPointF(0, foot), QPointF(self.width(), foot))
        if self.low < 0 < self.high:
            zero = -self.low / (self.high - self.low) * self.width()
            painter.setPen(QPen(now.text, 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(zero, 0), QPointF(zero, foot))
        place = QRectF(0, foot + 1, self.width(), self.height() - foot - 1)
        self.write(painter, place, f"{self.low:.3g}")
        self.write(painter, place, f"{self.high:.3g}", align=Qt.AlignmentFlag.AlignRight)

    def explain(self, place: QPointF) -> str:
        """Return the number of values in the bin under the pointer."""
        if not len(self.counts):
            return ""
        step = (self.high - self.low) / len(self.counts)
        row = int(min(max(0, place.x() / self.width() * len(self.counts)), len(self.counts) - 1))
        low = self.low + row * step
        return f"{low:.3g} to {low + step:.3g}: {self.counts[row]:,} places\nBars are as high as the root of the count"
