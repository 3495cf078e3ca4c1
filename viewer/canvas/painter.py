"""Paint layers with any painter: the same strokes on screen, in a PNG and in an SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QTransform
from PySide6.QtSvg import QSvgGenerator

from models.types import Float, Pixels
from viewer.canvas import instances, label
from viewer.canvas.frame import DARK, NEAREST_FROM_SCALE, Frame, draw_lines, smooth
from viewer.canvas.layers import (
    MISSED,
    WRONG,
    Boxes,
    Heat,
    Hit,
    Labels,
    Layer,
    Links,
    Masks,
    Overlay,
    Points,
    Skeletons,
    distinct,
)
from viewer.canvas.mosaic import ZERO
from viewer.theme import class_colour, heat_lut
from viewer.translation import tr

Order = tuple[bool, tuple[int, ...]]  # with dark edges or not; class ids, lowest first
Orders = tuple[Order, ...]

MAX_LABELS = 300
VERDICTS = (WRONG, MISSED)  # their labels are never left out, and lie above those of what is right
# With this many boxes, dark edges would overlap and only darken the picture.
DENSE = 20_000
TINY_PX = 12.0
DOT_PX = 7.0
DESIGN_SIDE_PX = 1280
SMALLEST_UNIT = 0.9
_LIGHT = QColor("white")
_FILL_ALPHA = 64
FADES_OVER = 0.8  # a fading heat map is clear at zero, and has its full opacity from this share of its scale on


def paint(
    painter: QPainter,
    layers: Sequence[Layer],
    *,
    scale: float,
    visible: QRectF | None = None,
    bounds: QRectF | None = None,
    active: Hit | None = None,
) -> None:
    """Paint layers with a painter in the picture's pixel coordinates; its transform must not rotate.

    `scale` is the number of design pixels (on screen, device-independent pixels) per picture pixel: strokes and text
    keep their size in those. `visible` and `bounds` are in picture coordinates: the visible area (anything outside is
    skipped), and the picture, which contains all labels. `active` is the box under the pointer.
    """
    frame = Frame.of(painter, scale=scale, visible=visible, bounds=bounds)
    with _plain(painter):
        _shapes(frame, layers, _orders(frame, layers))
        tags = _marks(frame, layers, active)
        label.draw(frame, label.place(frame, _named(frame, layers, active) + tags))


def paint_shapes(
    painter: QPainter,
    layers: Sequence[Layer],
    *,
    scale: float,
    visible: QRectF,
    bounds: QRectF,
    order: Orders,
    part: QRectF | None = None,
) -> None:
    """Paint like `paint`, without labels and without the boxes selected or under the pointer.

    Only `part` of the visible area is painted, if given; the painter must be clipped to it. `order` is that of the
    whole visible area, from `orders`. `paint_marks` paints the rest.
    """
    frame = Frame.of(painter, scale=scale, visible=visible, bounds=bounds, part=part)
    with _plain(painter):
        _shapes(frame, layers, order)


def paint_marks(
    painter: QPainter,
    layers: Sequence[Layer],
    *,
    scale: float,
    visible: QRectF,
    bounds: QRectF,
    active: Hit | None,
    memory: Memory,
) -> None:
    """Paint what `paint_shapes` leaves out. `memory` avoids placing the labels again while nothing changes."""
    frame = Frame.of(painter, scale=scale, visible=visible, bounds=bounds)
    with _plain(painter):
        tags = _marks(frame, layers, active)
        key = (tuple(layers), active, *map(tuple, (frame.scale, frame.shift, frame.visible, frame.bounds)))
        if memory.key != key:
            memory.key, memory.placed = key, label.place(frame, _named(frame, layers, active) + tags)
        label.draw(frame, memory.placed, kept=True)


@dataclass
class Memory:
    """The last placement of the labels, and the key it depends on."""

    key: object = None
    placed: Sequence[label.Placed] = ()


def orders(painter: QPainter, layers: Sequence[Layer], *, scale: float, visible: QRectF) -> Orders:
    """Return the properties of boxes' appearance that depend on the whole visible area, not only on a part of it."""
    frame = Frame.of(painter, scale=scale, visible=visible, bounds=None)
    return _orders(frame, layers)


def _orders(frame: Frame, layers: Sequence[Layer]) -> Orders:
    return tuple(_order(frame, layer) for layer in layers if isinstance(layer, Boxes))


