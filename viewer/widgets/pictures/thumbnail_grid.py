"""A grid of thumbnails of very many pictures: only what is in view is painted and read, and few are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QToolTip, QWidget

from models.types import Int, Pixels
from viewer import theme
from viewer.context_menu.subject import Subject
from viewer.widgets.controls.elided_label import plain

GAP_PX = 6
MARK_PX = 3
SIGN_PX = 20
KEPT = 1500  # thumbnails
PAUSE_MS = 20
NONE = np.zeros(0, np.int64)


class ThumbnailGrid(QAbstractScrollArea):
    """Thumbnails in rows. Arrows move the selection.

    `picked` emits the row of the selected picture, `opened` follows a double click on it, or Enter. `thumbnail_wanted`
    emits the path of one picture in view whose thumbnail is missing, until `set_thumbnail` brings it or says that it
    cannot be read. `describe` returns what a row's tooltip says, `mark` the colour of its frame, None for none.
    """

    picked = Signal(int)
    opened = Signal(int)
    thumbnail_wanted = Signal(str)

    def __init__(self, name: str, *, side: int = theme.THUMBNAIL_PX, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.describe: Callable[[int], str] = lambda row: ""
        self.mark: Callable[[int], QColor | None] = lambda row: None
        self._side = side
        self._paths: Sequence[str] = ()
        self._order: Int = NONE
        self._at = -1  # the place of the selection in the order
        self._kept: OrderedDict[str, QPixmap | None] = OrderedDict()
        self._asked = ""
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._ask)
        self.verticalScrollBar().valueChanged.connect(lambda _: self._pause.start())
        theme.changes().connect(self.viewport().update)

    @property
    def cell(self) -> int:
        """The distance between two thumbnails."""
        return self._side + GAP_PX

    @property
    def columns(self) -> int:
        """The number of thumbnails in a row."""
        return max(1, (self.viewport().width() - GAP_PX) // self.cell)

    @property
    def order(self) -> Int:
        """The rows that are listed, in order."""
        return self._order

    @property
    def chosen(self) -> int:
        """The row of the selected picture, -1 for none."""
        return int(self._order[self._at]) if 0 <= self._at < len(self._order) else -1

    def show_rows(self, paths: Sequence[str], order: Int) -> None:
        """List pictures: `order` are rows of `paths`. The selected picture stays selected if it is among them."""
        chosen = self.chosen if paths is self._paths else -1
        self._paths, self._order = paths, order
        at = np.flatnonzero(order == chosen) if chosen >= 0 else NONE
        self._at = int(at[0]) if len(at) else -1
        self._arrange()

    def set_thumbnail(self, path: str, pixels: Pixels | None) -> None:
        """Keep the thumbnail (h, w, 3) of a picture, None if it cannot be read."""
        self._kept[path] = fitting_pixmap(pixels, self._side) if pixels is not None else None
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        if path == self._asked:
            self._asked = ""
        for at in self.in_view():
            if self._paths[int(self._order[at])] == path:
                self.viewport().update(self.place(at))
        self._ask()

    def place(self, at: int) -> QRect:
        """Return where the thumbnail at a place of the order is painted."""
        row, column = divmod(at, self.columns)
        top = GAP_PX + row * self.cell - self.verticalScrollBar().value()
        return QRect(GAP_PX + column * self.cell, top, self._side, self._side)

    def in_view(self) -> range:
        """Return the places of the order that are in view."""
        scroll, columns = self.verticalScrollBar().value(), self.columns
        first = max(0, scroll - GAP_PX) // self.cell * columns
        last = ((scroll + self.viewport().height()) // self.cell + 1) * columns
        return range(min(first, len(self._order)), min(last, len(self._order)))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the thumbnails in view."""
        painter, colours = QPainter(self.viewport()), theme.colours()
        for at in self.in_view():
            row, place = int(self._order[at]), self.place(at)
            if not event.rect().intersects(place.adjusted(-2, -2, 2, 2)):
                continue
            path = self._paths[row]
            if path not in self._kept:
                painter.fillRect(place, colours.border)
            elif (picture := self._kept[path]) is None:
                sign = QRect(0, 0, SIGN_PX, SIGN_PX)
                sign.moveCenter(place.center())
                theme.icon("warning").paint(painter, sign)
            else:
                self._kept.move_to_end(path)
                inner = QRect(QPoint(), picture.deviceIndependentSize().toSize())
                inner.moveCenter(place.center())
                painter.drawPixmap(inner, picture)
            if (colour := self.mark(row)) is not None:
                painter.fillRect(QRect(place.left(), place.bottom() - MARK_PX + 1, place.width(), MARK_PX), colour)
            if at == self._at:
                painter.setPen(QPen(colours.accent, 3))
                painter.drawRect(place.adjusted(-1, -1, 1, 1))
        painter.end()
        self._pause.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay out anew."""
        super().resizeEvent(event)
        self._arrange()

    def sizeHint(self) -> QSize:
        """Ask for a few rows."""
        return QSize(6 * self.cell, 2 * self.cell)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the selection, or open it."""
        steps = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -self.columns,
            Qt.Key.Key_Down: self.columns,
            Qt.Key.Key_Home: -len(self._order),
            Qt.Key.Key_End: len(self._order),
        }
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.chosen >= 0:
            self.opened.emit(self.chosen)
        elif key in steps and len(self._order):
            self._choose(max(0, min(self._at + steps[key], len(self._order) - 1)))
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select what was clicked."""
        if event.button() == Qt.MouseButton.LeftButton and (at := self._under(event.position().toPoint())) >= 0:
            self._choose(at)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open what was clicked."""
        if (at := self._under(event.position().toPoint())) >= 0:
            self.opened.emit(int(self._order[at]))

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell the picture at a place, or the selected one."""
        at = self._under(place) if place is not None else self._at
        if not 0 <= at < len(self._order):
            return None
        row = int(self._order[at])
        kept = self._kept.get(self._paths[row])
        picture = kept.toImage() if kept is not None else None
        return Subject(
            name=self.accessibleName(), text=self.describe(row), path=self._paths[row], picture=picture, table=self._all
        )

    def viewportEvent(self, event: QEvent) -> bool:
        """Show the tooltip of the picture under the pointer."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            at = self._under(event.pos())
            text = self.describe(int(self._order[at])) if at >= 0 else ""
            QToolTip.showText(event.globalPos(), plain(text), self) if text else QToolTip.hideText()
            return True
        return super().viewportEvent(event)

    def _all(self) -> str:
        return "\n".join(self.describe(int(row)) for row in self._order)

    def _under(self, point: QPoint) -> int:
        return next((at for at in self.in_view() if self.place(at).contains(point)), -1)

    def _choose(self, at: int) -> None:
        self._at = at
        place, bar = self.place(at), self.verticalScrollBar()
        if place.top() < 0:
            bar.setValue(bar.value() + place.top() - GAP_PX)
        elif place.bottom() > self.viewport().height():
            bar.setValue(bar.value() + place.bottom() - self.viewport().height() + GAP_PX)
        self.viewport().update()
        self.picked.emit(self.chosen)

    def _arrange(self) -> None:
        lines = -(-len(self._order) // self.columns)
        height = self.viewport().height()
        self.verticalScrollBar().setRange(0, max(0, lines * self.cell + GAP_PX - height))
        self.verticalScrollBar().setPageStep(height)
        self.verticalScrollBar().setSingleStep(self.cell // 2)
        self.viewport().update()

    def _ask(self) -> None:
        """Ask for one missing thumbnail in view, unless one is being read."""
        if self._asked or not self.isVisible():
            return
        missing = (self._paths[int(self._order[at])] for at in self.in_view())
        path = next((path for path in missing if path not in self._kept), "")
        if path:
            self._asked = path
            self.thumbnail_wanted.emit(path)


def fitting_pixmap(pixels: Pixels, side: int) -> QPixmap:
    """Return a picture that fits a square of `side` pixels: reduced smoothly, or enlarged by a whole factor."""
    height, width = pixels.shape[:2]
    image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    longer = max(height, width)
    if longer > side:
        keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        image = image.scaled(side, side, keep, smooth)
    elif (times := side // longer) > 1:
        image = image.scaled(width * times, height * times)
    return QPixmap.fromImage(image)
