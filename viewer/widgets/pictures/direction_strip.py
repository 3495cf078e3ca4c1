"""A latent direction: its name, a slider, images along it, and a button to keep or remove it."""

from __future__ import annotations

import math

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from models.types import Pixels
from viewer import theme
from viewer.context_menu.subject import Subject
from viewer.presenters.latent_directions import Direction
from viewer.translation import tr
from viewer.widgets.controls.slider import SliderRow
from viewer.widgets.pictures.qimages import rgb

MOST_PX = 56
GAP_PX = 1

GAP = 8
REACH, STEP = 5.0, 0.05
LABEL_PX = 68


class Along(QWidget):
    """A slider along a direction. `moved` emits the position and whether it is final, `picked` the image clicked.

    `button` asks to keep the direction, or to remove it if it is kept already.
    """

    moved = Signal(float, bool)
    picked = Signal(int)
    button = Signal()

    def __init__(self, direction: Direction, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.direction = direction
        name = direction.name
        self.row = SliderRow(name, low=-REACH, high=REACH, step=STEP, value=0.0, help=direction.help, key=name)
        self.row.default_title = tr("Where it was found")
        self.row.set_label_width(LABEL_PX)
        self.keep = QToolButton()
        self.keep.setAutoRaise(True)
        self.keep.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        words = tr("Remove {name}", name=name) if direction.kept else tr("Keep {name}", name=name)
        self.keep.setAccessibleName(words)
        self.keep.setToolTip(words)
        self.keep.clicked.connect(self.button)
        line, column = QHBoxLayout(), QVBoxLayout(self)
        line.setSpacing(GAP // 2)
        line.addWidget(self.row, 1)
        line.addWidget(self.keep, 0, Qt.AlignmentFlag.AlignTop)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP // 2)
        column.addLayout(line)
        self.strip: Strip | None = None
        if direction.strip is not None:
            self.strip = Strip(tr("Pictures along {name}", name=name))
            self.strip.show_pictures(direction.strip)
            self.strip.picked.connect(self.picked)
            column.addWidget(self.strip)
        self.row.reported.connect(lambda _, value, final: self.moved.emit(float(value), final))
        self._set_icon()
        theme.changes().connect(self._set_icon)

    def show_at(self, value: float, found: float | None) -> None:
        """Show the position of the current code, and the position `found` at which the direction was computed."""
        self.row.set_value(min(max(value, -REACH), REACH))
        if found is not None:
            self.row.set_default(min(max(found, -REACH), REACH))

    def _set_icon(self) -> None:
        self.keep.setIcon(theme.icon("close" if self.direction.kept else "save"))


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

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell the picture at a place, the middle one without a place."""
        row = self._row_at(QPointF(place)) if place is not None else len(self._images) // 2
        if not 0 <= row < len(self._images):
            return None
        offers = [(tr("Go to this picture"), lambda: self.picked.emit(row))]
        return Subject(name=self.accessibleName(), picture=self._images[row], offers=offers)

    def _row_at(self, place: QPointF) -> int:
        return next((row for row in range(len(self._images)) if self.rect_of(row).contains(place)), -1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Emit the index of the image clicked."""
        row = self._row_at(event.position())
        if row >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(row)

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