def _shapes(frame: Frame, layers: Sequence[Layer], orders: Orders) -> None:
    left = iter(orders)
    for layer in layers:
        match layer:
            case Boxes():
                _boxes(frame, layer, next(left))
            case Links():
                _links(frame, layer)
            case Heat():
                _heat(frame, layer)
            case Overlay():
                _overlay(frame, layer)
            case Labels():
                _image(frame, layer, _label_image(layer), smooth=False)
            case Points():
                _points(frame, layer)
            case Masks():
                instances.paint_masks(frame, layer)
            case Skeletons():
                instances.paint_skeletons(frame, layer)


def _marks(frame: Frame, layers: Sequence[Layer], active: Hit | None) -> list[label.Tag]:
    """Draw the boxes that are selected or under the pointer, and return their labels."""
    marked = [(layer, row) for layer in layers if isinstance(layer, Boxes) for row in _marked_rows(layer, active)]
    return [tag for layer, row in marked for tag in _marked(frame, layer, row=row)]


def _named(frame: Frame, layers: Sequence[Layer], active: Hit | None) -> list[label.Tag]:
    """Return the labels of all other boxes; none if there are too many."""
    boxes = [layer for layer in layers if isinstance(layer, Boxes)]
    tags = [tag for layer in boxes for tag in _tags(frame, layer, marked=_marked_rows(layer, active))]
    more = sum(bool(layer.text(row)) for layer in boxes for row in _marked_rows(layer, active))
    return tags if len(tags) + more <= MAX_LABELS else []


def _marked_rows(layer: Boxes, active: Hit | None) -> list[int]:
    rows = {layer.selected} | ({active[1]} if active and active[0] == layer.id else set())
    return sorted(row for row in rows if 0 <= row < len(layer))


def render(pixels: Pixels, layers: Sequence[Layer], *, unit: float | None = None) -> QImage:
    """Return the picture (H, W, 3) with its layers, at its own resolution.

    `unit` is the size of a design pixel in picture pixels; by default strokes and text grow with large pictures.
    """
    height, width = pixels.shape[:2]
    image = as_image(pixels).convertToFormat(QImage.Format.Format_RGB32)
    painter = QPainter(image)
    _export(painter, layers, size=QSize(width, height), unit=unit)
    painter.end()
    return image


def svg(pixels: Pixels, layers: Sequence[Layer], *, title: str = "", unit: float | None = None) -> bytes:
    """Return an SVG file: the picture embedded, and boxes, links, points and texts as editable shapes."""
    height, width = pixels.shape[:2]
    content = QBuffer()
    generator = QSvgGenerator()
    generator.setOutputDevice(content)
    generator.setSize(QSize(width, height))
    generator.setViewBox(QRect(0, 0, width, height))
    generator.setResolution(96)
    generator.setTitle(title)
    painter = QPainter(generator)
    painter.drawImage(0, 0, as_image(pixels))
    _export(painter, layers, size=QSize(width, height), unit=unit)
    painter.end()
    return bytes(content.data().data())


def png(image: QImage) -> bytes:
    """Return an image as a PNG file. Raises OSError if it is too large for that."""
    content = QBuffer()
    content.open(QBuffer.OpenModeFlag.WriteOnly)
    if image.isNull() or not image.save(content, "PNG"):  # pyright: ignore[reportArgumentType, reportCallIssue]
        raise OSError(tr("the picture could not be saved"))
    return bytes(content.data().data())


