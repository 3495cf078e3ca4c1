"""The pane that shows the picture: zoom, pan, and what is under the pointer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QRubberBand, QWidget

from viewer.canvas.card import Card
from viewer.canvas.layers import NO_CLASS, Boxes, Hit, Labels, Layer, Note, Overlay, hits
from viewer.canvas.legend import LegendCard
from viewer.canvas.object_list import CanvasObject, ObjectList
from viewer.canvas.readout import Marker, Readout, StaleDot
from viewer.canvas.stage import Look, Stage
from viewer.theme import class_colour, colours
from viewer.translation import tr

NOTCH_FACTOR = 1.2
KEY_FACTOR = 1.25
SLACK_PX = 3.0
GRIP_PX = 6.0  # on either side of a line that can be dragged


@dataclass(frozen=True)
class Pointer:
    """The pointer's position in picture pixels, the colour there (None outside), and the boxes under it.

    `hits` are (layer, row), the smallest box first; `active` is the index chosen with Up and Down, or -1. `extend` says
    whether Ctrl is held: the clicked box is then selected in addition to the selected one.
    """

    x: float
    y: float
    rgb: tuple[int, int, int] | None
    hits: tuple[Hit, ...] = ()
    active: int = -1
    extend: bool = False

    @property
    def hit(self) -> Hit | None:
        """The active box, None if there is none."""
        return self.hits[self.active] if self.active >= 0 else None


class Canvas(QWidget):
    """A picture with layers over it that can be zoomed and panned.

    Dragging with Shift draws a rectangle; `region_drawn` emits it in the picture's pixels, clipped to the picture.
    Dragging the line of a layer that begins at one moves it: `line_moved` emits its x in the picture's pixels, and
    `line_let_go` that the button is up.
    """

    pointer_moved = Signal(object)
    clicked = Signal(object)
    double_clicked = Signal(object)
    region_drawn = Signal(QRectF)
    line_moved = Signal(float)
    line_let_go = Signal()
    zoom_changed = Signal(float)
    menu_wanted = Signal(object, QPoint)
    look_changed = Signal(object)
    picture_changed = Signal()
    layers_changed = Signal()
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layers: tuple[Layer, ...] = ()
        self._pointer: Pointer | None = None
        self._position: QPointF | None = None
        self._pressed: QPointF | None = None
        self._dragging = False
        self._on_line = False
        self._band: QRubberBand | None = None
        self._percent = 100.0

        self._stage = Stage(self)
        self.objects = ObjectList(self._stage, self)
        self._readout = Readout(self)
        self._stale = StaleDot(self)
        self._marker = Marker(self)
        self.card = Card(self)
        self.legend = LegendCard(self)
        self._stage.look_changed.connect(self._view_changed)
        self.objects.focused.connect(self._point_at)
        self.objects.pressed.connect(self._press)
        self.objects.menu_wanted.connect(self._offer_menu)
        self.objects.line_moved.connect(self._move_line)
        self._stage.setBackgroundBrush(colours().canvas)

        self.setAccessibleName(tr("Picture"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(QSize(64, 64))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers shown, bottom first."""
        return self._layers

    @property
    def pixels(self) -> NDArray[np.uint8] | None:
        """The picture shown (H, W, 3)."""
        return self._stage.pixels

    @property
    def look(self) -> Look:
        """The centre and scale, for use in another pane."""
        return self._stage.look

    @property
    def fitted(self) -> bool:
        """Whether the whole picture is shown, and stays so after a resize."""
        return self._stage.fitted

    @property
    def scale_percent(self) -> float:
        """The zoom in percent: at 100, one picture pixel takes one device-independent pixel."""
        return 100 * self._stage.look.scale

    @property
    def pointer(self) -> Pointer | None:
        """What is under the pointer now."""
        return self._pointer

    @property
    def readout(self) -> str:
        """The text beside the pointer, "" for none."""
        return "" if self._readout.isHidden() else self._readout.text

    @property
    def is_stale(self) -> bool:
        """Whether the sign for outdated results is shown."""
        return not self._stale.isHidden()

    def show_picture(self, pixels: ArrayLike | None, *, keep_view: bool = False) -> None:
        """Show a picture (H, W, 3) uint8, which must not be modified afterwards; fit it unless `keep_view`.

        `keep_view` applies only to a picture of the same size. Raises ValueError for other shapes or types.
        """
        before = self._stage.bounds
        self._stage.show_pixels(_checked(pixels))
        if not keep_view or self._stage.bounds != before:
            self._stage.fit()
        self._update_pointer()
        self.picture_changed.emit()

    def set_layers(self, layers: Sequence[Layer]) -> None:
        """Replace the layers; their ids must differ."""
        self._layers = tuple(layers)
        self.card.show_note(next((layer for layer in layers if isinstance(layer, Note)), None))
        self.objects.show_layers(self._layers if self.pixels is not None else ())
        self._update_pointer()
        self._refresh()
        self.layers_changed.emit()

    def set_stale(self, stale: bool) -> None:
        """Show or hide the sign that the results shown are for an earlier request."""
        self._stale.setVisible(stale)

    def show_pointer(self, place: QPointF | None) -> None:
        """Show the readout for a place of the picture where another pane's pointer is; None when it has left."""
        if place is None:
            self._position = None
            self._describe_pointer(None)
        else:
            self._update_pointer(self.to_screen(place))

    def mark(self, place: QPointF | None) -> None:
        """Show a cross at a place of the picture, or none."""
        self._marker.mark(None if place is None else self.to_screen(place).toPoint())

    def show_look(self, look: Look) -> None:
        """Show the same place as another pane."""
        self._stage.go(look)

    def fit(self) -> None:
        """Show the whole picture, also after resizing, until the next zoom or pan."""
        self._stage.fit()

    def actual_size(self) -> None:
        """Show one picture pixel as one device-independent pixel."""
        self._stage.go(replace(self.look, scale=1.0))

    def zoom(self, factor: float) -> None:
        """Zoom around the centre."""
        self._stage.zoom_at(QPointF(self.width() / 2, self.height() / 2), factor)

    def zoom_to(self, rect: QRectF) -> None:
        """Show a part of the picture as large as possible."""
        scale = min(self.width() / max(rect.width(), 1e-3), self.height() / max(rect.height(), 1e-3))
        self._stage.go(Look(rect.center().x(), rect.center().y(), scale))

    def to_picture(self, position: QPointF) -> QPointF:
        """Map a position in this widget to the picture's pixels."""
        return self._stage.to_picture(position)

    def to_screen(self, point: QPointF) -> QPointF:
        """Map a point of the picture to a position in this widget."""
        return self._stage.to_screen(point)

    def grab_image(self) -> QImage:
        """Return what is shown, in physical pixels, without the widgets at the pointer."""
        return self._stage.picture()

    def cycle(self, step: int) -> bool:
        """Activate the next of the overlapping boxes under the pointer; return whether there is one."""
        pointer = self._pointer
        if pointer is None or len(pointer.hits) < 2:
            return False

        self._describe_pointer(replace(pointer, active=(pointer.active + step) % len(pointer.hits)))
        return True

    def sizeHint(self) -> QSize:
        return QSize(640, 480)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Up | Qt.Key.Key_Down:
                event.setAccepted(self.cycle(1 if event.key() == Qt.Key.Key_Down else -1))
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self.zoom(KEY_FACTOR)
            case Qt.Key.Key_Minus:
                self.zoom(1 / KEY_FACTOR)
            case _:
                event.ignore()

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = (event.angleDelta().y() or event.angleDelta().x()) / 120
        self._stage.zoom_at(event.position(), NOTCH_FACTOR**notches)
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            event.ignore()
            return
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._pressed, self._dragging = event.position(), False
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and self.pixels is not None:
            self._band = QRubberBand(QRubberBand.Shape.Rectangle, self)
            self.setCursor(Qt.CursorShape.CrossCursor)
        elif event.button() == Qt.MouseButton.LeftButton and self._at_line(event.position()):
            self._on_line = True
            self.setCursor(Qt.CursorShape.SplitHCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None:
            self._update_pointer(event.position())
            self._offer_line(event.position())
            return

        shift = event.position() - self._pressed
        self._dragging = self._dragging or shift.manhattanLength() >= QApplication.startDragDistance()
        if self._band is not None:
            self._band.setGeometry(QRectF(self._pressed, event.position()).normalized().toRect())
            self._band.setVisible(self._dragging)
        elif self._on_line:
            if self._dragging:
                self.line_moved.emit(self.to_picture(event.position()).x())
        elif self._dragging:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self._pressed = self._position = event.position()
            self._stage.pan(shift)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        was_click = self._pressed is not None and not self._dragging and event.button() == Qt.MouseButton.LeftButton
        if self._band is not None and self._pressed is not None:
            self._drawn(QRectF(self.to_picture(self._pressed), self.to_picture(event.position())).normalized())
        if self._on_line and self._dragging:
            self.line_let_go.emit()
        self._pressed, self._dragging, self._on_line = None, False, False
        self.unsetCursor()
        self._update_pointer(event.position())
        self._offer_line(event.position())
        if was_click and self._pointer is not None:
            extend = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            self.clicked.emit(replace(self._pointer, extend=extend))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._update_pointer(event.position())
        if event.button() == Qt.MouseButton.LeftButton and self._pointer is not None:
            self.double_clicked.emit(self._pointer)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for a menu of what is under the pointer, or by the keyboard of what was last under it."""
        if event.reason() == QContextMenuEvent.Reason.Mouse or self._position is None:
            self._update_pointer(QPointF(event.pos()))
        if self._pointer is not None:
            self.menu_wanted.emit(self._pointer, event.globalPos())

    def leaveEvent(self, event: QEvent) -> None:
        self._position = None
        self._describe_pointer(None)
        self.left.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._stage.resize(event.size())
        self.objects.resize(event.size())
        self._stale.settle()
        self.card.settle()
        self.legend.settle()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._stage.setBackgroundBrush(colours().canvas)
        super().changeEvent(event)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self._stage.zoom_at(event.position(), 1 + event.value())
            return True
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._stage.settle()
        return super().event(event)

    def _point_at(self, found: CanvasObject) -> None:
        """Show an object as if the pointer were on it; move the picture if its middle is out of sight."""
        middle = found.rect.center()
        if not QRectF(self.rect()).contains(self.to_screen(middle)):
            self._stage.go(replace(self.look, x=middle.x(), y=middle.y()))
        self._update_pointer(self.to_screen(middle))
        pointer = self._pointer
        if pointer is not None and found.hit in pointer.hits:
            self._describe_pointer(replace(pointer, active=pointer.hits.index(found.hit)))

    def _press(self, found: CanvasObject) -> None:
        """Click an object."""
        self._point_at(found)
        if self._pointer is not None:
            self.clicked.emit(self._pointer)

    def _offer_menu(self, found: CanvasObject, position: QPoint) -> None:
        self._point_at(found)
        if self._pointer is not None:
            self.menu_wanted.emit(self._pointer, position)

    def _move_line(self, x: float) -> None:
        self.line_moved.emit(min(max(x, 0.0), self._stage.bounds.width()))
        self.line_let_go.emit()

    def _at_line(self, position: QPointF) -> bool:
        """Return whether a position is on the line at which a layer begins, within the picture."""
        lines = [layer.begin for layer in self._layers if isinstance(layer, Overlay) and layer.begin is not None]
        slack = GRIP_PX / self.look.scale
        if not lines or not self._stage.bounds.adjusted(-slack, 0, slack, 0).contains(self.to_picture(position)):
            return False
        return any(abs(self.to_screen(QPointF(x, 0)).x() - position.x()) <= GRIP_PX for x in lines)

    def _offer_line(self, position: QPointF) -> None:
        """Show by the pointer's form that the line under it can be dragged."""
        if self._at_line(position):
            self.setCursor(Qt.CursorShape.SplitHCursor)
        else:
            self.unsetCursor()

    def _drawn(self, rect: QRectF) -> None:
        """Hide the rubber band and emit the rectangle, unless it is too small."""
        if self._band is not None:
            self._band.hide()
            self._band.deleteLater()
            self._band = None
        rect = rect.intersected(self._stage.bounds)
        if self._dragging and min(rect.width(), rect.height()) >= 1:
            self.region_drawn.emit(rect)

    def _view_changed(self, look: Look) -> None:
        self._update_pointer()
        self.look_changed.emit(look)
        if self.scale_percent != self._percent:
            self._percent = self.scale_percent
            self.zoom_changed.emit(self._percent)

    def _update_pointer(self, position: QPointF | None = None) -> None:
        """Update what is under the pointer, which may have changed although the pointer did not move."""
        self._position = self._position if position is None else position
        pixels = self.pixels
        if self._position is None or pixels is None:
            self._describe_pointer(None)
            return

        point = self.to_picture(self._position)
        found = tuple(hits(self._layers, point.x(), point.y(), slack_px=SLACK_PX / self.look.scale))
        chosen = self._pointer.hit if self._pointer else None
        active = found.index(chosen) if chosen in found else min(0, len(found) - 1)

        column, row = int(np.floor(point.x())), int(np.floor(point.y()))
        inside = 0 <= row < pixels.shape[0] and 0 <= column < pixels.shape[1]
        red, green, blue = pixels[row, column].tolist() if inside else (0, 0, 0)
        rgb = (red, green, blue) if inside else None
        self._describe_pointer(Pointer(point.x(), point.y(), rgb, found, active))

    def _describe_pointer(self, pointer: Pointer | None) -> None:
        before, self._pointer = self._pointer, pointer
        if (pointer and pointer.hit) != (before and before.hit):
            self._refresh()
        self._read_out()
        if pointer != before:
            self.pointer_moved.emit(pointer)

    def _refresh(self) -> None:
        self._stage.show_layers(self._layers, active=self._pointer.hit if self._pointer else None)

    def _read_out(self) -> None:
        pointer, position = self._pointer, self._position
        if pointer is None or position is None or self._dragging:
            self._readout.hide()
            return
        if pointer.hit is None:
            self._read_label(pointer, position.toPoint())
            return

        layer_id, row = pointer.hit
        layer = next(layer for layer in self._layers if isinstance(layer, Boxes) and layer.id == layer_id)
        x0, y0, x1, y1 = layer.boxes[row].tolist()
        lines = [layer.text(row), tr("{} × {} px").format(round(x1 - x0), round(y1 - y0))]
        if len(pointer.hits) > 1:
            keys = tr(", Up/Down") if QApplication.focusWidget() in (None, self) else ""
            lines.append(tr("{} of {}").format(pointer.active + 1, len(pointer.hits)) + keys)

        self._readout.tell(
            tuple(line for line in lines if line),
            colour=class_colour(int(layer.colours[row])),
            position=position.toPoint(),
        )
        self.setAccessibleDescription(self._readout.text)

    def _read_label(self, pointer: Pointer, position: QPoint) -> None:
        """Show the class of the pixel under the pointer, and its probability."""
        for layer in self._layers:
            if isinstance(layer, Labels) and (found := layer.at(pointer.x, pointer.y)) is not None:
                label, sure = found
                colour = class_colour(label) if label not in layer.clear else class_colour(NO_CLASS)
                self._readout.tell((layer.names[label], f"{sure:.1%}"), colour=colour, position=position)
                self.setAccessibleDescription(self._readout.text)
                return
        self._readout.hide()


def _checked(pixels: ArrayLike | None) -> NDArray[np.uint8] | None:
    if pixels is None:
        return None

    array = np.ascontiguousarray(pixels)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ValueError(f"A picture is (height, width, 3) of uint8, not {array.shape} of {array.dtype}.")
    return array
