"""A map of decoded images over a latent plane with a marker, painted as one image."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from models.latent.plane import Plane
from models.types import Bool, Float, Int, Pixels
from viewer import theme
from viewer.context_menu.subject import Offer, Subject
from viewer.translation import tr
from viewer.widgets.pictures.qimages import joined, rgb, shaded

GAP = 8
LABEL_PX = 16
RING_PX = 6.5
DOT_PX = 2.6
NEAR_PX = 7
THUMB_PX = 72
SHADE = 0.62  # opacity of the speed colours over the images
FINE = 0.2  # step of the marker with Shift, as a share of a tile
ZOOM = 1.25


@dataclass(frozen=True, eq=False)
class Points:
    """Data points on the map: coordinates (N, 2), class labels (N,) or -1, thumbnails (N, H, W, 3)."""

    where: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    label: Int = field(default_factory=lambda: np.zeros(0, np.int64))
    thumbs: Pixels | None = None


class PlaneMap(QWidget):
    """The map of a plane, with a marker that the user moves.

    `moved_to` emits the coordinates moved to, `settled` that the move is final. `zoomed` emits the factor and the
    place, in shares of the map from the left and from the top. `hovered` emits the place under the pointer and the row
    of the data point there (-1 for none), or None when the pointer leaves. `whole_wanted` asks for the whole map.
    """

    moved_to = Signal(float, float)
    settled = Signal()
    zoomed = Signal(float, float, float)
    hovered = Signal(object)
    whole_wanted = Signal()

    def __init__(self, name: str, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._plane: Plane | None = None
        self._side = 1
        self._image = QImage()
        self._pixmap = QPixmap()
        self._shade = QImage()
        self._names = ("", "")
        self._corners = False
        self._marker: tuple[float, float, bool] | None = None
        self._points = Points()
        self._under = -1
        self._pointer = QPointF()
        font = QFont(self.font())
        font.setPixelSize(theme.SMALL_PX)
        self.setFont(font)
        theme.changes().connect(self.update)

    @property
    def plane(self) -> Plane | None:
        """Return the plane shown, None without a map."""
        return self._plane

    @property
    def names(self) -> tuple[str, str]:
        """Return the names of the axes."""
        return self._names

    @property
    def image(self) -> QImage:
        """Return the map at its own resolution."""
        return self._image

    def show_map(self, plane: Plane, pictures: Pixels, known: Bool, *, speed: Float | None = None) -> None:
        """Show the images (n, n, H, W, 3) of a plane where `known` (n, n), enlarging coarse tiles to fill the gaps.

        `speed` (n, n) is drawn over the images as colours.
        """
        self._plane, self._side = plane, len(pictures)
        self._image, self._pixmap = joined(pictures, known), QPixmap()
        self._shade = QImage() if speed is None else shaded(speed)
        self.update()

    def clear(self) -> None:
        """Remove the map."""
        self._plane, self._image, self._shade, self._marker = None, QImage(), QImage(), None
        self.set_points(Points())

    def set_names(self, right: str, up: str, *, corners: bool = False) -> None:
        """Name the axes; `corners` marks the three codes A, B and C that span the plane."""
        if (right, up, corners) != (*self._names, self._corners):
            self._names, self._corners = (right, up), corners
            self.update()

    def set_marker(self, marker: tuple[float, float, bool] | None) -> None:
        """Mark coordinates (x, y, inside); the marker is hollow if the current code is not in the plane.

        None removes it.
        """
        if marker != self._marker:
            self._marker = marker
            text = "" if marker is None else f"{self._names[0]} {marker[0]:.2f}, {self._names[1]} {marker[1]:.2f}"
            self.setAccessibleDescription(text)
            self.update()

    def set_points(self, points: Points) -> None:
        """Show data points on the map."""
        self._points, self._under = points, -1
        self.update()

    def sizeHint(self) -> QSize:
        """Return a size at which images can be told apart."""
        return QSize(288, 288)

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size that still shows something."""
        return QSize(144, 144)

    @property
    def place(self) -> QRectF:
        """Return the rectangle of the map on the widget."""
        room = QRectF(self.rect()).adjusted(LABEL_PX + 2, 2, -2, -LABEL_PX - 2)
        size = QSizeF(self._image.size()) if not self._image.isNull() else QSizeF(1, 1)
        size.scale(room.size(), Qt.AspectRatioMode.KeepAspectRatio)
        left = room.left() + (room.width() - size.width()) / 2
        return QRectF(left, room.top(), size.width(), size.height())

    def point_of(self, x: float, y: float) -> QPointF:
        """Return the point of the widget at the given coordinates."""
        assert self._plane is not None
        across, down = self._plane.place(x, y)
        place = self.place
        return QPointF(place.left() + across * place.width(), place.top() + down * place.height())

    def shares(self, point: QPointF) -> tuple[float, float]:
        """Return the position of a widget point on the map, 0 to 1 from the left and top, clamped to its edges."""
        place = self.place
        across, down = (point.x() - place.left()) / place.width(), (point.y() - place.top()) / place.height()
        return min(max(across, 0.0), 1.0), min(max(down, 0.0), 1.0)

    # input

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Move to the pointer."""
        if event.button() == Qt.MouseButton.LeftButton and self.place.contains(event.position()):
            self._emit_coordinates(event.position())
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the pointer while the button is pressed; emit what is under it."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._emit_coordinates(event.position())
        self._hover(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Finish a drag."""
        if event.button() == Qt.MouseButton.LeftButton and self._plane is not None:
            self.settled.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Treat a double click as two clicks."""
        self.mousePressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._under = -1
        self.hovered.emit(None)
        self.update()
        super().leaveEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom in on or out from what is under the pointer."""
        if self._plane is not None and event.angleDelta().y():
            factor = ZOOM ** (event.angleDelta().y() / 120)
            self.zoomed.emit(factor, *self.shares(event.position()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the marker by a tile, with Shift by less; + and - zoom, 0 shows the whole map."""
        key = Qt.Key
        moves = {key.Key_Left: (-1, 0), key.Key_Right: (1, 0), key.Key_Up: (0, -1), key.Key_Down: (0, 1)}
        pressed = Qt.Key(event.key())
        if self._plane is None:
            super().keyPressEvent(event)
        elif pressed in moves and self._marker is not None:
            fine = FINE if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0
            at = self._plane.place(*self._marker[:2])
            moved = [share + by * fine / self._side for share, by in zip(at, moves[pressed], strict=True)]
            inside = [min(max(share, 0.0), 1.0) for share in moved]
            self.moved_to.emit(*self._plane.coordinates(inside[0], inside[1]))
        elif pressed in (key.Key_Plus, key.Key_Equal, key.Key_Minus):
            at = self._plane.place(*self._marker[:2]) if self._marker else (0.5, 0.5)
            self.zoomed.emit(1 / ZOOM if pressed == key.Key_Minus else ZOOM, *at)
        elif pressed == key.Key_0:
            self.whole_wanted.emit()
        else:
            super().keyPressEvent(event)

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell the place on the map, or that of the marker."""
        if self._plane is None:
            return None
        offers: list[Offer] = []
        at = self._plane.coordinates(*self.shares(QPointF(place))) if place is not None else (self._marker or ())[:2]
        text = f"{self._names[0]} {at[0]:.4f}, {self._names[1]} {at[1]:.4f}" if at else ""
        if place is not None and self.place.contains(QPointF(place)):
            offers.append((tr("Go to this place"), lambda: (self.moved_to.emit(*at), self.settled.emit())))
        view = ((tr("Show the whole map"), self.whole_wanted.emit),)
        return Subject(name=self.accessibleName(), text=text, picture=self.grab().toImage(), offers=offers, view=view)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Finish a move made with the keyboard."""
        super().keyReleaseEvent(event)
        if not event.isAutoRepeat():
            self.settled.emit()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def _emit_coordinates(self, point: QPointF) -> None:
        if self._plane is not None:
            self.moved_to.emit(*self._plane.coordinates(*self.shares(point)))

    def _hover(self, point: QPointF) -> None:
        self._under, self._pointer = self._nearest(point), point
        inside = self._plane is not None and self.place.contains(point)
        self.hovered.emit((*self.shares(point), self._under) if inside else None)
        self.update()

    def _nearest(self, point: QPointF) -> int:
        """Return the row of the data point near a widget point, -1 for none."""
        at = self._dots()
        if not len(at) or not self.place.contains(point):
            return -1
        away = np.hypot(at[:, 0] - point.x(), at[:, 1] - point.y())
        return int(away.argmin()) if away.min() <= NEAR_PX else -1

    def _dots(self) -> NDArray[np.float64]:
        """Return the positions (N, 2) of the data points on the widget."""
        if self._plane is None or not len(self._points.where):
            return np.zeros((0, 2))
        place = self.place
        shares = np.array([self._plane.place(x, y) for x, y in self._points.where.tolist()])
        return shares * (place.width(), place.height()) + (place.left(), place.top())

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the map, the points and the marker on it, and the axes."""
        now, place = theme.colours(), self.place
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._plane is None:
            painter.fillRect(place, now.canvas)
            painter.end()
            return
        painter.drawPixmap(place.toAlignedRect(), self._scaled(place))
        if not self._shade.isNull():
            painter.setOpacity(SHADE)
            painter.drawImage(place, self._shade)
            painter.setOpacity(1)
        painter.setPen(QPen(now.accent if self.hasFocus() else now.border, 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(place.adjusted(-0.5, -0.5, 0.5, 0.5))
        self._axes(painter, place)
        painter.save()
        painter.setClipRect(place)
        self._paint_points(painter)
        if self._corners:
            self._paint_corners(painter)
        painter.restore()
        self._paint_marker(painter)
        self._paint_thumb(painter, place)
        painter.end()

    def _scaled(self, place: QRectF) -> QPixmap:
        ratio = self.devicePixelRatioF()
        size = (place.toAlignedRect().size().toSizeF() * ratio).toSize()
        if self._pixmap.size() != size:
            mode = Qt.TransformationMode.SmoothTransformation
            self._pixmap = QPixmap.fromImage(self._image.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, mode))
            self._pixmap.setDevicePixelRatio(ratio)
        return self._pixmap

    def _axes(self, painter: QPainter, place: QRectF) -> None:
        """Draw the names of the axes and the values at their ends."""
        assert self._plane is not None
        align, now = Qt.AlignmentFlag, theme.colours()
        below = QRectF(place.left(), place.bottom() + 3, place.width(), LABEL_PX)
        x, y = self._plane.x, self._plane.y
        for flag, text in ((align.AlignLeft, number(x.low)), (align.AlignRight, number(x.high))):
            painter.setPen(now.muted)
            painter.drawText(below, flag | align.AlignTop, text)
        painter.setPen(now.text)
        painter.drawText(below, align.AlignHCenter | align.AlignTop, self._names[0])
        painter.save()
        painter.translate(place.left() - 3 - LABEL_PX, place.bottom())
        painter.rotate(-90)
        beside = QRectF(0, 0, place.height(), LABEL_PX)
        for flag, text in ((align.AlignLeft, number(y.low)), (align.AlignRight, number(y.high))):
            painter.setPen(now.muted)
            painter.drawText(beside, flag | align.AlignBottom, text)
        painter.setPen(now.text)
        painter.drawText(beside, align.AlignHCenter | align.AlignBottom, self._names[1])
        painter.restore()

    def _paint_points(self, painter: QPainter) -> None:
        for row, (x, y) in enumerate(self._dots().tolist()):
            label = int(self._points.label[row])
            painter.setPen(QPen(QColor(0, 0, 0, 150), 0.8))
            painter.setBrush(theme.class_colour(label) if label >= 0 else theme.colours().warning)
            size = DOT_PX * (1.7 if row == self._under else 1)
            painter.drawEllipse(QPointF(x, y), size, size)

    def _paint_corners(self, painter: QPainter) -> None:
        """Mark the three codes and B + C - A."""
        for name, x, y in (("A", -1, -1), ("B", 1, -1), ("C", -1, 1), ("B + C − A", 1, 1)):
            point = self.point_of(x, y)
            width = self.fontMetrics().horizontalAdvance(name) + GAP
            badge = QRectF(point.x() - width / 2, point.y() - LABEL_PX / 2, width, LABEL_PX)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(0, 0, 0, 170))
            painter.drawRoundedRect(badge, 4, 4)
            painter.setPen(QColor("white"))
            painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, name)

    def _paint_marker(self, painter: QPainter) -> None:
        """Paint the marker; outside the map it is clamped to the edge and drawn smaller."""
        if self._marker is None:
            return
        x, y, inside = self._marker
        point, place, now = self.point_of(x, y), self.place, theme.colours()
        near = QPointF(
            min(max(point.x(), place.left()), place.right()), min(max(point.y(), place.top()), place.bottom())
        )
        radius = RING_PX if near == point else RING_PX * 0.7
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((QColor(0, 0, 0, 190), 4.5), (QColor("white"), 2.2)):
            painter.setPen(QPen(colour, width))
            painter.drawEllipse(near, radius, radius)
        if inside:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(now.accent)
            painter.drawEllipse(near, radius - 1, radius - 1)

    def _paint_thumb(self, painter: QPainter, place: QRectF) -> None:
        """Draw the thumbnail of the data point under the pointer."""
        if self._under < 0 or self._points.thumbs is None:
            return
        image = rgb(self._points.thumbs[self._under])
        left = self._pointer.x() + 14 if self._pointer.x() < place.center().x() else self._pointer.x() - 14 - THUMB_PX
        top = self._pointer.y() + 14 if self._pointer.y() < place.center().y() else self._pointer.y() - 14 - THUMB_PX
        frame = QRectF(left, top, THUMB_PX, THUMB_PX * image.height() / image.width())
        painter.drawImage(frame, image)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.colours().accent, 2))
        painter.drawRect(frame)


def number(value: float) -> str:
    """Return a coordinate with three digits and a typographic minus, which is as wide as a plus."""
    return f"{value:.3g}".replace("-", "−")