def as_image(pixels: Pixels) -> QImage:
    """Return a QImage that shares the pixels' memory, which must not be modified afterwards."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, pixels.strides[0], QImage.Format.Format_RGB888)


def default_unit(width: int, height: int) -> float:
    """Return a suitable size of a design pixel, in picture pixels, for a picture of this size."""
    return max(SMALLEST_UNIT, max(width, height) / DESIGN_SIDE_PX)


def _export(painter: QPainter, layers: Sequence[Layer], *, size: QSize, unit: float | None) -> None:
    whole = QRectF(0, 0, size.width(), size.height())
    unit = default_unit(size.width(), size.height()) if unit is None else unit
    paint(painter, layers, scale=1 / unit, visible=whole, bounds=whole)


def _order(frame: Frame, layer: Boxes) -> Order:
    rows = _shown(frame, layer)
    classes, numbers = _classes(layer)
    numbers = numbers[rows]
    first = {number: int(np.argmax(numbers == number)) for number in range(len(classes))} if len(rows) else {}
    there = [number for number, row in first.items() if numbers[row] == number]
    # Rows are in order of importance: the class of the first row comes last, on top.
    return len(rows) < DENSE, tuple(sorted(there, key=lambda number: -first[number]))


def _shown(frame: Frame, layer: Boxes) -> NDArray[np.int64]:
    """Return the visible rows without the selected one, which is drawn later."""
    rows = frame.near(layer, hollow=not _has_labels(layer) and not layer.filled)
    return rows[rows != layer.selected] if layer.selected >= 0 else rows


def _boxes(frame: Frame, layer: Boxes, order: Order) -> None:
    """Draw a layer's boxes except the selected one."""
    rows, (classes, numbers), (cased, ranked) = _shown(frame, layer), _classes(layer), order
    placed, numbers = frame.place(layer.boxes[rows]), numbers[rows]
    groups = [(class_colour(classes[number]), np.flatnonzero(numbers == number)[::-1]) for number in ranked]
    width, casing = frame.length(layer.width), frame.length(1.0)
    if layer.corners is not None:
        with _translucent(frame, layer.opacity) as inner:
            strokes = [(group, width, colour) for colour, group in groups]
            every = [(np.arange(len(rows)), width + 2 * casing, DARK)] if cased else []
            inner.quadrilaterals(layer.corners[rows], [*every, *strokes], dashed=layer.dashed)
        return
    with _translucent(frame, layer.opacity) as inner:
        if layer.filled:
            for colour, group in groups:
                inner.fill(placed[group], colour=_clear(colour, _FILL_ALPHA))
        strokes = [(group, width, colour) for colour, group in groups]
        if cased and inner.raster and not layer.dashed and (placed[:, :2] <= placed[:, 2:]).all():
            # Pixels that are painted over later need not be drawn: draw only the part of the dark edges outside the
            # colours.
            inner.outline(placed + width * np.array([-1, -1, 1, 1]), [(np.arange(len(rows)), casing, DARK)])
        elif cased:
            strokes = [(np.arange(len(rows)), width + casing, DARK), *strokes]
        inner.outline(placed, strokes, dashed=layer.dashed)


def _has_labels(layer: Boxes) -> bool:
    return len(layer.texts) > 0 and layer.labelled


def _tags(frame: Frame, layer: Boxes, *, marked: Sequence[int]) -> list[label.Tag]:
    """Return the labels of a layer's boxes except the marked ones."""
    if not _has_labels(layer):
        return []
    rows = frame.near(layer, hollow=False)
    rows = rows[~np.isin(rows, marked)] if len(marked) else rows
    placed = frame.place(layer.boxes[rows])
    large = (placed[:, 2:] - placed[:, :2]).max(axis=1, initial=0) >= TINY_PX * frame.unit
    if not 0 < large.sum() <= MAX_LABELS:
        return []
    outset = (frame.length(layer.width) + frame.length(1.0)) * np.array([-1, -1, 1, 1])
    return [
        label.Tag(
            placed[at] + outset,
            layer.text(row),
            class_colour(int(layer.colours[row])),
            must=int(layer.colours[row]) in VERDICTS,
        )
        for at, row in zip(np.flatnonzero(large).tolist(), rows[large].tolist(), strict=True)
        if layer.text(row)
    ]


@lru_cache(maxsize=32)
def _classes(layer: Boxes) -> tuple[list[int], NDArray[np.integer[Any]]]:
    """Return the class ids in a layer, and for each row the index of its own id among them."""
    classes, numbers = np.unique(layer.colours, return_inverse=True)
    return classes.tolist(), numbers.astype(np.uint8 if len(classes) < 256 else np.intp)


def _marked(frame: Frame, layer: Boxes, *, row: int) -> list[label.Tag]:
    """Draw the box that is selected or under the pointer with a halo, and return its label."""
    placed = frame.place(layer.boxes[[row]])
    if not len(frame.rows_in_view(placed)):
        return []

    selected = row == layer.selected
    colour = class_colour(int(layer.colours[row]))
    width = frame.length(layer.width + 1)
    light = width + frame.length(2.0 if selected else 1.0)
    dark = light + frame.length(1.0)

    whole = np.zeros(1, np.int64)
    if layer.corners is None:
        frame.outline(placed, [(whole, dark, DARK), (whole, light, _LIGHT)])
        frame.outline(placed, [(whole, width, colour)], dashed=layer.dashed)
    else:
        halo = [(whole, 2 * dark - width, DARK), (whole, 2 * light - width, _LIGHT)]
        frame.quadrilaterals(layer.corners[[row]], halo)
        frame.quadrilaterals(layer.corners[[row]], [(whole, width, colour)], dashed=layer.dashed)

    text = layer.text(row)
    return [label.Tag(placed[0] + dark * np.array([-1, -1, 1, 1]), text, colour, must=True)] if text else []


