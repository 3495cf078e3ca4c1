"""A strip of a few images, one of which can be clicked."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from models.types import Pixels
from viewer import theme
from viewer.widgets.pictures.qimages import rgb

MOST_PX = 56
GAP_PX = 1


class Strip(QWidget):
    """Images (F, H, W, 3) across the whole width, the middle one framed. `picked` emits the index clicked."""

    picked = Signal(int)

    def __init__(self, name: str, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._images: list[QImage] = []

    def show_pictures(self, pictures: Pixels) -> None:
        """Replace the images."""
        self._images = [rgb(each) for each in pictures]
        self.setFixedHeight(self._height(self.width()))
        self.update()

    @property
    def cell(self) -> tuple[float, float]:
        """Return the width and height of an image on the widget."""
        if not self._images:
            return 0.0, 0.0
        width = min((self.width() + GAP_PX) / len(self._images) - GAP_PX, MOST_PX)
        return width, width * self._images[0].height() / self._images[0].width()

    def rect_of(self, row: int) -> QRectF:
        """Return the rectangle of an image on the widget."""
        width, height = self.cell
        left = (self.width() - len(self._images) * (width + GAP_PX) + GAP_PX) / 2
        return QRectF(left + row * (width + GAP_PX), 0, width, height)

    def sizeHint(self) -> QSize:
        """Return the width of a narrow dock."""
        return QSize(240, self._height(240))

    def minimumSizeHint(self) -> QSize:
        """Return a width of zero, so that the strip never widens its panel."""
        return QSize(0, self._height(0))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Set the height for this width; nested layouts do not ask for height-for-width."""
        super().resizeEvent(event)
        self.setFixedHeight(self._height(self.width()))

    def _height(self, width: int) -> int:
        if not self._images:
            return 0
        across = max(0.0, min((width + GAP_PX) / len(self._images) - GAP_PX, MOST_PX))
        return math.ceil(across * self._images[0].height() / self._images[0].width())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Emit the index of the image clicked."""
        found = [row for row in range(len(self._images)) if self.rect_of(row).contains(QPointF(event.position()))]
        if found and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(found[0])

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the images and frame the middle one."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for row, image in enumerate(self._images):
            painter.drawImage(self.rect_of(row), image)
        if self._images:
            painter.setPen(QPen(theme.colours().accent, 1.5))
            painter.drawRect(self.rect_of(len(self._images) // 2).adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()
