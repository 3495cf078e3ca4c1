"""Map pixels of the picture to a painter's coordinates, and draw strokes whose width does not depend on the zoom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import shiboken6
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPaintEngine, QPainter, QPen, QTransform

from viewer.canvas import index, raster
from viewer.canvas.layers import Boxes

Table = NDArray[np.float64]
Stroke = tuple[NDArray[np.int64], float, QColor]  # rows of boxes, width in the painter's units, colour
Shape = TypeVar("Shape", QLineF, QPointF, QRect, QRectF)

DASH_PX, GAP_PX = 5.0, 4.0
# From this many boxes on, overlapping parts of their outlines are merged before drawing; the result is the same.
MANY = 300
# From this many on, the outlines are computed as an image.
VERY_MANY = 20_000
# Far beyond any screen; keeps coordinates within the rasteriser's integer range.
REACH_PX = 20_000.0
# Distance beyond the visible area within which a stroke may start and still reach into it.
MARGIN_PX = 8.0
# Opaque, because Qt's rasteriser blends thin translucent lines ten times slower than it draws opaque ones.
DARK = QColor("#16161a")
# Physical pixels per pixel of a picture from which single pixels are shown without smoothing.
NEAREST_FROM_SCALE = 2.0


@dataclass(frozen=True)
class Frame:
    """The position of the picture in a painter's coordinates, which on screen are device-independent pixels.

    `unit` is one design pixel in the painter's units, `grid` one physical pixel (0 for vector output, which needs no
    snapping). `visible` and `bounds` (4,) xyxy are the visible area and the picture in the painter's units; `part` is
    the area to draw, None for all.
    """

    painter: QPainter
    unit: float
    grid: float
    scale: Table
    shift: Table
    visible: Table
    bounds: Table
    part: Table | None = None

    @classmethod
    def of(
        cls,
        painter: QPainter,
        *,
        scale: float,
        visible: QRectF | None,
        bounds: QRectF | None,
        part: QRectF | None = None,
    ) -> Frame:
        """Read the painter's transform; `scale` is the number of design pixels per picture pixel."""
        world = painter.worldTransform()
        raster = painter.paintEngine().type() == QPaintEngine.Type.Raster
        window = _corners(QRectF(painter.window()))
        seen = window if visible is None else _corners(world.mapRect(visible))

        return cls(
            painter,
            unit=world.m11() / scale,
            grid=1 / painter.device().devicePixelRatioF() if raster else 0.0,
            scale=np.array([world.m11(), world.m22()] * 2),
            shift=np.array([world.dx(), world.dy()] * 2),
            visible=seen,
            bounds=window if bounds is None else _corners(world.mapRect(bounds)),
            part=None if part is None else _corners(world.mapRect(part)),
        )

    @property
    def raster(self) -> bool:
        """Whether there are physical pixels to snap to."""
        return self.grid > 0

    @property
    def area(self) -> Table:
        """The area to draw (4,), in the painter's units."""
        return self.visible if self.part is None else self.part

    def place(self, table: ArrayLike, *, snap: bool = True) -> Table:
        """Map (N, 4) or (N, 2) picture coordinates to the painter's, rounded to physical pixels."""
        values = np.asarray(table)
        columns = values.shape[-1]
        placed = np.multiply(values, self.scale[:columns], dtype=np.float64)
        placed += self.shift[:columns]
        np.clip(placed, -REACH_PX * self.unit, REACH_PX * self.unit, out=placed)
        return self.snap(placed) if snap else placed

    def snap(self, values: Table) -> Table:
        """Round to physical pixels, if there are any."""
        if not self.raster:
            return values
        return np.rint(values) if self.grid == 1 else np.round(values / self.grid) * self.grid

    def snap_value(self, value: float) -> float:
        """Round one coordinate to a physical pixel, if there are any."""
        return round(value / self.grid) * self.grid if self.raster else value

    def length(self, design_px: float) -> float:
        """Return a stroke's width in the painter's units, on screen a whole number of physical pixels, at least one."""
        return max(1, round(design_px * self.unit / self.grid)) * self.grid if self.raster else design_px * self.unit

    def near(self, layer: Boxes, *, hollow: bool) -> NDArray[np.int64]:
        """Return the rows of a layer's boxes that are visible in the area to draw.

        A `hollow` box that encloses the whole area is left out: none of its outline is visible.
        """
        margin = 2 * MARGIN_PX * self.unit * np.array([-1, -1, 1, 1])
        left, top, right, bottom = ((self.area + margin - self.shift) / self.scale).astype(np.float32)
        return index.near_in(layer, (left, top, right, bottom), hollow=hollow)

    def rows_in_view(self, placed: Table, *, margin_px: float = MARGIN_PX) -> NDArray[np.int64]:
        """Return the rows of placed boxes or segments (N, 4) that touch the area to draw."""
        margin = margin_px * self.unit
        x0, y0, x1, y1 = placed.T
        left, top, right, bottom = self.area + np.array([-margin, -margin, margin, margin])
        inside = (np.minimum(x0, x1) <= right) & (np.maximum(x0, x1) >= left)
        inside &= (np.minimum(y0, y1) <= bottom) & (np.maximum(y0, y1) >= top)
        return np.flatnonzero(inside)

    def outline(self, boxes: Table, strokes: Sequence[Stroke], *, dashed: bool = False) -> None:
        """Stroke placed boxes on the outside: the inner edge of the stroke is the box, and nothing inside is covered.

        Later strokes are on top.
        """
        if self.raster and not dashed:
            self._fill_outlines(boxes, strokes)
            return
        self.painter.setBrush(Qt.BrushStyle.NoBrush)
        for rows, width, colour in strokes:
            half = width / 2
            x0, y0, x1, y1 = boxes[rows].T + np.array([[-half], [-half], [half], [half]])
            self.painter.setPen(self.pen(colour, width=width, dashed=dashed))
            # A rectangle is easier to edit in a vector file than filled outlines.
            if not self.raster:
                draw_rects(self.painter, np.stack([x0, y0, x1 - x0, y1 - y0], axis=1))
                continue
            left, right = x0 - half, x1 + half
            top, bottom = y0 + half, y1 - half
            sides = ([left, y0, right, y0], [left, y1, right, y1], [x0, top, x0, bottom], [x1, top, x1, bottom])
            draw_lines(self.painter, np.concatenate([np.stack(side, axis=1) for side in sides]))

    def quadrilaterals(self, corners: ArrayLike, strokes: Sequence[Stroke], *, dashed: bool = False) -> None:
        """Stroke the outlines of quadrilaterals (N, 4, 2), in picture coordinates, along their sides."""
        table = np.asarray(corners)
        placed = self.place(table.reshape(-1, 2), snap=False).reshape(-1, 4, 2)
        self.painter.setBrush(Qt.BrushStyle.NoBrush)
        with smooth(self.painter):
            for rows, width, colour in strokes:
                self.painter.setPen(self.pen(colour, width=width, dashed=dashed))
                for shape in placed[rows].tolist():
                    self.painter.drawPolygon([QPointF(x, y) for x, y in shape])

    def _fill_outlines(self, boxes: Table, strokes: Sequence[Stroke]) -> None:
        """Fill the pixels covered by the outlines, in whole physical pixels."""
        painter, window = self.painter, self.painter.window()
        size = {"width": round(window.width() / self.grid), "height": round(window.height() / self.grid)}
        corner = np.rint(np.array([window.left(), window.top()] * 2) / self.grid).astype(np.int32)
        columns = (boxes if self.grid == 1 else np.rint(boxes / self.grid)).astype(np.int32).T
        columns = np.ascontiguousarray(columns - corner[:, None] if corner.any() else columns)
        if len(boxes) >= VERY_MANY:
            inks = [(rows, round(width / self.grid), colour.rgba()) for rows, width, colour in strokes]
            pixels = raster.outlines(columns, inks, **size)
            height, width = pixels.shape
            image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
            image.setDevicePixelRatio(1 / self.grid)
            painter.drawImage(window.topLeft(), image)
            return

        painter.setPen(Qt.PenStyle.NoPen)
        if self.grid != 1:
            painter.setWorldTransform(QTransform.fromScale(self.grid, self.grid))
        sides: dict[int, tuple[raster.Columns, NDArray[np.bool_]]] = {}
        for rows, width, colour in strokes:
            stroke = round(width / self.grid)
            if len(rows) >= MANY:
                table = raster.merged(columns.take(rows, axis=1), stroke=stroke, **size)
            else:
                if stroke not in sides:
                    sides[stroke] = raster.sides(columns, stroke=stroke)
                every, long = sides[stroke]
                table = every[rows][long[rows]]
            table = np.ascontiguousarray(table + corner if corner.any() else table, np.int32)
            if len(table):
                painter.setBrush(colour)
                painter.drawRects(_first(table, QRect), len(table))
        if self.grid != 1:
            painter.setWorldTransform(QTransform())

    def fill(self, boxes: Table, *, colour: QColor) -> None:
        """Fill placed boxes."""
        self.painter.setPen(Qt.PenStyle.NoPen)
        self.painter.setBrush(colour)
        draw_rects(self.painter, np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]))

    def pen(self, colour: QColor, *, width: float, dashed: bool = False, round_ends: bool = False) -> QPen:
        """Return a pen with a width in the painter's units."""
        pen = QPen(colour, width)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap if round_ends else Qt.PenCapStyle.FlatCap)
        if dashed:
            pen.setDashPattern([DASH_PX * self.unit / width, GAP_PX * self.unit / width])
        return pen

    def dots(self, placed: Table, *, width: float, colour: QColor) -> None:
        """Draw placed points as dots with a dark rim; `width` is in the painter's units."""
        for size, ink in ((width + 2 * self.unit, DARK), (width, colour)):
            self.painter.setPen(self.pen(ink, width=size, round_ends=True))
            draw_points(self.painter, placed)


