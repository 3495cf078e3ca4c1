"""Layers to any painter: the same strokes on screen, in a PNG and in an SVG. It reads no events and keeps no state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QTransform
from PySide6.QtSvg import QSvgGenerator

from viewer.canvas import instances, label
from viewer.canvas.frame import DARK, Frame, draw_lines, smooth
from viewer.canvas.layers import Boxes, Heat, Hit, Labels, Layer, Links, Masks, Points, Skeletons
from viewer.theme import class_colour, heat_lut

Pixels = NDArray[np.uint8]

MAX_LABELS = 300
# From so many boxes on their outlines are worked out as one image, which looks the same and no longer takes longer.
MANY = 4000
# So many boxes lie on each other's edges: a dark one around each would only darken the picture.
DENSE = 20_000
TINY_PX = 12.0
DOT_PX = 7.0
DESIGN_SIDE_PX = 1280
SMALLEST_UNIT = 0.9
_LIGHT = QColor("white")
_FILL_ALPHA = 64
FADED = 0.1  # of the opacity is left where a fading heat map has nothing to say


def paint(
    painter: QPainter,
    layers: Sequence[Layer],
    *,
    scale: float,
    visible: QRectF | None = None,
    bounds: QRectF | None = None,
    active: Hit | None = None,
) -> None:
    """Paint layers with a painter whose coordinates are the picture's pixels; its transform must not rotate.

    `scale` is the number of design pixels (device-independent ones, on screen) per picture pixel: strokes and text keep
    their size in those. `visible` and `bounds` are, in picture coordinates, what can be seen (the rest is left out) and
    the picture, which labels stay inside. `active` is the box under the pointer.
    """
    frame = Frame.of(painter, scale=scale, visible=visible, bounds=bounds)
    tags: list[label.Tag] = []
    marked: list[tuple[Boxes, int]] = []

    painter.save()
    painter.setWorldTransform(QTransform())

    for layer in layers:
        match layer:
            case Boxes():
                rows = {layer.selected} | ({active[1]} if active and active[0] == layer.id else set())
                rows = sorted(row for row in rows if 0 <= row < len(layer))
                marked += [(layer, row) for row in rows]
                tags += _boxes(frame, layer, marked=rows)
            case Links():
                _links(frame, layer)
            case Heat():
                _heat(frame, layer)
            case Labels():
                _image(frame, layer, _label_image(layer), smooth=False)
            case Points():
                _points(frame, layer)
            case Masks():
                instances.paint_masks(frame, layer)
            case Skeletons():
                instances.paint_skeletons(frame, layer)

    for layer, row in marked:
        tags += _marked(frame, layer, row=row)

    if len(tags) > MAX_LABELS:
        tags = [tag for tag in tags if tag.must]
    label.draw(frame, tags)
    painter.restore()


def render(pixels: Pixels, layers: Sequence[Layer], *, unit: float | None = None) -> QImage:
    """Return the picture (H, W, 3) with its layers, at its own resolution.

    `unit` is the size of a design pixel in picture pixels; by default strokes and text grow with a large picture.
    """
    height, width = pixels.shape[:2]
    image = as_image(pixels).convertToFormat(QImage.Format.Format_RGB32)
    painter = QPainter(image)
    _export(painter, layers, size=QSize(width, height), unit=unit)
    painter.end()
    return image


def svg(pixels: Pixels, layers: Sequence[Layer], *, title: str = "", unit: float | None = None) -> bytes:
    """Return an SVG file of the picture, embedded, with boxes, links, points and texts as shapes that can be edited."""
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
    """Return an image as a PNG file. Raises OSError where it is too large for one."""
    content = QBuffer()
    content.open(QBuffer.OpenModeFlag.WriteOnly)
    if image.isNull() or not image.save(content, "PNG"):  # pyright: ignore[reportArgumentType, reportCallIssue]
        raise OSError("the picture could not be saved")
    return bytes(content.data().data())


def as_image(pixels: Pixels) -> QImage:
    """Return an image over the same memory, which must not be written to any more."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, pixels.strides[0], QImage.Format.Format_RGB888)


def default_unit(width: int, height: int) -> float:
    """Return the size of a design pixel, in picture pixels, that suits a picture of this size."""
    return max(SMALLEST_UNIT, max(width, height) / DESIGN_SIDE_PX)


def _export(painter: QPainter, layers: Sequence[Layer], *, size: QSize, unit: float | None) -> None:
    whole = QRectF(0, 0, size.width(), size.height())
    unit = default_unit(size.width(), size.height()) if unit is None else unit
    paint(painter, layers, scale=1 / unit, visible=whole, bounds=whole)


