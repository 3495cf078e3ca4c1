"""What lies over a picture (boxes, masks, key points, maps) as a list for the keyboard and for screen readers.

Qt's accessibility tree shows the list's rows as children with name, place and state, and makes one only when it is
asked for: thousands of boxes cost nothing until then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import QContextMenuEvent, QFocusEvent, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QWidget

from viewer.canvas.layers import Boxes, Heat, Hit, Labels, Layer, Masks, Overlay, Skeletons, hits
from viewer.canvas.stage import Stage
from viewer.theme import colours
from viewer.translation import tr

PAGE = 10
POINT_PX = 9.0  # the sides of a key point's rectangle on screen
RING_PX = 3  # between an object and the ring around it while it has the focus
STEPS = {
    int(Qt.Key.Key_Down): 1,
    int(Qt.Key.Key_Up): -1,
    int(Qt.Key.Key_PageDown): PAGE,
    int(Qt.Key.Key_PageUp): -PAGE,
}
LINE_STEPS = {int(Qt.Key.Key_Right): 1, int(Qt.Key.Key_Left): -1}
LINE_SHARE = 50  # steps across the picture
ENDS = (Qt.Key.Key_Home, Qt.Key.Key_End)
PRESS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class CanvasObject:
    """One object: its layer, its row there, and the number of the key point in the row, -1 if it is none."""

    layer: Layer
    row: int = 0
    point: int = -1

    @property
    def key(self) -> tuple[str, int, int]:
        """What stays the same when the layers are replaced."""
        own = int(self.layer.ids[self.row]) if isinstance(self.layer, Boxes) else self.row
        return self.layer.id, own, self.point

    @property
    def hit(self) -> Hit | None:
        """The box it is, None if it is something else."""
        return (self.layer.id, self.row) if isinstance(self.layer, Boxes) else None

    @property
    def selected(self) -> bool:
        """Whether it is the selected box."""
        return isinstance(self.layer, Boxes) and self.layer.selected == self.row

    @property
    def rect(self) -> QRectF:
        """Its place in pixels of the picture; a point has no size."""
        match self.layer:
            case Boxes() | Masks():
                x0, y0, x1, y1 = self.layer.boxes[self.row].tolist()
            case Skeletons():
                x0, y0 = self.layer.xy[self.row, self.point].tolist()
                x1, y1 = x0, y0
            case Heat() | Labels() | Overlay():
                x0, y0, x1, y1 = self.layer.extent
            case _:
                return QRectF()
        return QRectF(QPointF(x0, y0), QPointF(x1, y1))

    def name(self, titles: dict[str, str]) -> str:
        """Return what it is called; `titles` name maps by the id of their layer."""
        match self.layer:
            case Boxes():
                return self.layer.text(self.row) or tr("Box {n:,}", n=self.row + 1)
            case Masks():
                return tr("Mask of {name}", name=_of(self.layer.texts, self.row, tr("object {n:,}", n=self.row + 1)))
            case Skeletons():
                point = _of(self.layer.points, self.point, tr("Key point {n:,}", n=self.point + 1))
                owner = _of(self.layer.texts, self.row, tr("object {n:,}", n=self.row + 1))
                if self.layer.faint[self.row, self.point]:
                    return tr("{point}, uncertain, of {owner}", point=point, owner=owner)
                return tr("{point} of {owner}", point=point, owner=owner)
            case Labels():
                return tr("Map of classes")
            case Overlay() if self.layer.begin is not None:
                return tr("Picture over the picture, from the line at {x:,.0f} px", x=self.layer.begin)
            case Overlay():
                return tr("Picture over the picture")
            case _:
                return tr("Map: {title}", title=titles.get(self.layer.id, self.layer.id.capitalize()))

    @property
    def place(self) -> str:
        """Where it is and how large, in words."""
        rect = self.rect
        if self.point >= 0:
            return tr("At x {x:,.0f}, y {y:,.0f}", x=rect.x(), y=rect.y())
        size = {"width": rect.width(), "height": rect.height()}
        return tr("{width:,.0f} × {height:,.0f} px at x {x:,.0f}, y {y:,.0f}", **size, x=rect.x(), y=rect.y())


class _Group:
    """The objects of one layer."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self._points = np.argwhere(np.isfinite(layer.xy).all(-1)) if isinstance(layer, Skeletons) else None

    def __len__(self) -> int:
        match self.layer:
            case Boxes():
                return len(self.layer) if self.layer.hoverable else 0
            case Masks():
                return len(self.layer.rows)
            case Heat() | Labels() | Overlay():
                return 1
            case _:
                return 0 if self._points is None else len(self._points)

    def __getitem__(self, at: int) -> CanvasObject:
        if self._points is None:
            return CanvasObject(self.layer, at)
        row, point = self._points[at].tolist()
        return CanvasObject(self.layer, row, point)

    def near(self, x: float, y: float, slack_px: float) -> int:
        """Return the nearest key point at most `slack_px` away, -1 if there is none."""
        if self._points is None or not isinstance(self.layer, Skeletons):
            return -1
        away = np.abs(self.layer.xy[tuple(self._points.T)] - (x, y)).max(1)
        return int(away.argmin()) if away.min() <= slack_px else -1

    def find(self, key: tuple[str, int, int]) -> int:
        """Return where an object is among these, -1 if it is not."""
        name, own, point = key
        if name != self.layer.id:
            return -1
        if isinstance(self.layer, Boxes):
            found = np.flatnonzero(self.layer.ids == own) if len(self) else np.zeros(0, np.int64)
        elif self._points is not None:
            found = np.flatnonzero((self._points == (own, point)).all(1))
        else:
            return own if own < len(self) else -1
        return int(found[0]) if len(found) else -1


