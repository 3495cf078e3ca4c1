"""One cell of a grid of heat maps: its geometry, its text, and a cache so that as little as possible is repainted."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPixmap

from models.types import Pixels
from viewer import theme
from viewer.canvas.frame import NEAREST_FROM_SCALE
from viewer.canvas.painter import as_image, paint
from viewer.presenters.map_tiles import Share, Tile

GAP = 6
LINE_PX = 16
CROSS_PX, CROSS_HOLE_PX = 7.0, 2.5
WIDE_PX = 120


@dataclass(frozen=True)
class View:
    """The visible part of a picture: its centre in shares of width and height, and the zoom (1: the whole picture)."""

    x: float = 0.5
    y: float = 0.5
    zoom: float = 1.0


def area(cell: QRectF) -> QRectF:
    """Return the part of a cell in which the picture is painted, between the text lines above and below."""
    return cell.adjusted(0, LINE_PX, 0, -LINE_PX)


def placed(tile: Tile, room: QRectF, view: View) -> tuple[float, QPointF]:
    """Return the scale in screen pixels per picture pixel, and the position of the picture's top left corner."""
    width, height = tile.size
    scale = min(room.width() / max(width, 1), room.height() / max(height, 1)) * view.zoom
    x = _kept(view.x, room.width() / max(2 * scale * width, 1e-9))
    y = _kept(view.y, room.height() / max(2 * scale * height, 1e-9))
    return scale, room.center() - QPointF(x * width * scale, y * height * scale)


class Shots:
    """Cached renderings of cells, and the visible part of each picture, scaled once for all cells that show it."""

    def __init__(self) -> None:
        self._images: dict[Hashable, tuple[QImage, ...]] = {}
        self._crops: dict[Hashable, QPixmap] = {}
        self._shots: dict[str, tuple[tuple[object, ...], QPixmap]] = {}

    def set_images(self, levels: Mapping[Any, Sequence[Pixels]]) -> bool:
        """Set the pictures, each as levels (H, W, 3) of halved size; return whether they changed."""
        if levels.keys() == self._images.keys():
            return False
        known = self._images
        self._images = {name: known.get(name) or tuple(map(as_image, each)) for name, each in levels.items()}
        self.forget()
        return True

    def moved(self) -> None:
        """Drop the scaled pictures, after the view changed."""
        self._crops.clear()

    def forget(self) -> None:
        """Drop everything cached."""
        self._crops.clear()
        self._shots.clear()

    def keep(self, keys: Collection[str]) -> None:
        """Drop the cells that are not among `keys`."""
        self._shots = {key: shot for key, shot in self._shots.items() if key in keys}

    def shot(self, tile: Tile, size: QSize, view: View, *, ratio: float) -> QPixmap:
        """Return a cell's picture with its map; `ratio` is the device pixel ratio."""
        key = (view, size, ratio, tile.heat, tile.picture, tile.size)
        kept = self._shots.get(tile.key)
        if kept is not None and kept[0] == key:
            return kept[1]
        shot = self._crop(tile, size, view, ratio=ratio)
        if tile.heat is not None:
            shot = QPixmap(shot)
            room = QRectF(0, 0, size.width(), size.height())
            scale, shift = placed(tile, room, view)
            painter = QPainter(shot)
            painter.translate(shift)
            painter.scale(scale, scale)
            seen = painter.worldTransform().inverted()[0].mapRect(room)
            paint(painter, [tile.heat], scale=scale, visible=seen, bounds=QRectF(0, 0, *tile.size))
            painter.end()
        self._shots[tile.key] = (key, shot)
        return shot

    def _crop(self, tile: Tile, size: QSize, view: View, *, ratio: float) -> QPixmap:
        key = (tile.picture, size, ratio, tile.size)
        if key in self._crops:
            return self._crops[key]
        crop = QPixmap(size * ratio)
        crop.setDevicePixelRatio(ratio)
        crop.fill(theme.colours().canvas)
        images = self._images.get(tile.picture, ())
        if images and tile.size[0]:
            scale, shift = placed(tile, QRectF(0, 0, size.width(), size.height()), view)
            wide = tile.size[0] * scale
            image = next((one for one in reversed(images) if one.width() >= wide * ratio), images[0])
            painter = QPainter(crop)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale * ratio < NEAREST_FROM_SCALE)
            painter.drawImage(QRectF(shift.x(), shift.y(), wide, tile.size[1] * scale), image)
            painter.end()
        self._crops[key] = crop
        return crop