def _boxes(frame: Frame, layer: Boxes, *, marked: Sequence[int]) -> list[label.Tag]:
    """Draw a layer's boxes but the marked ones, and return their labels."""
    named = len(layer.texts) > 0 and layer.labelled
    rows = frame.near(layer.boxes, hollow=not named and not layer.filled)
    rows = rows[~np.isin(rows, marked)] if len(marked) else rows
    placed, colours = frame.place(layer.boxes[rows]), layer.colours[rows]
    width, casing = frame.length(layer.width), frame.length(1.0)
    # The class of the best box comes last, on top: rows are in order of importance.
    ranked = sorted(np.unique(colours), key=lambda c: -int(np.argmax(colours == c)))
    groups = [(class_colour(int(c)), np.flatnonzero(colours == c)[::-1]) for c in ranked]

    with _translucent(frame, layer.opacity) as inner:
        if layer.filled:
            for colour, group in groups:
                inner.fill(placed[group], colour=_clear(colour, _FILL_ALPHA))
        strokes = [(group, width, colour) for colour, group in groups]
        if len(rows) < DENSE:
            strokes = [(np.arange(len(rows)), width + casing, DARK), *strokes]
        if inner.raster and not layer.dashed and len(rows) >= MANY:
            inner.stamp(placed, strokes)
        else:
            for group, stroke, colour in strokes:
                inner.outline(placed[group], width=stroke, colour=colour, dashed=layer.dashed)

    large = (placed[:, 2:] - placed[:, :2]).max(axis=1, initial=0) >= TINY_PX * frame.unit if named else np.zeros(0)
    if not 0 < large.sum() <= MAX_LABELS:
        return []
    outset = (width + casing) * np.array([-1, -1, 1, 1])
    return [
        label.Tag(placed[at] + outset, layer.text(rows[at]), class_colour(int(colours[at])))
        for at in np.flatnonzero(large).tolist()
        if layer.text(rows[at])
    ]


def _marked(frame: Frame, layer: Boxes, *, row: int) -> list[label.Tag]:
    """Draw the selected box or the one under the pointer with a halo, and return its label."""
    placed = frame.place(layer.boxes[[row]])
    if not len(frame.seen(placed)):
        return []

    selected = row == layer.selected
    colour = class_colour(int(layer.colours[row]))
    width = frame.length(layer.width + 1)
    light = width + frame.length(2.0 if selected else 1.0)
    dark = light + frame.length(1.0)

    frame.outline(placed, width=dark, colour=DARK)
    frame.outline(placed, width=light, colour=_LIGHT)
    frame.outline(placed, width=width, colour=colour, dashed=layer.dashed)

    text = layer.text(row)
    return [label.Tag(placed[0] + dark * np.array([-1, -1, 1, 1]), text, colour, must=True)] if text else []


def _links(frame: Frame, layer: Links) -> None:
    placed = frame.place(layer.segments, snap=False)
    rows = frame.seen(placed)
    width, casing = layer.width * frame.unit, frame.unit
    groups = [(class_colour(int(c)), rows[layer.colours[rows] == c]) for c in np.unique(layer.colours[rows])]

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
    rows = frame.seen(np.column_stack([placed, placed]))

    with smooth(frame.painter):
        for c in np.unique(layer.colours[rows]):
            group = rows[layer.colours[rows] == c]
            frame.dots(placed[group], width=2 * layer.radius * frame.unit, colour=class_colour(int(c)))


def _image(frame: Frame, layer: Heat | Labels, image: QImage, *, smooth: bool) -> None:
    """Stretch an image over a layer's extent, cut off at the picture's border."""
    x0, y0, x1, y1 = frame.place([layer.extent])[0]
    frame.painter.save()
    left, top, right, bottom = frame.bounds
    frame.painter.setClipRect(QRectF(left, top, right - left, bottom - top))
    frame.painter.setOpacity(layer.opacity)
    frame.painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
    frame.painter.drawImage(QRectF(x0, y0, x1 - x0, y1 - y0), image)
    frame.painter.restore()


def _heat(frame: Frame, layer: Heat) -> None:
    _image(frame, layer, _heat_image(layer), smooth=layer.smooth)
    if layer.cells is not None:
        x0, y0, x1, y1 = frame.place([layer.extent])[0]
        frame.painter.save()
        left, top, right, bottom = frame.bounds
        frame.painter.setClipRect(QRectF(left, top, right - left, bottom - top))
        frame.painter.setOpacity(0.5)
        frame.painter.setPen(frame.pen(DARK, width=frame.length(1.0)))
        rows, columns = layer.cells
        ys, xs = np.linspace(y0, y1, rows + 1), np.linspace(x0, x1, columns + 1)
        draw_lines(frame.painter, np.array([[x0, y, x1, y] for y in ys] + [[x, y0, x, y1] for x in xs]))
        frame.painter.restore()


@lru_cache(maxsize=40)
def _heat_image(layer: Heat) -> QImage:
    """Return the map in its colours, at its own size."""
    span = max(layer.high - layer.low, 1e-12)
    known = np.isfinite(layer.values)
    level = np.where(known, (layer.values - layer.low) / span, 0.0)
    table = heat_lut(layer.colour_map)[np.clip(level * 255 + 0.5, 0, 255).astype(np.uint8)]
    table = np.where(known[..., None], table, np.uint8(0)).astype(np.uint8)
    if layer.fade:
        away = np.abs(2 * level - 1) if layer.low < 0 else level
        table[..., 3] = table[..., 3] * np.clip(FADED + (1 - FADED) * 1.5 * away, 0, 1)
    height, width = table.shape[:2]
    image = QImage(table.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


@lru_cache(maxsize=8)
def _label_image(layer: Labels) -> QImage:
    """Return the classes in their colours, at the layer's own size."""
    table = np.zeros((int(layer.labels.max(initial=0)) + 1, 4), np.uint8)
    for number in np.unique(layer.labels).tolist():
        if number not in layer.clear:
            table[number] = class_colour(number).getRgb()  # pyright: ignore[reportCallIssue, reportArgumentType]
    colours = table[layer.labels]
    height, width = layer.labels.shape
    image = QImage(colours.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


@contextmanager
def _translucent(frame: Frame, opacity: float) -> Iterator[Frame]:
    """Lend a frame to draw on at an opacity: on screen a sheet that is blended once, for blending lines is slow."""
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