class _Objects(QAbstractListModel):
    """The objects of all layers, the uppermost layer first."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.titles: dict[str, str] = {}
        self._groups: list[_Group] = []
        self._ends: list[int] = []

    def show(self, layers: Sequence[Layer]) -> None:
        """Replace the layers."""
        self.beginResetModel()
        self._groups = [group for layer in reversed(layers) if len(group := _Group(layer))]
        self._ends = list(accumulate(map(len, self._groups)))
        self.endResetModel()

    def object(self, row: int) -> CanvasObject:
        """Return the object in a row."""
        at = bisect_right(self._ends, row)
        return self._groups[at][row - (self._ends[at - 1] if at else 0)]

    def find(self, key: tuple[str, int, int]) -> int:
        """Return the row of an object, -1 if it is no longer there."""
        for start, group in zip((0, *self._ends), self._groups, strict=False):
            if (at := group.find(key)) >= 0:
                return start + at
        return -1

    def at(self, x: float, y: float, *, slack_px: float) -> int:
        """Return the row of what is at a place of the picture: key point, smallest box, mask or map; or -1."""
        starts = dict(zip((group.layer.id for group in self._groups), (0, *self._ends), strict=False))
        groups = {group.layer.id: group for group in self._groups}
        for name, group in groups.items():
            if (point := group.near(x, y, slack_px)) >= 0:
                return starts[name] + point
        for name, row in hits([group.layer for group in self._groups], x, y, slack_px=slack_px):
            return starts[name] + row
        for name, group in groups.items():
            if not isinstance(group.layer, Boxes | Skeletons):
                under = (row for row in range(len(group)) if group[row].rect.contains(x, y))
                if (row := next(under, -1)) >= 0:
                    return starts[name] + row
        return -1

    @property
    def selected(self) -> list[int]:
        """The rows of the selected boxes."""
        starts = zip((0, *self._ends), self._groups, strict=False)
        layers = [(start, group.layer) for start, group in starts]
        return [start + x.selected for start, x in layers if isinstance(x, Boxes) and 0 <= x.selected < len(x)]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() or not self._ends else self._ends[-1]

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.AccessibleTextRole:
                return self.object(index.row()).name(self.titles)
            case Qt.ItemDataRole.AccessibleDescriptionRole:
                return self.object(index.row()).place
            case _:
                return None


class ObjectList(QListView):
    """The list, spread invisibly over a stage: each row's rectangle is where its object is.

    Up and Down move the focus: `focused` emits the object, to be shown as if the pointer were on it. Enter, or a
    screen reader's choice, emits `pressed`; the menu key emits `menu_wanted` with a place on the screen. On a picture
    with a line, Left and Right emit the line's new x in `line_moved`.
    """

    focused = Signal(object)
    pressed = Signal(object)
    menu_wanted = Signal(object, QPoint)
    line_moved = Signal(float)

    def __init__(self, stage: Stage, parent: QWidget) -> None:
        super().__init__(parent)
        self._stage = stage
        self._settling = False
        self._layers: Sequence[Layer] = ()
        self._objects = _Objects(self)
        self.setModel(self._objects)
        self.setAccessibleName(tr("Objects on the picture"))
        self.setAccessibleDescription(
            tr("Up and Down go from object to object, Enter selects, the menu key offers more.")
        )
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setStyleSheet("QListView { background: transparent; border: none }")
        self.viewport().setAutoFillBackground(False)
        self.setAcceptDrops(False)
        self.viewport().setAcceptDrops(False)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.selectionModel().selectionChanged.connect(self._chosen)

    @property
    def current(self) -> CanvasObject | None:
        """The object with the focus."""
        index = self.currentIndex()
        return self._objects.object(index.row()) if index.isValid() else None

    def show_layers(self, layers: Sequence[Layer]) -> None:
        """List the objects of layers; focus and selection stay with their objects."""
        if len(layers) == len(self._layers) and all(a is b for a, b in zip(layers, self._layers, strict=True)):
            return
        current = self.current
        self._layers = layers
        self._settling = True
        self._objects.show(layers)
        chosen, marks = self.selectionModel(), QItemSelectionModel.SelectionFlag
        for row in self._objects.selected:
            chosen.select(self._objects.index(row), marks.Select)
        if current is not None:
            row = self._objects.find(current.key)
            row = row if row >= 0 or not self.hasFocus() else min(0, self._objects.rowCount() - 1)
            chosen.setCurrentIndex(self._objects.index(row), marks.NoUpdate)
        self._settling = False
        count = self._objects.rowCount()
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if count or self.hasFocus() else Qt.FocusPolicy.NoFocus)

    def name_maps(self, titles: dict[str, str]) -> None:
        """Name the maps, by the ids of their layers."""
        self._objects.titles = titles

    def go(self, row: int) -> None:
        """Give the focus to a row."""
        count = self._objects.rowCount()
        if count:
            index = self._objects.index(min(max(row, 0), count - 1))
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.focused.emit(self.current)
            self.viewport().update()

    def on_screen(self, found: CanvasObject) -> QRect:
        """Return where an object is in this widget."""
        rect = found.rect
        start, end = self._stage.to_screen(rect.topLeft()), self._stage.to_screen(rect.bottomRight())
        grown = POINT_PX / 2 if found.point >= 0 else 0.0
        return QRectF(start, end).adjusted(-grown, -grown, grown, grown).toAlignedRect()

    # what an item view is asked

    def visualRect(self, index: Index) -> QRect:
        return self.on_screen(self._objects.object(index.row())) if index.isValid() else QRect()

    def indexAt(self, p: QPoint) -> QModelIndex:
        """Return a key point, the smallest box, or else a mask or map at a position."""
        at = self._stage.to_picture(QPointF(p))
        row = self._objects.at(at.x(), at.y(), slack_px=POINT_PX / 2 / self._stage.look.scale)
        return self._objects.index(row) if row >= 0 else QModelIndex()

    def scrollTo(
        self, index: Index, hint: QAbstractItemView.ScrollHint = QAbstractItemView.ScrollHint.EnsureVisible
    ) -> None:
        """Scroll nothing: whoever moves the focus moves the picture."""

    def doItemsLayout(self) -> None:
        """Lay nothing out: the picture says where everything is."""

    def updateGeometries(self) -> None:
        """Need no scroll bars."""

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.hasFocus() or (found := self.current) is None:
            return
        painter = QPainter(self.viewport())
        for ink, width in ((colours().panel, 4), (colours().accent, 2)):
            painter.setPen(QPen(ink, width))
            painter.drawRect(self.on_screen(found).adjusted(-RING_PX, -RING_PX, RING_PX, RING_PX))
        painter.end()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
            if plain and event.key() in (*STEPS, *ENDS, *PRESS, *(LINE_STEPS if self._line is not None else ())):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        found, key = self.current, event.key()
        if (line := self._line) is not None and key in LINE_STEPS:
            self.line_moved.emit(line + LINE_STEPS[key] * max(1.0, self._stage.bounds.width() / LINE_SHARE))
        elif key in STEPS:
            self.go(self.currentIndex().row() + STEPS[key])
        elif key in ENDS:
            self.go(0 if key == Qt.Key.Key_Home else self._objects.rowCount() - 1)
        elif key in PRESS and found is not None:
            self.pressed.emit(found)
        else:
            event.ignore()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if (found := self.current) is not None:
            self.menu_wanted.emit(found, self.mapToGlobal(self.on_screen(found).center()))

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self.go(max(0, self.currentIndex().row(), *self._objects.selected))

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()
        if not self._objects.rowCount():
            self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    @property
    def _line(self) -> float | None:
        """Where the line of the object with the focus is, which the arrow keys move; None without one."""
        found = self.current
        return found.layer.begin if found is not None and isinstance(found.layer, Overlay) else None

    def _chosen(self) -> None:
        """Press what a screen reader has selected; the selection itself comes back with the layers."""
        rows = {index.row() for index in self.selectedIndexes()} - set(self._objects.selected)
        if not self._settling and rows:
            self.pressed.emit(self._objects.object(min(rows)))


def _of(names: Sequence[str], at: int, otherwise: str) -> str:
    return names[at] if at < len(names) else otherwise
