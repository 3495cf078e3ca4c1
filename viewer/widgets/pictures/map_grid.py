"""A grid of heat maps over pictures that share one view, one zoom and one cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFont,
    QGuiApplication,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QToolTip, QWidget

from models.types import Pixels
from viewer import theme
from viewer.context_menu.subject import Subject
from viewer.presenters.map_tiles import Share, Tile
from viewer.translation import tr
from viewer.widgets.pictures import map_cell
from viewer.widgets.pictures.map_cell import GAP, LINE_PX, Shots, View

__all__ = ["MapGrid", "Tile", "View"]

NOTCH_FACTOR, KEY_FACTOR = 1.2, 1.25
MOST_ZOOM = 64.0
MARKS = "AB"
STEPS = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1)}
KEPT = {*STEPS, Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_0}


class MapGrid(QWidget):
    """A grid of maps. Wheel and drag zoom and pan all cells together; click selects a cell, Ctrl+click a second one.

    `pointed` emits the position under the pointer as shares of the picture, None outside; `opened` emits the key of a
    double-clicked cell. `export` is the command that exports all maps, "" for none.
    """

    viewed = Signal(object)
    pointed = Signal(object)
    chosen = Signal(str, bool)
    opened = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.view, self.export = View(), ""
        self.tiles: Sequence[Tile] = ()
        self.marked: tuple[str, ...] = ()
        self.place: Share | None = None
        self.current = 0
        self._across = 1
        self._shots = Shots()
        self._pressed: QPointF | None = None
        self._dragged = -1
        font = QFont(self.font())
        font.setPixelSize(theme.SMALL_PX)
        self.setFont(font)
        self.setAccessibleName(name)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        theme.changes().connect(self._restyle)

    def sizeHint(self) -> QSize:
        """Return a size at which pictures can be told apart."""
        return QSize(480, 240)

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size that still shows something."""
        return QSize(160, 120)

    def set_pictures(self, levels: Mapping[Any, Sequence[Pixels]]) -> None:
        """Set the pictures, each as levels (H, W, 3) of halved size.

        The arrays are kept without a copy: do not modify them.
        """
        if self._shots.set_images(levels):
            self.update()

    def set_tiles(self, tiles: Sequence[Tile], *, across: int = 1) -> None:
        """Show these cells; each run of `across` cells are the methods for one class and picture."""
        self.tiles, self._across = tuple(tiles), max(1, across)
        self.current = max(0, min(self.current, len(tiles) - 1))
        self._shots.keep({tile.key for tile in tiles})
        self._describe()
        self.update()

    def mark(self, keys: Sequence[str]) -> None:
        """Mark the cells that are being compared."""
        self.marked = tuple(keys)
        self.update()

    def look(self, view: View) -> None:
        """Take over the view of another grid."""
        if view != self.view:
            self.view = view
            self._shots.moved()
            self.update()

    def point(self, place: Share | None) -> None:
        """Show the cursor at a position (shares of the picture) in every cell, with the value there."""
        if place != self.place:
            self.place = place
            self.update()

    def fit(self) -> None:
        """Show the whole pictures."""
        self._go(View())

    def area(self, index: int) -> QRectF:
        """Return the rectangle in which a cell's picture is painted."""
        return map_cell.area(self._cells()[index])

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, now = QPainter(self), theme.colours()
        painter.fillRect(self.rect(), now.canvas)
        for index, (tile, cell) in enumerate(zip(self.tiles, self._cells(), strict=True)):
            area = map_cell.area(cell)
            if area.height() < LINE_PX:
                continue
            size, ratio = area.size().toSize(), self.devicePixelRatioF()
            painter.drawPixmap(area.topLeft(), self._shots.shot(tile, size, self.view, ratio=ratio))
            mark = MARKS[self.marked.index(tile.key)] if tile.key in self.marked[:2] else ""
            map_cell.draw_words(painter, tile, cell, mark=mark, value=tile.read(self.place))
            if self.place is not None and tile.size[0]:
                map_cell.draw_cross(painter, tile, area, self.view, self.place)
            outlined = mark or (self.hasFocus() and index == self.current)
            painter.setPen(QPen(now.accent if outlined else now.border, 2 if mark else 1))
            painter.drawRect(area.adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()

    # geometry

    def _cells(self) -> list[QRectF]:
        size = next((tile.size for tile in self.tiles if tile.size[0]), (1, 1))
        room = QRectF(self.rect()).adjusted(GAP, 2, -GAP, -2)
        return cells(len(self.tiles), self._across, room, aspect=size[0] / size[1], gap=GAP, text=2 * LINE_PX)

    def _at(self, position: QPointF) -> int:
        return next((i for i, cell in enumerate(self._cells()) if cell.contains(position)), -1)

    def _share(self, position: QPointF, index: int) -> Share | None:
        """Return the position in a cell's picture as shares, None outside it."""
        tile = self.tiles[index]
        if not tile.size[0]:
            return None
        scale, shift = map_cell.placed(tile, self.area(index), self.view)
        x, y = (position.x() - shift.x()) / scale / tile.size[0], (position.y() - shift.y()) / scale / tile.size[1]
        return (x, y) if 0 <= x < 1 and 0 <= y < 1 and self.area(index).contains(position) else None

    def _go(self, view: View) -> None:
        zoom = max(1.0, min(view.zoom, MOST_ZOOM))
        view = View(max(0.0, min(view.x, 1.0)), max(0.0, min(view.y, 1.0)), zoom) if zoom > 1 else View()
        self.look(view)
        self.viewed.emit(view)

    def _zoom(self, position: QPointF, index: int, factor: float) -> None:
        """Zoom about the point under the pointer."""
        tile, area = self.tiles[index], self.area(index)
        if not tile.size[0]:
            return
        scale, shift = map_cell.placed(tile, area, self.view)
        zoom = max(1.0, min(self.view.zoom * factor, MOST_ZOOM))
        after = scale * zoom / self.view.zoom
        point = (position - shift) / scale
        middle = point - (position - area.center()) / after
        self._go(View(middle.x() / tile.size[0], middle.y() / tile.size[1], zoom))

    # mouse and keyboard

    def wheelEvent(self, event: QWheelEvent) -> None:
        index = self._at(event.position())
        if index >= 0:
            notches = (event.angleDelta().y() or event.angleDelta().x()) / 120
            self._zoom(event.position(), index, NOTCH_FACTOR**notches)
            self._update_pointer(event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._dragged = event.position(), -1

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None:
            self._update_pointer(event.position())
            return
        shift = event.position() - self._pressed
        if self._dragged < 0 and shift.manhattanLength() >= QApplication.startDragDistance():
            self._dragged = self._at(self._pressed)
        if self._dragged >= 0 and self.tiles[self._dragged].size[0]:
            tile, area = self.tiles[self._dragged], self.area(self._dragged)
            scale, corner = map_cell.placed(tile, area, self.view)
            middle = (area.center() - corner - shift) / scale
            self._pressed = event.position()
            self._go(replace(self.view, x=middle.x() / tile.size[0], y=middle.y() / tile.size[1]))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        index = self._at(event.position())
        if self._pressed is not None and self._dragged < 0 and index >= 0:
            self.current = index
            extend = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            self.chosen.emit(self.tiles[index].key, extend)
            self._describe()
        self._pressed, self._dragged = None, -1
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self._at(event.position())
        if index >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self.opened.emit(self.tiles[index].key)

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell the map at a place, or the current one."""
        index = self._at(QPointF(place)) if place is not None else self.current
        view = (
            (tr("Whole pictures again"), self.fit),
            (tr("Copy the maps as a picture"), lambda: QGuiApplication.clipboard().setPixmap(self.grab())),
        )
        if not 0 <= index < len(self.tiles):
            return Subject(name=self.accessibleName(), view=view, export=self.export)
        tile = self.tiles[index]
        offers = (
            (tr("Show this map alone"), lambda: self.opened.emit(tile.key)),
            (tr("Choose it for the difference"), lambda: self.chosen.emit(tile.key, True)),
        )
        picture = self.grab(self.area(index).toAlignedRect()).toImage()
        return Subject(
            name=self.accessibleName(), text=tile.tip, picture=picture, offers=offers, view=view, export=self.export
        )

    def leaveEvent(self, event: QEvent) -> None:
        self.point(None)
        self.pointed.emit(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.tiles:
            super().keyPressEvent(event)
            return
        middle = self.area(self.current).center()
        match event.key():
            case key if key in STEPS:
                self.current = beside(self._cells(), self.current, *STEPS[Qt.Key(key)])
            case Qt.Key.Key_Space:
                extend = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
                self.chosen.emit(self.tiles[self.current].key, extend)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                self.opened.emit(self.tiles[self.current].key)
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self._zoom(middle, self.current, KEY_FACTOR)
            case Qt.Key.Key_Minus:
                self._zoom(middle, self.current, 1 / KEY_FACTOR)
            case Qt.Key.Key_0:
                self.fit()
            case _:
                super().keyPressEvent(event)
                return
        self._describe()
        self.update()

    def event(self, event: QEvent) -> bool:
        """Show a cell's full text as a tooltip, and keep its own keys from triggering shortcuts."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and event.key() in KEPT:
            event.accept()
            return True
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            index = self._at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), self.tiles[index].tip if index >= 0 else "", self)
            return True
        return super().event(event)

    def _update_pointer(self, position: QPointF) -> None:
        index = self._at(position)
        place = self._share(position, index) if index >= 0 else None
        self.point(place)
        self.pointed.emit(place)

    def _describe(self) -> None:
        self.setAccessibleDescription(self.tiles[self.current].tip if self.tiles else "")

    def _restyle(self) -> None:
        self._shots.forget()
        self.update()


