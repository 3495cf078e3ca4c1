"""An image of what was painted over a view, kept while nothing of it changes and moved along while the view moves."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPixmap, QTransform

# Paints with a painter in the picture's pixels; of the view only a part, given in those, or all of it at None.
Paint = Callable[[QPainter, QRectF | None], None]


@dataclass(frozen=True)
class View:
    """A widget's view on a picture: `width` and `height` in physical pixels, `ratio` of those a device-independent one,
    `scale` device-independent pixels a pixel of the picture, whose corner lies at `left`, `top` in physical pixels."""

    width: int
    height: int
    ratio: float
    scale: float
    left: int
    top: int

    @property
    def transform(self) -> QTransform:
        """From the picture's pixels to device-independent ones."""
        return QTransform(self.scale, 0, 0, self.scale, self.left / self.ratio, self.top / self.ratio)

    def shows(self, painter: QPainter) -> bool:
        """Tell whether a painter's device has this view's pixels."""
        world = painter.worldTransform()
        same = painter.device().devicePixelRatioF() == self.ratio
        return same and world.m11() == 1 and world.m22() == 1 and not world.isRotating()

    def moved(self, other: View) -> QPoint | None:
        """Return by how many physical pixels `other` shows the same further on; None where it shows something else."""
        if (self.width, self.height, self.ratio, self.scale) != (other.width, other.height, other.ratio, other.scale):
            return None
        return QPoint(other.left - self.left, other.top - self.top)


class Sheet:
    """Paints what belongs to a key. What is painted once only is not kept: that costs more than it saves."""

    def __init__(self) -> None:
        self._key: Hashable = None
        self._view: View | None = None
        self._pixmap: QPixmap | None = None

    def draw(self, painter: QPainter, key: Hashable, view: View, paint: Paint) -> None:
        """Draw with a painter in the view's device-independent pixels; `key` tells what it depends on beside `view`."""
        moved = self._view.moved(view) if self._view is not None and key == self._key else None
        self._key, self._view = key, view
        if moved is None or not view.shows(painter):
            self._pixmap = None
            painter.save()
            painter.setWorldTransform(view.transform, combine=True)
            paint(painter, None)
            painter.restore()
            return

        if self._pixmap is None:
            self._pixmap = QPixmap(view.width, view.height)
            self._pixmap.setDevicePixelRatio(view.ratio)
            self._pixmap.fill(Qt.GlobalColor.transparent)
            self._paint(view, paint, None)
        elif not moved.isNull():
            for part in self._shift(view, moved):
                self._paint(view, paint, part)
        painter.drawPixmap(0, 0, self._pixmap)

    def _shift(self, view: View, moved: QPoint) -> list[QRect | None]:
        """Move the image along, and return the parts of it, in physical pixels, to be painted; None for all."""
        assert self._pixmap is not None
        whole, dx, dy = QRect(0, 0, view.width, view.height), moved.x(), moved.y()
        if view.ratio != int(view.ratio) or not whole.intersects(whole.translated(moved)):
            self._pixmap.fill(Qt.GlobalColor.transparent)
            return [None]
        self._pixmap.scroll(dx, dy, whole)
        kept = whole & whole.translated(moved)
        across = QRect(0, 0 if dy > 0 else kept.bottom() + 1, view.width, abs(dy))
        down = QRect(0 if dx > 0 else kept.right() + 1, kept.top(), abs(dx), kept.height())
        return [part for part in (across, down) if not part.isEmpty()]

    def _paint(self, view: View, paint: Paint, part: QRect | None) -> None:
        painter, seen = QPainter(self._pixmap), None
        if part is not None:
            logical = QRectF(part.x(), part.y(), part.width(), part.height())
            logical = QTransform.fromScale(1 / view.ratio, 1 / view.ratio).mapRect(logical)
            painter.setClipRect(logical)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
            painter.fillRect(logical, Qt.GlobalColor.transparent)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
            seen = view.transform.inverted()[0].mapRect(logical)  # pyright: ignore[reportIndexIssue]
        painter.setWorldTransform(view.transform)
        paint(painter, seen)
        painter.end()
