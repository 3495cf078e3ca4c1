"""A picture that fills the width of its column, with its caption."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from models.types import Pixels
from viewer import theme
from viewer.context_menu.subject import Subject
from viewer.widgets.pictures.qimages import rgb

HIGHEST_PX = 260
CAPTION_PX = 18


class PictureLabel(QWidget):
    """A picture called `name`, at the width there is and at most 260 px high."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.image = QImage()
        self._faded = False
        self.setAccessibleName(name)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        theme.changes().connect(self.update)

    def show_pixels(self, pixels: Pixels) -> None:
        """Show a picture (H, W, 3)."""
        self.image = rgb(np.ascontiguousarray(pixels)).copy()
        self.setAccessibleDescription(f"{pixels.shape[1]} × {pixels.shape[0]}")
        self.updateGeometry()
        self.update()

    def set_faded(self, faded: bool) -> None:
        """Fade the picture while it belongs to older settings."""
        self._faded = faded
        self.update()

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell the picture shown."""
        return Subject(name=self.name, picture=self.image) if not self.image.isNull() else None

    def hasHeightForWidth(self) -> bool:
        """Say that the height follows the width."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of the picture at a width, with the caption."""
        if self.image.isNull():
            return CAPTION_PX
        return CAPTION_PX + min(HIGHEST_PX, width * self.image.height() // max(self.image.width(), 1))

    def sizeHint(self) -> QSize:
        """Return a size for a column of controls."""
        return QSize(240, self.heightForWidth(240))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the caption, and the picture under it."""
        painter = QPainter(self)
        painter.setPen(theme.colours().muted)
        font = painter.font()
        font.setPixelSize(theme.SMALL_PX)
        painter.setFont(font)
        painter.drawText(QRectF(0, 0, self.width(), CAPTION_PX), Qt.AlignmentFlag.AlignVCenter, self.name)
        if not self.image.isNull():
            room = QRectF(0, CAPTION_PX, self.width(), self.height() - CAPTION_PX)
            scale = min(room.width() / self.image.width(), room.height() / self.image.height())
            size = self.image.width() * scale, self.image.height() * scale
            painter.setOpacity(0.5 if self._faded else 1.0)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRectF((room.width() - size[0]) / 2, CAPTION_PX, *size), self.image)
        painter.end()
