"""A small picture of which every pixel can be seen, pointed at and chosen, with a mark on one of them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from models.types import Pixels
from viewer import theme
from viewer.context_menu.subject import Subject
from viewer.translation import tr
from viewer.widgets.pictures.qimages import rgb

SIDE_PX, LEAST_PX = 240, 112


class PixelPicture(QWidget):
    """A picture enlarged without smoothing.

    `picked` emits the row and column of a pixel that is clicked, or chosen with the arrows and Enter; `hovered` those
    under the pointer, or None when it leaves.
    """

    picked = Signal(int, int)
    hovered = Signal(object)

    def __init__(self, name: str, *, side_px: int = SIDE_PX, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._side_px = side_px
        self._image = QImage()
        self._mark: tuple[int, int] | None = None
        self._cursor: tuple[int, int] | None = None
        theme.changes().connect(self.update)

    @property
    def image(self) -> QImage:
        """Return the picture at its own size."""
        return self._image

    @property
    def mark(self) -> tuple[int, int] | None:
        """Return the row and column of the pixel that is marked."""
        return self._mark

    def show_pixels(self, pixels: Pixels | None) -> None:
        """Show pixels (H, W, 3), None for nothing."""
        self._image = QImage() if pixels is None else rgb(pixels)
        self.update()

    def set_mark(self, mark: tuple[int, int] | None) -> None:
        """Mark the pixel at a row and column, None for none."""
        if mark != self._mark:
            self._mark = self._cursor = mark
            self.setAccessibleDescription("" if mark is None else f"{mark[0]}, {mark[1]}")
            self.update()

    def sizeHint(self) -> QSize:
        """Return a size at which pixels can be told apart."""
        return QSize(self._side_px, self._side_px)

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size that still shows something."""
        return QSize(LEAST_PX, LEAST_PX)

    @property
    def place(self) -> QRectF:
        """Return the rectangle of the picture on the widget."""
        room = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        size = QSizeF(self._image.size()) if not self._image.isNull() else QSizeF(1, 1)
        size.scale(room.size(), Qt.AspectRatioMode.KeepAspectRatio)
        left = room.left() + (room.width() - size.width()) / 2
        return QRectF(left, room.top() + (room.height() - size.height()) / 2, size.width(), size.height())

    def pixel_at(self, point: QPointF) -> tuple[int, int] | None:
        """Return the row and column of the pixel at a point of the widget, None beside the picture."""
        place = self.place
        if self._image.isNull() or not place.contains(point):
            return None
        row = int((point.y() - place.top()) / place.height() * self._image.height())
        column = int((point.x() - place.left()) / place.width() * self._image.width())
        return min(row, self._image.height() - 1), min(column, self._image.width() - 1)

    def rect_of(self, row: int, column: int) -> QRectF:
        """Return the rectangle of a pixel on the widget."""
        place = self.place
        wide, high = place.width() / self._image.width(), place.height() / self._image.height()
        return QRectF(place.left() + column * wide, place.top() + row * high, wide, high)

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell the pixel at a place, or the marked one."""
        if self._image.isNull():
            return None
        found = self.pixel_at(QPointF(place)) if place is not None else self._mark
        if found is None:
            return Subject(name=self.accessibleName(), picture=self._image)
        row, column = found
        red, green, blue, _ = self._image.pixelColor(column, row).getRgb()  # pyright: ignore[reportGeneralTypeIssues]
        value = f"{red} {green} {blue}"
        text = tr("Row {row}, column {column}: {value}", row=row, column=column, value=value)
        offers = [(tr("Choose this pixel"), lambda: self.picked.emit(row, column))]
        return Subject(name=self.accessibleName(), text=text, picture=self._image, offers=offers)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the pixel under the pointer."""
        found = self.pixel_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and found is not None:
            self.picked.emit(*found)
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Emit the pixel under the pointer."""
        self.hovered.emit(self.pixel_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(None)
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the cursor by a pixel; Enter and the space bar choose the pixel at it."""
        key = Qt.Key
        moves = {key.Key_Left: (0, -1), key.Key_Right: (0, 1), key.Key_Up: (-1, 0), key.Key_Down: (1, 0)}
        pressed = Qt.Key(event.key())
        if self._image.isNull():
            super().keyPressEvent(event)
        elif pressed in moves:
            row, column = self._cursor or (self._image.height() // 2, self._image.width() // 2)
            down, across = moves[pressed]
            self._cursor = (
                min(max(row + down, 0), self._image.height() - 1),
                min(max(column + across, 0), self._image.width() - 1),
            )
            self.hovered.emit(self._cursor)
            self.update()
        elif pressed in (key.Key_Return, key.Key_Enter, key.Key_Space) and self._cursor is not None:
            self.picked.emit(*self._cursor)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the picture, the mark, and with the focus the cursor."""
        now, place = theme.colours(), self.place
        painter = QPainter(self)
        if self._image.isNull():
            painter.fillRect(place, now.canvas)
            painter.end()
            return
        painter.drawImage(place, self._image)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(now.accent if self.hasFocus() else now.border, 1))
        painter.drawRect(place.adjusted(-0.5, -0.5, 0.5, 0.5))
        if self._mark is not None:
            self._frame(painter, self._mark, now.accent)
        if self.hasFocus() and self._cursor is not None and self._cursor != self._mark:
            self._frame(painter, self._cursor, now.warning)
        painter.end()

    def _frame(self, painter: QPainter, at: tuple[int, int], colour: QColor) -> None:
        inside = self.rect_of(*at)
        for shade, width in ((QColor(0, 0, 0, 190), 4.0), (colour, 2.0)):
            painter.setPen(QPen(shade, width))
            painter.drawRect(inside.adjusted(-1, -1, 1, 1))