def draw_words(painter: QPainter, tile: Tile, cell: QRectF, *, mark: str, value: str) -> None:
    """Draw a cell's title, badge, value and note; `mark` is the letter of a selected cell."""
    now, inside = theme.colours(), area(cell)
    head = QRectF(cell.left(), cell.top(), cell.width(), LINE_PX)
    if mark:
        box = QRectF(head.left(), head.top() + 1, LINE_PX - 2, LINE_PX - 2)
        painter.fillRect(box, now.accent)
        painter.setPen(theme.on_colour(now.accent))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, mark)
        head.setLeft(box.right() + GAP / 2)
    if tile.badge:
        wide = painter.fontMetrics().horizontalAdvance(tile.badge) + GAP
        _write(painter, QRectF(head.right() - wide, head.top(), wide, LINE_PX), tile.badge, now.warning, right=True)
        head.setRight(head.right() - wide)
    # Elide the method first, down to half the width: side by side, it is the class that tells maps apart.
    about, metrics = f" · {tile.about}" if tile.about else "", painter.fontMetrics()
    room = max(head.width() / 2, head.width() - metrics.horizontalAdvance(about))
    method = metrics.elidedText(tile.method, Qt.TextElideMode.ElideRight, int(room))
    _write(painter, head, method + about, now.text)
    foot = QRectF(cell.left(), inside.bottom(), cell.width(), LINE_PX)
    _write(painter, foot, value, now.text)
    if not value or cell.width() > WIDE_PX:
        _write(painter, foot, tile.foot, now.muted, right=True)
    if tile.note:
        _say(painter, inside.adjusted(GAP, GAP, -GAP, -GAP), tile)


def draw_cross(painter: QPainter, tile: Tile, room: QRectF, view: View, place: Share) -> None:
    """Draw the cursor at a position (shares of the picture), open in the centre to leave its target visible."""
    scale, shift = placed(tile, room, view)
    at = QPointF(shift.x() + place[0] * tile.size[0] * scale, shift.y() + place[1] * tile.size[1] * scale)
    if not room.contains(at):
        return
    for colour, width in ((QColor("black"), 3.0), (QColor("white"), 1.2)):
        painter.setPen(QPen(colour, width))
        for way in (QPointF(1, 0), QPointF(-1, 0), QPointF(0, 1), QPointF(0, -1)):
            painter.drawLine(at + way * CROSS_HOLE_PX, at + way * CROSS_PX)


def _say(painter: QPainter, room: QRectF, tile: Tile) -> None:
    """Write the note at the bottom: why there is no map, or what must be known about it."""
    now = theme.colours()
    side = Qt.AlignmentFlag.AlignBottom if tile.heat is not None else Qt.AlignmentFlag.AlignVCenter
    flags = int(Qt.AlignmentFlag.AlignHCenter | side) | int(Qt.TextFlag.TextWordWrap)
    text = QRectF(painter.boundingRect(room, flags, tile.note))
    if text.height() > room.height():
        # If the text is too long for the cell, show its beginning; the tooltip has all of it.
        flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop) | int(Qt.TextFlag.TextWordWrap)
    ground = QColor(now.panel)
    ground.setAlphaF(0.85)
    painter.save()
    painter.setClipRect(room.adjusted(-GAP / 2, -2, GAP / 2, 2))
    if not tile.waits:
        painter.fillRect(text.intersected(room).adjusted(-GAP / 2, -2, GAP / 2, 2), ground)
    painter.setPen(now.muted if tile.waits else now.text)
    painter.drawText(room, flags, tile.note)
    painter.restore()


def _write(painter: QPainter, place: QRectF, text: str, colour: QColor, *, right: bool = False) -> None:
    painter.setPen(colour)
    short = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(place.width()))
    side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
    painter.drawText(place, side | Qt.AlignmentFlag.AlignVCenter, short)


def _kept(middle: float, half: float) -> float:
    """Return the centre of the view, clamped so that a zoomed picture leaves no empty margin."""
    return 0.5 if half >= 0.5 else max(half, min(middle, 1 - half))