def _links(frame: Frame, layer: Links) -> None:
    placed = frame.place(layer.segments, snap=False)
    rows = frame.rows_in_view(placed)
    width, casing = layer.width * frame.unit, frame.unit
    groups = [(class_colour(c), rows[layer.colours[rows] == c]) for c in distinct(layer.colours[rows])]

    with smooth(frame.painter):
        frame.painter.setPen(frame.pen(DARK, width=width + 2 * casing, dashed=layer.dashed))
        draw_lines(frame.painter, placed[rows])
        for colour, group in groups:
            frame.painter.setPen(frame.pen(colour, width=width, dashed=layer.dashed))
            draw_lines(frame.painter, placed[group])

        for colour, group in groups:
            frame.dots(placed[group, 2:], width=DOT_PX * frame.unit, colour=colour)


def _points(frame: Frame, layer: Points) -> None:
    placed = frame.place(layer.xy, snap=False)
    rows = frame.rows_in_view(np.column_stack([placed, placed]))

    frame.painter.save()
    frame.painter.setOpacity(layer.opacity)
    with smooth(frame.painter):
        for c in distinct(layer.colours[rows]):
            group = rows[layer.colours[rows] == c]
            if layer.hollow:
                _rings(frame, placed[group], radius=layer.radius * frame.unit, colour=class_colour(c))
            else:
                frame.dots(placed[group], width=2 * layer.radius * frame.unit, colour=class_colour(c))
    frame.painter.restore()


def _rings(frame: Frame, placed: NDArray[np.floating[Any]], *, radius: float, colour: QColor) -> None:
    frame.painter.setBrush(Qt.BrushStyle.NoBrush)
    for ink, width in ((DARK, 4 * frame.unit), (colour, 2 * frame.unit)):
        frame.painter.setPen(frame.pen(ink, width=width))
        for x, y in placed.tolist():
            frame.painter.drawEllipse(QRectF(x - radius, y - radius, 2 * radius, 2 * radius))


def _image(frame: Frame, layer: Heat | Labels, image: QImage, *, smooth: bool) -> None:
    """Stretch an image over a layer's extent, clipped at the picture's border."""
    x0, y0, x1, y1 = frame.place([layer.extent])[0]
    frame.painter.save()
    left, top, right, bottom = frame.bounds
    frame.painter.setClipRect(QRectF(left, top, right - left, bottom - top), Qt.ClipOperation.IntersectClip)
    frame.painter.setOpacity(layer.opacity)
    frame.painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
    frame.painter.drawImage(QRectF(x0, y0, x1 - x0, y1 - y0), image)
    frame.painter.restore()


def _overlay(frame: Frame, layer: Overlay) -> None:
    """Draw another picture over the picture, from `begin` on, with a line where it begins."""
    x0, y0, x1, y1 = frame.place([layer.extent], snap=False)[0]
    left, top, right, bottom = frame.bounds
    begin = left
    if layer.begin is not None:
        begin = float(np.clip(frame.place([[layer.begin, 0.0]])[0, 0], left, right))
    frame.painter.save()
    frame.painter.setClipRect(QRectF(begin, top, right - begin, bottom - top), Qt.ClipOperation.IntersectClip)
    # As the picture beneath, so that enlarged pixels of both can be compared; a figure smooths all its pictures.
    smooths, enlarged = QPainter.RenderHint.SmoothPixmapTransform, (x1 - x0) / layer.pixels.shape[1]
    single = frame.raster and not frame.painter.testRenderHint(smooths) and enlarged >= NEAREST_FROM_SCALE * frame.grid
    frame.painter.setRenderHint(smooths, not single)
    frame.painter.drawImage(QRectF(x0, y0, x1 - x0, y1 - y0), as_image(layer.pixels))
    frame.painter.restore()
    if layer.begin is not None:
        for width, ink in ((3.0, DARK), (1.0, _LIGHT)):
            frame.painter.setPen(frame.pen(ink, width=frame.length(width)))
            draw_lines(frame.painter, np.array([[begin, top, begin, bottom]]))


