"""A graphics view of the picture at a position and scale, with layers over it; input is handled by `view`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QResizeEvent
from PySide6.QtWidgets import QFrame, QGraphicsScene, QGraphicsView, QWidget

from viewer.canvas import painter as paint_code
from viewer.canvas.frame import NEAREST_FROM_SCALE
from viewer.canvas.layers import Hit, Layer
from viewer.canvas.sheet import Sheet, View

FIT_MARGIN_PX = 16
# Distance, in physical pixels, that layers can be moved before any needs repainting.
MARGIN_PX = 128
MAX_SCALE = 64.0
BELOW_FIT = 4.0


@dataclass(frozen=True)
class Look:
    """The picture's point at the centre of the view, and the number of screen pixels per picture pixel."""

    x: float
    y: float
    scale: float


class _Same:
    """An array in a key, compared by identity."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


class Stage(QGraphicsView):
    """A view of a picture that converts between device-independent pixels and the picture's pixels."""

    look_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pixels: NDArray[np.uint8] | None = None
        self.look = Look(0.0, 0.0, 1.0)
        self.fitted = True
        self._origin = QPointF()

        self._layers: Sequence[Layer] = ()
        self._active: Hit | None = None
        self._small: tuple[object, int, QImage] = (None, 1, QImage())
        self._ground, self._shapes, self._labels = Sheet(opaque=True), Sheet(margin=MARGIN_PX), paint_code.Memory()
        self.setScene(QGraphicsScene(self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)

        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAcceptDrops(False)
        self.viewport().setAcceptDrops(False)

    @property
    def bounds(self) -> QRectF:
        """The picture's rectangle, in its pixels."""
        height, width = self.pixels.shape[:2] if self.pixels is not None else (0, 0)
        return QRectF(0, 0, width, height)

    @property
    def visible(self) -> QRectF:
        """The visible area, in the picture's pixels."""
        start, end = self.to_picture(QPointF(0, 0)), self.to_picture(QPointF(self.width(), self.height()))
        return QRectF(start, end)

    @property
    def view(self) -> View:
        """The view, in physical pixels."""
        ratio = self.devicePixelRatioF()
        width, height = (round(side * ratio) for side in (self.width(), self.height()))
        left, top = (round(start * ratio) for start in (self._origin.x(), self._origin.y()))
        return View(width, height, ratio, self.look.scale, left, top)

    @property
    def fit_scale(self) -> float:
        """The scale at which the whole picture is visible."""
        margin = min(FIT_MARGIN_PX, self.width() // 20, self.height() // 20)
        bounds = self.bounds
        across = (self.width() - 2 * margin) / max(bounds.width(), 1)
        down = (self.height() - 2 * margin) / max(bounds.height(), 1)
        return max(min(across, down), 1e-6)

    def show_pixels(self, pixels: NDArray[np.uint8] | None) -> None:
        """Show a picture (H, W, 3), contiguous, at the position and scale of the last one."""
        self.pixels = pixels
        self.viewport().update()

    def show_layers(self, layers: Sequence[Layer], *, active: Hit | None) -> None:
        """Show layers, with a halo around the active box."""
        self._layers, self._active = layers, active
        self.viewport().update()

    def to_picture(self, position: QPointF) -> QPointF:
        """Map a position in this widget to the picture's pixels."""
        return (position - self._origin) / self.look.scale

    def to_screen(self, point: QPointF) -> QPointF:
        """Map a point of the picture to a position in this widget."""
        return point * self.look.scale + self._origin

    def fit(self) -> None:
        """Show the whole picture, also after the widget is resized."""
        centre = self.bounds.center()
        self._show_look(Look(centre.x(), centre.y(), self.fit_scale), fitted=True)

    def go(self, look: Look) -> None:
        """Show the given look, limited so that the centre stays on the picture, which therefore cannot be lost."""
        self._show_look(look, fitted=False)

    def zoom_at(self, position: QPointF, factor: float) -> None:
        """Zoom so that the point of the picture at `position` stays there."""
        scale = self._limited(self.look.scale * factor)
        away = position - QPointF(self.width() / 2, self.height() / 2)
        middle = self.to_picture(position) - away / scale
        self.go(Look(middle.x(), middle.y(), scale))

    def pan(self, shift: QPointF) -> None:
        """Move the picture by screen pixels."""
        self.go(
            Look(self.look.x - shift.x() / self.look.scale, self.look.y - shift.y() / self.look.scale, self.look.scale)
        )

    def picture(self) -> QImage:
        """Return what is shown, without the halo of the box under the pointer."""
        active, self._active = self._active, None
        image = self.grab().toImage()
        self._active = active
        return image

    def settle(self) -> None:
        """Update the picture's position after the widget's size or the screen's pixel ratio has changed."""
        if self.fitted:
            self.fit()
        else:
            self.go(self.look)

    def drawBackground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """Draw the surroundings and the picture."""
        ground = self.backgroundBrush().color()

        def paint(inner: QPainter, part: QRectF | None) -> None:
            seen = self.visible if part is None else part
            if not self.bounds.contains(seen):
                inner.fillRect(seen, ground)
            self._paint_picture(inner)

        self._ground.draw(painter, (_Same(self.pixels), ground.rgba()), self.view, paint)

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """Draw the layers as a whole: the cost is per layer, not per box."""
        if self.pixels is None or not self._layers:
            return
        layers, view = tuple(self._layers), self.view
        place: Any = {"scale": self.look.scale, "visible": self.visible, "bounds": self.bounds}

        def paint(inner: QPainter, part: QRectF | None) -> None:
            paint_code.paint_shapes(inner, layers, part=part, order=order, **place)

        painter.save()
        painter.setWorldTransform(view.transform, combine=True)
        order = paint_code.orders(painter, layers, scale=self.look.scale, visible=self.visible)
        painter.restore()
        self._shapes.draw(painter, (layers, order), view, paint)
        painter.save()
        painter.setWorldTransform(view.transform, combine=True)
        paint_code.paint_marks(painter, layers, active=self._active, memory=self._labels, **place)
        painter.restore()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.settle()

    def _paint_picture(self, painter: QPainter) -> None:
        """Draw the picture; zoomed out, use a reduced one.

        Qt interpolates only four pixels, so fine patterns would turn into moiré.
        """
        pixels = self.pixels
        if pixels is None:
            return
        scale = self.look.scale * self.devicePixelRatioF()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < NEAREST_FROM_SCALE)
        step = 2 ** int(math.log2(max(1 / scale, 1)))
        step = step if min(pixels.shape[:2]) >= 2 * step else 1
        painter.drawImage(self.bounds, self._reduced(pixels, step))

    def _reduced(self, pixels: NDArray[np.uint8], step: int) -> QImage:
        if self._small[0] is not pixels or self._small[1] != step:
            size = QSize(pixels.shape[1] // step, pixels.shape[0] // step)
            mode = Qt.TransformationMode.SmoothTransformation
            image = paint_code.as_image(pixels).convertToFormat(QImage.Format.Format_RGB32)
            self._small = (pixels, step, image if step < 2 else image.scaled(size, mode=mode))
        return self._small[2]

    def _limited(self, scale: float) -> float:
        fit = self.fit_scale
        return min(max(scale, min(fit, 1.0) / BELOW_FIT), max(MAX_SCALE, fit))

    def _show_look(self, look: Look, *, fitted: bool) -> None:
        bounds = self.bounds
        x, y = min(max(look.x, 0.0), bounds.width()), min(max(look.y, 0.0), bounds.height())
        scale = self._limited(look.scale)
        self.look, self.fitted = Look(x, y, scale), fitted

        # A picture that starts between two physical pixels would be blurred, or have rows of unequal height.
        ratio = self.devicePixelRatioF()
        left = round((self.width() / 2 - x * scale) * ratio) / ratio
        top = round((self.height() / 2 - y * scale) * ratio) / ratio
        self._origin = QPointF(left, top)

        self.setSceneRect(0, 0, self.width(), self.height())
        self.viewport().update()
        self.look_changed.emit(self.look)