@contextmanager
def smooth(painter: QPainter) -> Iterator[None]:
    """Antialias lines that are neither horizontal nor vertical."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    yield
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


# PySide accepts the address of a C array and a count; building a list of Qt objects takes longer than painting them.
def draw_lines(painter: QPainter, table: Table) -> None:
    """Draw (N, 4) segments in one call."""
    table = np.ascontiguousarray(table, np.float64)
    if len(table):
        painter.drawLines(_first(table, QLineF), len(table))


def draw_rects(painter: QPainter, table: Table) -> None:
    """Draw (N, 4) rectangles x, y, width, height in one call."""
    table = np.ascontiguousarray(table, np.float64)
    if len(table):
        painter.drawRects(_first(table, QRectF), len(table))


def draw_points(painter: QPainter, table: Table) -> None:
    """Draw (N, 2) points in one call."""
    table = np.ascontiguousarray(table, np.float64)
    if len(table):
        painter.drawPoints(_first(table, QPointF), len(table))


def _first(table: Table | raster.Columns, shape: type[Shape]) -> Shape:
    """Return the first row as a Qt object that shares the table's memory; the table must outlive it."""
    return cast(Shape, shiboken6.wrapInstance(table.ctypes.data, shape))


def _corners(rect: QRectF) -> Table:
    return np.array([rect.left(), rect.top(), rect.right(), rect.bottom()], np.float64)