def cells(count: int, across: int, room: QRectF, *, aspect: float, gap: float, text: float) -> list[QRectF]:
    """Return the rectangles of `count` cells in `room`, in the arrangement with the largest pictures.

    `aspect` is a picture's width over height; each cell also needs `text` pixels of height for text. Each run of
    `across` cells belongs together, as the methods of one class do. A group is one row, several groups share a row, or
    the layout is transposed so that like members of the groups are side by side.
    """
    if not count:
        return []
    groups = -(-count // across)
    ways = [(across * j, False) for j in range(1, groups + 1) if groups % j == 0]
    ways += [(groups * j, True) for j in range(1, across + 1) if across % j == 0]

    def large(way: tuple[int, bool]) -> float:
        columns = way[0]
        rows = -(-across * groups // columns)
        width = (room.width() - (columns - 1) * gap) / columns
        height = (room.height() - (rows - 1) * gap) / rows - text
        return min(width, height * aspect)

    columns, turned = max(ways, key=large)
    rows = -(-across * groups // columns)
    width = (room.width() - (columns - 1) * gap) / columns
    height = (room.height() - (rows - 1) * gap) / rows
    placed = []
    for index in range(count):
        group, member = divmod(index, across)
        at = member * groups + group if turned else index
        row, column = divmod(at, columns)
        left, top = room.left() + column * (width + gap), room.top() + row * (height + gap)
        placed.append(QRectF(round(left), round(top), round(width), round(height)))
    return placed


def beside(placed: list[QRectF], index: int, across: int, down: int) -> int:
    """Return the nearest cell in a direction (`across`, `down` in -1, 0, 1), or `index` itself if there is none."""
    here = placed[index].center()

    def far(other: QRectF) -> float:
        way: QPointF = other.center() - here
        along = way.x() * across + way.y() * down
        aside = abs(way.x() * down) + abs(way.y() * across)
        # Distance to the side counts four times, so that a key press stays in its row or column.
        return along + 4 * aside if along > 1 else float("inf")

    distance = [far(one) for one in placed]
    nearest = min(range(len(placed)), key=distance.__getitem__)
    return nearest if distance[nearest] < float("inf") else index