def _heat(frame: Frame, layer: Heat) -> None:
    _image(frame, layer, _heat_image(layer), smooth=layer.smooth)
    if layer.cells is not None:
        x0, y0, x1, y1 = frame.place([layer.extent])[0]
        frame.painter.save()
        left, top, right, bottom = frame.bounds
        frame.painter.setClipRect(QRectF(left, top, right - left, bottom - top), Qt.ClipOperation.IntersectClip)
        frame.painter.setOpacity(0.5)
        frame.painter.setPen(frame.pen(DARK, width=frame.length(1.0)))
        rows, columns = layer.cells
        ys, xs = np.linspace(y0, y1, rows + 1), np.linspace(x0, x1, columns + 1)
        draw_lines(frame.painter, np.array([[x0, y, x1, y] for y in ys] + [[x, y0, x, y1] for x in xs]))
        frame.painter.restore()


@lru_cache(maxsize=40)
def _heat_image(layer: Heat) -> QImage:
    """Return the map in its colours, at its own resolution."""
    known = np.isfinite(layer.values)
    index, away = _levels(layer, np.where(known, layer.values, 0.0))
    table = heat_lut(layer.colour_map)[index]
    table = np.where(known[..., None], table, np.uint8(0)).astype(np.uint8)
    if layer.fade:
        table[..., 3] = np.rint(table[..., 3] * np.clip(away / FADES_OVER, 0, 1))
    height, width = table.shape[:2]
    image = QImage(table.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


def _levels(layer: Heat, values: Float) -> tuple[NDArray[np.uint8], NDArray[np.floating[Any]]]:
    """Return each value's index in the colour map (256), and its distance from the clear end or middle, 0 to 1."""
    if layer.colour_map == "diverging":
        share = np.clip(np.abs(values) / np.where(values < 0, max(-layer.low, 1e-30), max(layer.high, 1e-30)), 0, 1)
        return np.rint(ZERO + np.sign(values) * share * (255 - ZERO)).astype(np.uint8), share
    share = np.clip((values - layer.low) / max(layer.high - layer.low, 1e-30), 0, 1)
    return np.rint(255 * share).astype(np.uint8), 1 - share if layer.high <= 0 else share


@lru_cache(maxsize=8)
def _label_image(layer: Labels) -> QImage:
    """Return the classes in their colours, at the layer's own resolution."""
    table = np.zeros((int(layer.labels.max(initial=0)) + 1, 4), np.uint8)
    for number in distinct(layer.labels):
        if number not in layer.clear:
            table[number] = class_colour(number).getRgb()  # pyright: ignore[reportCallIssue, reportArgumentType]
    colours = table[layer.labels]
    height, width = layer.labels.shape
    image = QImage(colours.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


@contextmanager
def _plain(painter: QPainter) -> Iterator[None]:
    """Let a painter draw in its own units, without a transform."""
    painter.save()
    painter.setWorldTransform(QTransform())
    try:
        yield
    finally:
        painter.restore()


@contextmanager
def _translucent(frame: Frame, opacity: float) -> Iterator[Frame]:
    """Provide a frame for drawing at an opacity.

    On screen an image that is blended once, because blending lines is slow.
    """
    painter = frame.painter
    if opacity >= 1:
        yield frame
    elif not frame.raster:
        painter.setOpacity(opacity)
        yield frame
        painter.setOpacity(1.0)
    else:
        window = painter.window()
        sheet = QImage(window.size() / frame.grid, QImage.Format.Format_ARGB32_Premultiplied)
        sheet.setDevicePixelRatio(1 / frame.grid)
        sheet.fill(Qt.GlobalColor.transparent)
        inner = QPainter(sheet)
        inner.translate(-window.topLeft())
        yield replace(frame, painter=inner)
        inner.end()
        painter.setOpacity(opacity)
        painter.drawImage(window.topLeft(), sheet)
        painter.setOpacity(1.0)


def _clear(colour: QColor, alpha: int) -> QColor:
    return QColor(colour.red(), colour.green(), colour.blue(), alpha)


def pixels_of(image: QImage) -> Pixels:
    """Return an image as (H, W, 3) uint8 RGB, with transparent parts white."""
    if image.hasAlphaChannel():
        flat = QImage(image.size(), QImage.Format.Format_RGB32)
        flat.fill(0xFFFFFFFF)
        painter = QPainter(flat)
        painter.drawImage(0, 0, image)
        painter.end()
        image = flat
    rgb = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(rgb.constBits(), np.uint8).reshape(rgb.height(), rgb.bytesPerLine())
    # Always copy: the rows share memory with an image that is about to be deleted.
    return rows[:, : 3 * rgb.width()].reshape(rgb.height(), rgb.width(), 3).copy()
