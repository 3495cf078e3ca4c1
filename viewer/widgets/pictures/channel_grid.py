"""A grid of many small pictures, one a channel, painted as one. It knows no network: tiles, an order, a choice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QToolTip, QWidget

from models.types import Bool, Int
from viewer import theme
from viewer.canvas.mosaic import Atlas, sheet

GAP_PX = 3
MARGIN_PX = 4
LEAST_PX, MOST_PX = 12, 192
FIT_PX = (22, 72)  # the cell's width that is chosen by itself
MIDDLE_PX = 36  # where so many columns are wanted that not every row is in view
STEP = 1.25
MARK_PX = 7
Place = tuple[int, float, float]


def _unknown(channel: int) -> str:
    return f"Channel {channel}"


class ChannelGrid(QAbstractScrollArea):
    """Tiles in rows; arrows move the choice, + and - and Ctrl with the wheel change the size of the cells.

    `picked` says a channel that was chosen, `hovered` (channel, x, y) the place under the pointer with x and y from 0
    to 1 within its tile, None when it left. `describe` tells a channel in words.
    """

    picked = Signal(int)
    hovered = Signal(object)

    def __init__(self, name: str, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setMouseTracking(True)
        self.describe: Callable[[int], str] = _unknown
        self._atlas: Atlas | None = None
        self._order: Int = np.zeros(0, np.int64)
        self._quiet: Bool = np.zeros(0, np.bool_)
        self._marked: Bool = np.zeros(0, np.bool_)
        self._chosen = -1
        self._under = -1
        self._cell = 0  # 0 is as fits
        self._columns = 0  # 0 is as fit
        theme.changes().connect(self.viewport().update)

    def show_tiles(
        self, atlas: Atlas, order: Int, *, quiet: Bool | None = None, marked: Bool | None = None, columns: int = 0
    ) -> None:
        """Show other tiles in an order of channels; those `quiet` are crossed out, those `marked` have a dot.

        With `columns` there are so many in a row, otherwise as many as fit.
        """
        none = np.zeros(len(atlas), np.bool_)
        self._atlas, self._order, self._columns = atlas, np.asarray(order, np.int64), columns
        self._quiet, self._marked = (none if flags is None else flags for flags in (quiet, marked))
        self._chosen = self._chosen if self._chosen < len(atlas) else -1
        self._arrange()

    def clear(self) -> None:
        """Show nothing."""
        self._atlas, self._order, self._chosen, self._under = None, np.zeros(0, np.int64), -1, -1
        self._arrange()

    @property
    def chosen(self) -> int:
        """The channel that is chosen, -1 for none."""
        return self._chosen

    def choose(self, channel: int) -> None:
        """Frame a channel and bring it into view, without saying so."""
        if channel != self._chosen:
            self._chosen = channel
            self.setAccessibleDescription(self.describe(channel) if channel >= 0 else "")
            self._reveal()
            self.viewport().update()

    @property
    def cell(self) -> tuple[int, int]:
        """Height and width of a cell, in pixels."""
        width = self._cell or self._fitting()
        aspect = self._atlas.aspect if self._atlas is not None else 1.0
        return max(1, round(width * aspect)), width

    def zoom(self, factor: float) -> None:
        """Make the cells larger or smaller; what is at the top stays there."""
        self._cell = max(LEAST_PX, min(MOST_PX, round(self.cell[1] * factor)))
        self._arrange()

    def fit(self) -> None:
        """Choose the size of the cells so that as many as can be told apart are in view."""
        self._cell = 0
        self._arrange()

    def sizeHint(self) -> QSize:
        return QSize(320, 160)

    def minimumSizeHint(self) -> QSize:
        return QSize(96, 64)

    @property
    def columns(self) -> int:
        """How many tiles there are in a row."""
        room = self.viewport().width() - 2 * MARGIN_PX + GAP_PX
        return self._columns or max(1, room // (self.cell[1] + GAP_PX))

    def rect_of(self, channel: int) -> QRect:
        """Return where a channel's tile is on the viewport."""
        found = np.flatnonzero(self._order == channel)
        if not len(found):
            return QRect()
        line, column = divmod(int(found[0]), self.columns)
        height, width = self.cell
        top = MARGIN_PX + line * (height + GAP_PX) - self.verticalScrollBar().value()
        return QRect(MARGIN_PX + column * (width + GAP_PX), top, width, height)

    def place_at(self, point: QPoint) -> Place | None:
        """Return the channel at a point of the viewport, and where in its tile, 0 to 1; None between tiles."""
        height, width = self.cell
        y, x = point.y() - MARGIN_PX + self.verticalScrollBar().value(), point.x() - MARGIN_PX
        line, column = y // (height + GAP_PX), x // (width + GAP_PX)
        down, across = y % (height + GAP_PX), x % (width + GAP_PX)
        row = line * self.columns + column
        outside = x < 0 or y < 0 or column >= self.columns or down >= height or across >= width
        if outside or row >= len(self._order):
            return None
        return int(self._order[row]), across / width, down / height

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint what is in view, as one picture, and the frames."""
        if self._atlas is None or not len(self._order):
            return
        height, width = self.cell
        scroll, columns = self.verticalScrollBar().value(), self.columns
        first = max(0, (scroll - MARGIN_PX) // (height + GAP_PX))
        last = (scroll + self.viewport().height()) // (height + GAP_PX) + 1
        rows = self._order[first * columns : last * columns]
        painter = QPainter(self.viewport())
        if len(rows):
            ratio = self.devicePixelRatioF()
            sizes = [max(1, round(side * ratio)) for side in (height, width, GAP_PX)]
            pixels = sheet(self._atlas, rows, columns=columns, cell=(sizes[0], sizes[1]), gap=sizes[2])
            lines, across = pixels.shape
            image = QImage(pixels.data, across, lines, 4 * across, QImage.Format.Format_ARGB32_Premultiplied)
            top = MARGIN_PX + first * (height + GAP_PX) - scroll
            there = -(-len(rows) // columns)
            place = QRectF(MARGIN_PX, top, columns * (width + GAP_PX), there * (height + GAP_PX))
            painter.drawImage(place, image)
        self._mark(painter, rows)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say what is under the pointer."""
        place = self.place_at(event.position().toPoint())
        self._under = place[0] if place else -1
        self.hovered.emit(place)
        self.viewport().update()

    def leaveEvent(self, event: QEvent) -> None:
        self._under = -1
        self.hovered.emit(None)
        self.viewport().update()
        super().leaveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the tile under the pointer; the chosen one again, and none is."""
        place = self.place_at(event.position().toPoint())
        if place is not None and event.button() == Qt.MouseButton.LeftButton:
            self._pick(-1 if place[0] == self._chosen else place[0])

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Take the end of a click: it is nobody else's."""
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the choice, or change the size of the cells."""
        page = self.columns * max(1, self.viewport().height() // (self.cell[0] + GAP_PX))
        key = Qt.Key
        moves = {key.Key_Left: -1, key.Key_Right: 1, key.Key_Up: -self.columns, key.Key_Down: self.columns}
        moves |= {key.Key_PageUp: -page, key.Key_PageDown: page}
        moves |= {key.Key_Home: -len(self._order), key.Key_End: len(self._order)}
        pressed = Qt.Key(event.key())
        if pressed in moves and len(self._order):
            found = np.flatnonzero(self._order == self._chosen)
            row = int(found[0]) + moves[pressed] if len(found) else 0
            self._pick(int(self._order[max(0, min(row, len(self._order) - 1))]))
        elif pressed in (key.Key_Plus, key.Key_Equal, key.Key_Minus):
            self.zoom(1 / STEP if pressed == key.Key_Minus else STEP)
        elif pressed == key.Key_0:
            self.fit()
        elif pressed == key.Key_Escape and self._chosen >= 0:
            self._pick(-1)
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll; with Ctrl change the size of the cells."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(STEP if event.angleDelta().y() > 0 else 1 / STEP)
            event.accept()
        else:
            super().wheelEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

    def viewportEvent(self, event: QEvent) -> bool:
        """Tell the tile under the pointer in words."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            place = self.place_at(event.pos())
            QToolTip.showText(event.globalPos(), self.describe(place[0]) if place else "", self)
            return True
        return super().viewportEvent(event)

    def _pick(self, channel: int) -> None:
        self.choose(channel)
        self.picked.emit(channel)

    def _mark(self, painter: QPainter, rows: Int) -> None:
        """Cross out the quiet ones in view, dot the marked ones, frame the chosen and the one under the pointer."""
        now = theme.colours()
        for channel in rows[self._quiet[rows]].tolist():
            painter.setPen(QPen(now.muted, 1.5))
            tile = self.rect_of(channel).adjusted(2, 2, -2, -2)
            painter.drawLine(tile.bottomLeft(), tile.topRight())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor("#202020"), 1))
        painter.setBrush(now.warning)
        for channel in rows[self._marked[rows]].tolist():
            tile = self.rect_of(channel)
            painter.drawEllipse(QRectF(tile.right() - MARK_PX, tile.top() + 1, MARK_PX, MARK_PX))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for channel, colour, width in ((self._under, now.muted, 1), (self._chosen, now.accent, 2)):
            if channel >= 0:
                painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.SquareCap))
                painter.drawRect(self.rect_of(channel).adjusted(-2, -2, 1, 1))

    def _fitting(self) -> int:
        """Return the largest width at which every tile is in view, within limits."""
        room = self.maximumViewportSize() - QSize(2 * MARGIN_PX - GAP_PX, 2 * MARGIN_PX - GAP_PX)
        aspect = self._atlas.aspect if self._atlas is not None else 1.0
        for width in range(FIT_PX[1], FIT_PX[0], -1):
            columns = self._columns or max(1, room.width() // (width + GAP_PX))
            lines = -(-len(self._order) // columns)
            high = lines * (max(1, round(width * aspect)) + GAP_PX)
            if columns * (width + GAP_PX) <= room.width() and high <= room.height():
                return width
        return min(MIDDLE_PX, max(LEAST_PX, room.width() // self._columns - GAP_PX)) if self._columns else FIT_PX[0]

    def _arrange(self) -> None:
        height = self.cell[0] + GAP_PX
        lines = -(-len(self._order) // self.columns)
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, lines * height + 2 * MARGIN_PX - GAP_PX - self.viewport().height()))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(height)
        self.viewport().update()

    def _reveal(self) -> None:
        tile, bar = self.rect_of(self._chosen), self.verticalScrollBar()
        if tile.isNull():
            return
        if tile.top() < 0:
            bar.setValue(bar.value() + tile.top() - MARGIN_PX)
        elif tile.bottom() > self.viewport().height():
            bar.setValue(bar.value() + tile.bottom() - self.viewport().height() + MARGIN_PX)
