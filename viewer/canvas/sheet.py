"""Cache a painted view as an image while nothing changes, and scroll the image while the view moves."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPixmap, QTransform

# Called with a painter in the picture's coordinates, and the part of the view to paint in those, None for all.
Paint = Callable[[QPainter, QRectF | None], None]


@dataclass(frozen=True)
class View:
    """A widget's view of a picture.

    `width` and `height` are in physical pixels, `ratio` is physical per device-independent pixels, `scale`
    device-independent pixels per picture pixel. `left`, `top` is the picture's corner in physical pixels.
    """

    width: int
    height: int
    ratio: float
    scale: float
    left: int
    top: int

    @property
    def transform(self) -> QTransform:
        """The transform from the picture's pixels to device-independent ones."""
        return QTransform(self.scale, 0, 0, self.scale, self.left / self.ratio, self.top / self.ratio)

    def shows(self, painter: QPainter) -> bool:
        """Return whether a painter's device has the same pixels as this view."""
        world = painter.worldTransform()
        same = painter.device().devicePixelRatioF() == self.ratio
        return same and world.m11() == 1 and world.m22() == 1 and not world.isRotating()

    def moved(self, other: View) -> QPoint | None:
        """Return the shift, in physical pixels, to `other`; None if they differ in more than a shift."""
        if (self.width, self.height, self.ratio, self.scale) != (other.width, other.height, other.ratio, other.scale):
            return None
        return QPoint(other.left - self.left, other.top - self.top)


class Sheet:
    """Caches what was painted for a key. A key painted only once is not cached, which would cost more than it saves.

    The image extends `margin` physical pixels beyond the view, so that it can move that far before parts need painting.
    Without a margin it is valid only while the view stays the same. `opaque` content covers the whole view.
    """

    def __init__(self, *, margin: int = 0, opaque: bool = False) -> None:
        self._opaque = opaque
        self._margin = margin
        self._key: Hashable = None
        self._view: View | None = None
        self._pixmap: QPixmap | None = None

    def draw(self, painter: QPainter, key: Hashable, view: View, paint: Paint) -> None:
        """Draw with a painter in device-independent pixels of the view.

        `key` identifies the content apart from `view`.
        """
        moved = self._view.moved(view) if self._view is not None and key == self._key else None
        if moved is not None and not self._margin and not moved.isNull():
            moved = None
        if moved is None or not view.shows(painter):
            self._key, self._view, self._pixmap = key, view, None
            painter.save()
            painter.setWorldTransform(view.transform, combine=True)
            paint(painter, None)
            painter.restore()
            return

        if self._pixmap is None:
            self._pixmap = QPixmap(view.width + 2 * self._margin, view.height + 2 * self._margin)
            if not self._opaque:
                self._pixmap.fill(Qt.GlobalColor.transparent)  # fills, and so allocates, the alpha channel
            self._view, moved = view, QPoint()
            self._paint(view, paint, [self._pixmap.rect()])
        elif max(abs(moved.x()), abs(moved.y())) > self._margin:
            self._view = view
            self._paint(view, paint, self._shift(moved))
            moved = QPoint()
        painter.save()
        painter.scale(1 / view.ratio, 1 / view.ratio)
        painter.drawPixmap(moved - QPoint(self._margin, self._margin), self._pixmap)
        painter.restore()

    def _shift(self, moved: QPoint) -> list[QRect]:
        """Shift the image's content, and return the parts, in physical pixels, that need painting."""
        assert self._pixmap is not None
        whole = self._pixmap.rect()
        kept = whole & whole.translated(moved)
        if kept.isEmpty():
            return [whole]
        self._pixmap.scroll(moved.x(), moved.y(), whole)
        across = QRect(0, 0 if moved.y() > 0 else kept.bottom() + 1, whole.width(), abs(moved.y()))
        down = QRect(0 if moved.x() > 0 else kept.right() + 1, kept.top(), abs(moved.x()), kept.height())
        return [part for part in (across, down) if not part.isEmpty()]

    def _paint(self, view: View, paint: Paint, parts: list[QRect]) -> None:
        """Repaint parts of the image, given in its pixels."""
        assert self._pixmap is not None
        # Set only while painting, so that strokes get the screen's width; when drawn, image pixels map to physical
        # pixels.
        self._pixmap.setDevicePixelRatio(view.ratio)
        aside = self._margin / view.ratio
        to_image = view.transform * QTransform.fromTranslate(aside, aside)
        for part in parts:
            shape = QRectF(part)
            logical = QTransform.fromScale(1 / view.ratio, 1 / view.ratio).mapRect(shape)
            painter = QPainter(self._pixmap)
            try:
                painter.setClipRect(logical)
                painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
                painter.fillRect(logical, Qt.GlobalColor.transparent)
                painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
                painter.setWorldTransform(to_image)
                paint(painter, to_image.inverted()[0].mapRect(logical))  # pyright: ignore[reportIndexIssue]
            finally:
                painter.end()
        self._pixmap.setDevicePixelRatio(1.0)
