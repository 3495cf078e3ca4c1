"""The picture at a place and a scale, with the layers over it. It shows; it takes no input and knows no pointer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QResizeEvent
from PySide6.QtWidgets import QGraphicsView, QStyleOptionGraphicsItem, QWidget

from viewer.canvas import painter as paint_code
from viewer.canvas.layers import Hit, Layer

FIT_MARGIN_PX = 16
MAX_SCALE = 64.0
BELOW_FIT = 4.0
# In physical pixels per pixel of the picture: from here on single pixels are what people want to see.
NEAREST_FROM_SCALE = 2.0
_EVERYWHERE = QRectF(-1e6, -1e6, 2e6, 2e6)

pg.setConfigOptions(imageAxisOrder="row-major", antialias=False, useOpenGL=False)


@dataclass(frozen=True)
class Look:
    """Which point of the picture is in the middle, and how many screen pixels one of its pixels takes."""

    x: float
    y: float
    scale: float


class Picture(pg.ImageItem):
    """The picture; far away a reduced one, because Qt takes four pixels of many, and fine patterns turn to moiré."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(axisOrder="row-major")
        self._stage = stage
        self._small: tuple[object, int, QImage] = (None, 1, QImage())

    def paint(self, painter: QPainter, *args: object) -> None:
        pixels = self._stage.pixels
        scale = self._stage.look.scale * self._stage.devicePixelRatioF()
        step = 2 ** int(math.log2(max(1 / scale, 1)))
        if pixels is None or step < 2 or min(pixels.shape[:2]) < 2 * step:
            super().paint(painter, *args)
        else:
            painter.drawImage(self._stage.bounds, self._reduced(pixels, step))

    def _reduced(self, pixels: NDArray[np.uint8], step: int) -> QImage:
        if self._small[0] is not pixels or self._small[1] != step:
            size = QSize(pixels.shape[1] // step, pixels.shape[0] // step)
            mode = Qt.TransformationMode.SmoothTransformation
            image = paint_code.as_image(pixels).convertToFormat(QImage.Format.Format_RGB32)
            self._small = (pixels, step, image.scaled(size, mode=mode))
        return self._small[2]


class Overlay(pg.GraphicsObject):
    """Every layer as one item: the cost is per layer, not per box."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage
        self.layers: Sequence[Layer] = ()
        self.active: Hit | None = None

    def boundingRect(self) -> QRectF:
        return _EVERYWHERE

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        stage = self._stage
        if stage.pixels is not None:
            paint_code.paint(
                painter,
                self.layers,
                scale=stage.look.scale,
                visible=stage.visible,
                bounds=stage.bounds,
                active=self.active,
            )


class Stage(pg.GraphicsView):
    """A view on a picture, in device-independent pixels on its side and the picture's pixels on the other."""

    look_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, useOpenGL=False)
        self.pixels: NDArray[np.uint8] | None = None
        self.look = Look(0.0, 0.0, 1.0)
        self.fitted = True
        self._origin = QPointF()

        self._box = pg.ViewBox(lockAspect=True, invertY=True, enableMouse=False, enableMenu=False, defaultPadding=0)
        self._item = Picture(self)
        self._overlay = Overlay(self)
        self.setCentralItem(self._box)
        self._box.addItem(self._item, ignoreBounds=True)
        self._box.addItem(self._overlay, ignoreBounds=True)

        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAcceptDrops(False)
        self.viewport().setAcceptDrops(False)

    @property
    def bounds(self) -> QRectF:
        """The picture, in its pixels."""
        height, width = self.pixels.shape[:2] if self.pixels is not None else (0, 0)
        return QRectF(0, 0, width, height)

    @property
    def visible(self) -> QRectF:
        """What can be seen, in the picture's pixels."""
        start, end = self.to_picture(QPointF(0, 0)), self.to_picture(QPointF(self.width(), self.height()))
        return QRectF(start, end)

    @property
    def fit_scale(self) -> float:
        """The scale at which the whole picture is seen."""
        margin = min(FIT_MARGIN_PX, self.width() // 20, self.height() // 20)
        bounds = self.bounds
        across = (self.width() - 2 * margin) / max(bounds.width(), 1)
        down = (self.height() - 2 * margin) / max(bounds.height(), 1)
        return max(min(across, down), 1e-6)

    def show_pixels(self, pixels: NDArray[np.uint8] | None) -> None:
        """Show a picture (H, W, 3), contiguous, where and as large as the last one."""
        self.pixels = pixels
        if pixels is None:
            self._item.clear()
        else:
            self._item.setImage(pixels, autoLevels=False, levels=None)

    def show_layers(self, layers: Sequence[Layer], *, active: Hit | None) -> None:
        """Show layers, with a halo around the active box."""
        self._overlay.layers, self._overlay.active = layers, active
        self._overlay.update()

    def to_picture(self, position: QPointF) -> QPointF:
        """Map a position in this widget to the picture's pixels."""
        return (position - self._origin) / self.look.scale

    def to_screen(self, point: QPointF) -> QPointF:
        """Map a point of the picture to a position in this widget."""
        return point * self.look.scale + self._origin

    def fit(self) -> None:
        """Show the whole picture, and keep doing so when the widget is resized."""
        centre = self.bounds.center()
        self._go(Look(centre.x(), centre.y(), self.fit_scale), fitted=True)

    def go(self, look: Look) -> None:
        """Look there, within the limits: the middle stays on the picture, so that it cannot be lost."""
        self._go(look, fitted=False)

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
        active, self._overlay.active = self._overlay.active, None
        image = self.grab().toImage()
        self._overlay.active = active
        return image

    def settle(self) -> None:
        """Put the picture where it belongs after the widget, or the screen's pixel ratio, has changed."""
        if self.fitted:
            self.fit()
        else:
            self.go(self.look)

    def resizeEvent(self, ev: QResizeEvent | None) -> None:
        super().resizeEvent(ev)
        # pyqtgraph calls this from its own constructor.
        if hasattr(self, "_overlay"):
            self.settle()

    def _limited(self, scale: float) -> float:
        fit = self.fit_scale
        return min(max(scale, min(fit, 1.0) / BELOW_FIT), max(MAX_SCALE, fit))

    def _go(self, look: Look, *, fitted: bool) -> None:
        bounds = self.bounds
        x, y = min(max(look.x, 0.0), bounds.width()), min(max(look.y, 0.0), bounds.height())
        scale = self._limited(look.scale)
        self.look, self.fitted = Look(x, y, scale), fitted

        # A picture that starts between two physical pixels is blurred, or has rows of unequal height.
        ratio = self.devicePixelRatioF()
        left = round((self.width() / 2 - x * scale) * ratio) / ratio
        top = round((self.height() / 2 - y * scale) * ratio) / ratio
        self._origin = QPointF(left, top)

        self.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale * ratio < NEAREST_FROM_SCALE)
        self._box.setRange(self.visible, padding=0, disableAutoRange=True)
        self._overlay.update()
        self.look_changed.emit(self.look)
