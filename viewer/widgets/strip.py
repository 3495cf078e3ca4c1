"""A few pictures side by side as one strip, one of which can be clicked. It makes none of them."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from models.types import Pixels
from viewer import theme
from viewer.widgets.images import rgb

MOST_PX = 56
GAP_PX = 1


class Strip(QWidget):
    """Pictures (F, H, W, 3) over the whole width; `picked` tells which was clicked, the middle one is framed."""

    picked = Signal(int)

    def __init__(self, name: str, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._images: list[QImage] = []

    def show_pictures(self, pictures: Pixels) -> None:
        """Show other pictures."""
        self._images = [rgb(each) for each in pictures]
        self.setFixedHeight(self.heightForWidth(self.width()))
        self.update()

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of a picture on the widget."""
        if not self._images:
            return 0.0, 0.0
        width = min((self.width() + GAP_PX) / len(self._images) - GAP_PX, MOST_PX)
        return width, width * self._images[0].height() / self._images[0].width()

    def rect_of(self, row: int) -> QRectF:
        """Return where a picture is on the widget."""
        width, height = self.cell
        left = (self.width() - len(self._images) * (width + GAP_PX) + GAP_PX) / 2
        return QRectF(left + row * (width + GAP_PX), 0, width, height)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Be as high as a picture; a form in a scroll area does not ask for the height that follows from a width."""
        super().resizeEvent(event)
        self.setFixedHeight(self.heightForWidth(self.width()))

    def heightForWidth(self, width: int) -> int:
        """As high as a picture."""
        if not self._images:
            return 0
        across = min((width + GAP_PX) / len(self._images) - GAP_PX, MOST_PX)
        return round(across * self._images[0].height() / self._images[0].width())

    def sizeHint(self) -> QSize:
        """As wide as a narrow dock."""
        return QSize(240, self.heightForWidth(240))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tell which picture was clicked."""
        found = [row for row in range(len(self._images)) if self.rect_of(row).contains(QPointF(event.position()))]
        if found and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(found[0])

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the pictures, and frame the middle one."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for row, image in enumerate(self._images):
            painter.drawImage(self.rect_of(row), image)
        if self._images:
            painter.setPen(QPen(theme.colours().accent, 1.5))
            painter.drawRect(self.rect_of(len(self._images) // 2).adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()
