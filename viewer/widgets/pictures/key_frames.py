"""The keys of a latent path as thumbnails on a line, which can be selected and moved; below, their times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QToolTip, QWidget

from models.types import Pixels
from viewer import theme
from viewer.canvas.painter import as_image
from viewer.context_menu.subject import Offer, Subject
from viewer.translation import tr

THUMB_PX, LEAST_PX = 44, 20
FAN_PX = 12  # below the thumbnails, for the lines that connect them to their times
LEFT_PX, RIGHT_PX = 76, THUMB_PX // 2 + 4  # from the widget's sides to the start and the end of the time axis
NUMBER_PX = 13


@dataclass(frozen=True, eq=False)
class Place:
    """A key: its thumbnail or None, its time from 0 to 1, and a description of the segment after it."""

    picture: Pixels | None
    time: float
    onward: str = ""


@dataclass(eq=False)
class _Drag:
    key: int
    start: QPointF
    at: float = 0.0
    moving: bool = field(default=False)


class KeyLine(QWidget):
    """The line of keys. Arrows select a key, dragging moves one; `picked` emits a key, `moved` a key and its new index.

    `sought` emits the time (0 to 1) clicked between keys, `let_go` the release of that click.
    """

    picked = Signal(int)
    moved = Signal(int, int)
    sought = Signal(float)
    release = Signal()

    def __init__(self, name: str, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._places: Sequence[Place] = ()
        self._loop = False
        self._chosen = -1
        self._drag: _Drag | None = None
        self.offers: Sequence[Offer] = ()  # what else the menu of a key has
        theme.changes().connect(self.update)

    def show_keys(self, places: Sequence[Place], *, chosen: int, loop: bool) -> None:
        """Show the keys; `chosen` is selected (-1: none). For a loop, repeat the first key, faint, at the end."""
        self._places, self._chosen, self._loop = places, chosen, loop
        text = (
            tr("key {chosen} of {places} chosen", chosen=chosen + 1, places=len(places))
            if chosen >= 0
            else tr("{places} keys", places=len(places))
        )
        self.setAccessibleDescription(tr("{text}; arrows choose, Ctrl with arrows moves, Delete removes", text=text))
        self.update()

    @property
    def keys(self) -> int:
        """Return the number of keys."""
        return len(self._places)

    def rect_of(self, key: int) -> QRectF:
        """Return the rectangle of a key's thumbnail; index `keys` is the repeated first key of a loop."""
        slots = max(1, len(self._places) - (not self._loop))
        room = self.width() - LEFT_PX - RIGHT_PX
        middle = LEFT_PX + room * (key / slots if len(self._places) > 1 else 0)
        side = min(THUMB_PX, max(LEAST_PX, room / slots - 4))
        return QRectF(middle - side / 2, (THUMB_PX - side) / 2 + 1, side, side)

    def key_at(self, place: QPointF) -> int:
        """Return the key whose thumbnail is at a point of the widget, -1 for none."""
        return next((key for key in range(len(self._places)) if self.rect_of(key).contains(place)), -1)

    def sizeHint(self) -> QSize:
        return QSize(320, THUMB_PX + 2 + FAN_PX)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, THUMB_PX + 2 + FAN_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, now = QPainter(self), theme.colours()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        font = painter.font()
        font.setPixelSize(theme.SMALL_PX)
        painter.setFont(font)
        count = len(self._places)
        for key in range(count if self._loop and count > 1 else count - 1):
            self._paint_segment(painter, key)
        for key in range(count):
            self._paint_connector(painter, key, self._places[key].time)
            self._thumb(painter, self.rect_of(key), key)
        if self._loop and count > 1:
            self._paint_connector(painter, count, 1.0)
            painter.setOpacity(0.45)
            self._thumb(painter, self.rect_of(count), 0, again=True)
            painter.setOpacity(1)
        if self._drag is not None and self._drag.moving:
            held = self.rect_of(self._drag.key)
            held.moveCenter(QPointF(self._drag.at, held.center().y()))
            painter.setOpacity(0.8)
            self._thumb(painter, held, self._drag.key)
            painter.setOpacity(1)
            gap = self._gap(self._drag.at)
            x = self.rect_of(gap).left() - 3 if gap <= self._drag.key else self.rect_of(gap).right() + 3
            painter.setPen(QPen(now.accent, 2))
            painter.drawLine(QPointF(x, 1), QPointF(x, THUMB_PX + 1))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Start dragging a key, or seek in time."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        key = self.key_at(event.position())
        if key >= 0:
            self._drag = _Drag(key, event.position(), event.position().x())
        elif len(self._places) > 1:
            share = (event.position().x() - LEFT_PX) / max(1, self.width() - LEFT_PX - RIGHT_PX)
            self.sought.emit(self._time(max(0.0, min(1.0, share))))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag a key."""
        if self._drag is not None:
            self._drag.at = event.position().x()
            far = (event.position() - self._drag.start).manhattanLength() >= QApplication.startDragDistance()
            self._drag.moving = self._drag.moving or far
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Drop a dragged key, or select a clicked one."""
        drag, self._drag = self._drag, None
        self.update()
        if drag is None:
            self.release.emit()
            return
        if not drag.moving:
            self.picked.emit(drag.key)
        elif (gap := self._gap(drag.at)) != drag.key:
            self.moved.emit(drag.key, gap)

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell the key at a place, or the chosen one."""
        key = self.key_at(QPointF(place)) if place is not None else self._chosen
        if key < 0:
            return None
        offers: list[Offer] = [(tr("Go to this key"), lambda: self.picked.emit(key))]
        offers += [(title, lambda run=run: (self.picked.emit(key), run())) for title, run in self.offers]
        return Subject(name=self.accessibleName(), offers=offers)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Select the previous or next key."""
        key, last = Qt.Key, len(self._places) - 1
        moves = {key.Key_Left: self._chosen - 1, key.Key_Right: self._chosen + 1, key.Key_Home: 0, key.Key_End: last}
        wanted = moves.get(Qt.Key(event.key()))
        if wanted is None or last < 0 or event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            super().keyPressEvent(event)
        else:
            self.picked.emit(max(0, min(wanted, last)))

    def event(self, event: QEvent) -> bool:
        """Keep the arrow keys from triggering the shortcuts for images; show a key's description as a tooltip."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            own = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End)
            if event.key() in own and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                event.accept()
                return True
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            key = self.key_at(QPointF(event.pos()))
            text = tr("Key {key}. Click to go there, drag to move it", key=key + 1) if key >= 0 else ""
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def _gap(self, x: float) -> int:
        """Return the index that a key dropped at x would get."""
        middles = [self.rect_of(key).center().x() for key in range(len(self._places))]
        return int(np.argmin(np.abs(np.array(middles) - x)))

    def _time(self, share: float) -> float:
        """Return the time at `share` of the line of keys."""
        times = [place.time for place in self._places] + ([1.0] if self._loop else [])
        return float(np.interp(share, np.linspace(0, 1, len(times)), times))

    def _thumb(self, painter: QPainter, rect: QRectF, key: int, *, again: bool = False) -> None:
        now, picture = theme.colours(), self._places[key].picture
        painter.fillRect(rect, now.canvas)
        if picture is not None:
            image = as_image(picture)
            size = image.size().scaled(rect.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
            inside = QRectF(0, 0, size.width(), size.height())
            inside.moveCenter(rect.center())
            painter.drawImage(inside, image)
        chosen = key == self._chosen and not again
        colour = now.accent if chosen else now.border
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 2 if chosen else 1))
        painter.drawRect(rect)
        if chosen and self.hasFocus():
            painter.setPen(QPen(now.text, 1, Qt.PenStyle.DotLine))
            painter.drawRect(rect.adjusted(-2.5, -2.5, 2.5, 2.5))
        badge = QRectF(rect.left(), rect.top(), max(NUMBER_PX, 7 * len(str(key + 1)) + 4), NUMBER_PX)
        painter.fillRect(badge, colour if chosen else now.panel)
        painter.setPen(theme.on_colour(colour) if chosen else now.text)
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, str(key + 1))

    def _paint_segment(self, painter: QPainter, key: int) -> None:
        """Draw the line to the next key, with the segment's description if there is room."""
        now, begin, end = theme.colours(), self.rect_of(key), self.rect_of(key + 1)
        y = begin.center().y()
        painter.setPen(QPen(now.border, 1.5))
        text, room = self._places[key].onward, end.left() - begin.right() - 12
        wide = painter.fontMetrics().horizontalAdvance(text)
        if text and wide + 16 < room:
            middle = (begin.right() + end.left()) / 2
            painter.drawLine(QPointF(begin.right() + 4, y), QPointF(middle - wide / 2 - 6, y))
            painter.drawLine(QPointF(middle + wide / 2 + 6, y), QPointF(end.left() - 4, y))
            painter.setPen(now.muted)
            place = QRectF(middle - wide / 2 - 4, y - 8, wide + 8, 16)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)
        elif room > 0:
            painter.drawLine(QPointF(begin.right() + 4, y), QPointF(end.left() - 4, y))

    def _paint_connector(self, painter: QPainter, key: int, time: float) -> None:
        if len(self._places) > 1:
            rect = self.rect_of(key)
            x = LEFT_PX + time * (self.width() - LEFT_PX - RIGHT_PX)
            painter.setPen(QPen(theme.colours().muted, 1))
            painter.drawLine(QPointF(rect.center().x(), rect.bottom() + 1), QPointF(x, self.height()))
