"""A scrollable grid of many small tiles, one per channel, painted as one image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QGuiApplication,
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
from viewer.context_menu.subject import Offer, Subject
from viewer.translation import tr

GAP_PX = 3
MARGIN_PX = 4
LEAST_PX, MOST_PX = 12, 192
FIT_PX = (22, 72)  # limits of the cell width in pixels when it is chosen automatically
MIDDLE_PX = 36  # used if so many columns are requested that not all rows would be visible
STEP = 1.25
MARK_PX = 7
Place = tuple[int, float, float]


def _nothing(channel: int) -> Sequence[Offer]:
    return ()


def _no_file(channel: int) -> str:
    return ""


def _unknown(channel: int) -> str:
    return tr("Channel {channel}", channel=channel)


class ChannelGrid(QAbstractScrollArea):
    """A grid of tiles. Arrows move the selection; +, - and Ctrl with the wheel change the size of the cells.

    `picked` emits the selected channel; `opened` follows a double click on it, or Enter. `hovered` emits (channel, x,
    y), with x and y from 0 to 1 within the tile, or None when the pointer leaves. `describe` returns the description of
    a channel; `offers` returns what else can be done with it, as titles and functions, for the menu, and `path_of` the
    file whose picture it is, "" for none. `export` is the command that exports all tiles, "" for none.
    """

    picked = Signal(int)
    opened = Signal()
    hovered = Signal(object)

    def __init__(self, name: str, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setMouseTracking(True)
        self.describe: Callable[[int], str] = _unknown
        self.offers: Callable[[int], Sequence[Offer]] = _nothing
        self.path_of: Callable[[int], str] = _no_file
        self.export = ""
        self._atlas: Atlas | None = None
        self._order: Int = np.zeros(0, np.int64)
        self._quiet: Bool = np.zeros(0, np.bool_)
        self._marked: Bool = np.zeros(0, np.bool_)
        self._chosen = -1
        self._under = -1
        self._cell = 0  # 0: automatic
        self._columns = 0  # 0: as many as fit
        theme.changes().connect(self.viewport().update)

    def show_tiles(
        self, atlas: Atlas, order: Int, *, quiet: Bool | None = None, marked: Bool | None = None, columns: int = 0
    ) -> None:
        """Show tiles in the given order of channels; cross out `quiet` channels and put a dot on `marked` ones.

        `columns` is the number of tiles per row; 0 means as many as fit.
        """
        none = np.zeros(len(atlas), np.bool_)
        self._atlas, self._order, self._columns = atlas, np.asarray(order, np.int64), columns
        self._quiet, self._marked = (none if flags is None else flags for flags in (quiet, marked))
        self._chosen = self._chosen if self._chosen < len(atlas) else -1
        self._arrange()

    def clear(self) -> None:
        """Remove all tiles."""
        self._atlas, self._order, self._chosen, self._under = None, np.zeros(0, np.int64), -1, -1
        self._arrange()

    @property
    def chosen(self) -> int:
        """Return the selected channel, -1 for none."""
        return self._chosen

    def choose(self, channel: int) -> None:
        """Select a channel and scroll to it without emitting `picked`."""
        if channel != self._chosen:
            self._chosen = channel
            self.setAccessibleDescription(self.describe(channel) if channel >= 0 else "")
            self._scroll_to()
            self.viewport().update()

    @property
    def cell(self) -> tuple[int, int]:
        """Return the height and width of a cell in pixels."""
        width = self._cell or self._fitting()
        aspect = self._atlas.aspect if self._atlas is not None else 1.0
        return max(1, round(width * aspect)), width

    def zoom(self, factor: float) -> None:
        """Scale the cells by `factor`; the tile at the top stays in place."""
        self._cell = max(LEAST_PX, min(MOST_PX, round(self.cell[1] * factor)))
        self._arrange()

    def fit(self) -> None:
        """Choose the cell size automatically: as many cells in view as can still be told apart."""
        self._cell = 0
        self._arrange()

    def sizeHint(self) -> QSize:
        return QSize(320, 160)

    def minimumSizeHint(self) -> QSize:
        return QSize(96, 64)

    @property
    def columns(self) -> int:
        """Return the number of tiles per row."""
        room = self.viewport().width() - 2 * MARGIN_PX + GAP_PX
        return self._columns or max(1, room // (self.cell[1] + GAP_PX))

    def rect_of(self, channel: int) -> QRect:
        """Return the rectangle of a channel's tile in the viewport."""
        found = np.flatnonzero(self._order == channel)
        if not len(found):
            return QRect()
        line, column = divmod(int(found[0]), self.columns)
        height, width = self.cell
        top = MARGIN_PX + line * (height + GAP_PX) - self.verticalScrollBar().value()
        return QRect(MARGIN_PX + column * (width + GAP_PX), top, width, height)

    def place_at(self, point: QPoint) -> Place | None:
        """Return the channel at a point of the viewport and the position (0 to 1) in its tile; None between tiles."""
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
        """Paint all visible tiles as one image, then the frames."""
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
        """Emit what is under the pointer."""
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
        """Select the tile under the pointer; clicking the selected tile deselects it."""
        place = self.place_at(event.position().toPoint())
        if place is not None and event.button() == Qt.MouseButton.LeftButton:
            self._pick(-1 if place[0] == self._chosen else place[0])

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell the tile at a place, or the chosen one."""
        if self._atlas is None:
            return None
        found = self.place_at(place) if place is not None else None
        tile = found[0] if found is not None else self._chosen
        view = (
            (tr("Larger"), lambda: self.zoom(STEP)),
            (tr("Smaller"), lambda: self.zoom(1 / STEP)),
            (tr("Copy all as a picture"), lambda: QGuiApplication.clipboard().setPixmap(self.viewport().grab())),
        )
        if tile < 0:
            return Subject(name=self.accessibleName(), view=view, export=self.export)
        title = tr("Choose none") if tile == self._chosen else tr("Show this one")
        return Subject(
            name=self.accessibleName(),
            text=self.describe(tile),
            path=self.path_of(tile),
            picture=tile_image(self._atlas, tile),
            offers=[(title, lambda: self._pick(-1 if tile == self._chosen else tile)), *self.offers(tile)],
            view=view,
            export=self.export,
        )

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Select the tile under the pointer and open it."""
        place = self.place_at(event.position().toPoint())
        if place is not None and event.button() == Qt.MouseButton.LeftButton:
            self._pick(place[0])
            self.opened.emit()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Accept the release so that it does not reach a parent."""
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the selection or change the size of the cells."""
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
        elif pressed in (key.Key_Return, key.Key_Enter) and self._chosen >= 0:
            self.opened.emit()
        elif pressed in (key.Key_Plus, key.Key_Equal, key.Key_Minus):
            self.zoom(1 / STEP if pressed == key.Key_Minus else STEP)
        elif pressed == key.Key_0:
            self.fit()
        elif pressed == key.Key_Escape and self._chosen >= 0:
            self._pick(-1)
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll; with Ctrl, change the size of the cells."""
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
        """Show the description of the tile under the pointer as a tooltip."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            place = self.place_at(event.pos())
            QToolTip.showText(event.globalPos(), self.describe(place[0]) if place else "", self)
            return True
        return super().viewportEvent(event)

    def _pick(self, channel: int) -> None:
        self.choose(channel)
        self.picked.emit(channel)

    def _mark(self, painter: QPainter, rows: Int) -> None:
        """Cross out the quiet channels in view, dot the marked ones, frame the selected and the hovered one."""
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
        """Return the largest cell width at which all tiles are visible, within FIT_PX."""
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

    def _scroll_to(self) -> None:
        tile, bar = self.rect_of(self._chosen), self.verticalScrollBar()
        if tile.isNull():
            return
        if tile.top() < 0:
            bar.setValue(bar.value() + tile.top() - MARGIN_PX)
        elif tile.bottom() > self.viewport().height():
            bar.setValue(bar.value() + tile.bottom() - self.viewport().height() + MARGIN_PX)


def tile_image(atlas: Atlas, row: int) -> QImage:
    """Return one tile of an atlas at its own size."""
    height, width = atlas.tiles.shape[1:3]
    pixels = np.ascontiguousarray(sheet(atlas, np.array([row]), columns=1, cell=(height, width), gap=0))
    # QImage does not keep `pixels` alive, hence the copy.
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied).copy()
