"""A map of very many points in colours, with thumbnails where there is room, a lasso, and a mark for one place.

Points are painted into one image of the size of what is in view, so that 100,000 of them pan and zoom smoothly.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPen, QPixmap, QPolygonF

from models.types import Bool, Float, Int, Pixels
from viewer import theme
from viewer.context_menu.subject import Subject
from viewer.translation import trn
from viewer.widgets.charts.plot import Plot, Series
from viewer.widgets.pictures.thumbnail_grid import fitting_pixmap

FEW, MANY = 2_000, 20_000  # points, up to which dots have the larger and the middle radius
RADII = (3.4, 2.3, 1.5)  # pixels
FAINT = 0.18  # how strong the colour of points is that are not selected
SIDE_PX, APART_PX = 36, 40  # of thumbnails
KEPT = 1000  # thumbnails
TRIED = 4000  # points in view that may get a thumbnail
PAUSE_MS = 60
MARK_PX = 9.0
CLICK_PX = 4.0  # moved less than this, the mouse has clicked
NONE = np.zeros(0, np.int64)
Colours = NDArray[np.uint32]


class _Dots(pg.GraphicsObject):
    """All points as one image, made again when what is in view, the size or the colours have changed."""

    def __init__(self, owner: PointMap) -> None:
        super().__init__()
        self._owner = owner
        self._image: QImage | None = None
        self._buffer: Colours = np.zeros((0, 0), np.uint32)
        self._state: object = None

    def boundingRect(self) -> QRectF:
        """Cover what is in view: there the image lies."""
        return QRectF(self._owner.plot.vb.viewRect())

    def viewRangeChanged(self) -> None:
        """Move with the view."""
        self.prepareGeometryChange()

    def paint(self, painter: QPainter, option: object, widget: object = None) -> None:
        """Paint the image over what is in view."""
        owner = self._owner
        view, ratio = QRectF(owner.plot.vb.viewRect()), owner.devicePixelRatioF()
        field = owner.field()
        size = max(1, round(field.width() * ratio)), max(1, round(field.height() * ratio))
        state = (view.getRect(), size, owner.version)
        if state != self._state or self._image is None:
            self._state = state
            self._buffer = owner.raster(view, size, ratio)
            rows, columns = self._buffer.shape
            self._image = QImage(
                self._buffer.data, columns, rows, 4 * columns, QImage.Format.Format_ARGB32_Premultiplied
            )
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.drawImage(view, self._image)


class PointMap(Plot):
    """N points. `picked` emits the point that was clicked, `lassoed` those inside of what was drawn.

    `lasso` says whether dragging draws instead of moving the map. `line` returns what is said of a point,
    `path_of` its file; `thumbnail_wanted` emits one whose thumbnail is missing, until `set_thumbnail` brings it.
    """

    picked = Signal(int)
    lassoed = Signal(object)
    thumbnail_wanted = Signal(int)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.places: Float = np.zeros((0, 2), np.float32)
        self.selected: Int = NONE
        self.lasso = False
        self.pictures = False
        self.version = 0
        self.line: Callable[[int], str] = lambda point: ""
        self.path_of: Callable[[int], str] = lambda point: ""
        self._colours: Colours = np.zeros(0, np.uint32)
        self._painted = np.zeros(0, np.float32), np.zeros(0, np.float32), self._colours
        self._here: tuple[float, float] | None = None
        self._drawn: list[QPointF] = []
        self._pressed = QPointF()
        self._order: Int = NONE
        self._thumbnails: OrderedDict[int, QPixmap | None] = OrderedDict()
        self._asked = -1
        self.plot.setAspectLocked(True)
        self.plot.vb.sigRangeChanged.connect(lambda *_: self._pause.start())
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._want_thumbnail)

    @property
    def waited_for(self) -> int:
        """The point whose thumbnail was asked for, -1 for none."""
        return self._asked

    def show_points(self, places: Float, colours: Colours, *, axes: tuple[str, str] | None = None) -> None:
        """Show points (N, 2) in colours (N,) 0xffRRGGBB. Axes without names are hidden: they mean nothing."""
        fresh = len(places) != len(self.places)
        if fresh:
            self.selected = NONE
            self._order = np.random.default_rng(0).permutation(len(places))  # no class is always painted over
        self.places, self._colours = np.ascontiguousarray(places, np.float32), colours
        self._arrange()
        for side, title in zip(("bottom", "left"), axes or ("", ""), strict=True):
            self.plot.setLabel(side, title)
            self.plot.showAxis(side, axes is not None)
        there = self.places[np.isfinite(self.places).all(1)]
        self.describe(trn("{n:,} point", "{n:,} points", len(there)), known=bool(len(there)))
        if len(there):
            low, high = there.min(0), there.max(0)
            wide = np.maximum(high - low, 1e-6 * max(float(np.abs(there).max()), 1e-6))
            self.fit(
                (float(low[0]), float(low[0] + wide[0])),
                (float(low[1]), float(low[1] + wide[1])),
                margin=(0.06, 0.06),
                bounded=False,
            )

    def set_colours(self, colours: Colours) -> None:
        """Show the points in other colours (N,)."""
        self._colours = colours
        self._changed()

    def set_here(self, place: tuple[float, float] | None) -> None:
        """Mark a place, that of the open picture; None for none."""
        self._here = place
        self.viewport().update()

    def select(self, points: Int) -> None:
        """Make all points faint but these; none means that all are alike."""
        self.selected = points
        self._changed()

    def set_pictures(self, shown: bool) -> None:
        """Show thumbnails where there is room for them, or dots only."""
        self.pictures = shown
        self.viewport().update()
        self._want_thumbnail()

    def forget_thumbnails(self) -> None:
        """Drop the thumbnails: the points are those of other pictures."""
        self._thumbnails.clear()
        self._asked = -1

    def set_thumbnail(self, point: int, pixels: Pixels | None) -> None:
        """Take the thumbnail (h, w, 3) of a point, None if it cannot be read."""
        self._thumbnails[point] = fitting_pixmap(pixels, SIDE_PX) if pixels is not None else None
        while len(self._thumbnails) > KEPT:
            self._thumbnails.popitem(last=False)
        if point == self._asked:
            self._asked = -1
        self.viewport().update()
        self._want_thumbnail()

    def draw(self) -> None:
        """Put the item of all points into the axes."""
        self.plot.addItem(_Dots(self), ignoreBounds=True)

    def series(self) -> Sequence[Series]:
        """Return the places to export."""
        return [Series(self.accessibleName(), self.places[:, 0], self.places[:, 1])]

    def explain(self, place: QPointF) -> str:
        """Return what is said of the point at the pointer."""
        point = self.point_at(place)
        return self.line(point) if point >= 0 else ""

    def point_at(self, place: QPointF) -> int:
        """Return the point nearest to a point of the widget, -1 if none is near."""
        if not len(self.places):
            return -1
        found = self.nearest(place, [(self.places[:, 0], self.places[:, 1])])
        return found[1] if found is not None else -1

    def in_view(self) -> Int:
        """Return the points in view."""
        (x0, x1), (y0, y1) = self.plot.vb.viewRange()
        x, y = self.places[:, 0], self.places[:, 1]
        return np.flatnonzero((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)).astype(np.int64)

    def raster(self, view: QRectF, size: tuple[int, int], ratio: float) -> Colours:
        """Return the points in view as premultiplied pixels (height, width), the lowest row first."""
        width, height = size
        pixels = np.zeros(height * width, np.uint32)
        if not len(self.places):
            return pixels.reshape(height, width)
        across, up, colours = self._painted
        x = ((across - view.left()) * (width / view.width())).astype(np.int32)
        y = ((up - view.top()) * (height / view.height())).astype(np.int32)
        radius = RADII[int(np.searchsorted((FEW, MANY), len(self.places)))] * ratio
        reach = int(radius + 1)
        within = (x >= reach) & (x < width - reach) & (y >= reach) & (y < height - reach)
        if not within.all():
            x, y, colours = x[within], y[within], colours[within]
        at = y.astype(np.int64) * width + x
        for down, aside in _disc(radius):
            pixels[at + (down * width + aside)] = colours
        return pixels.reshape(height, width)

    def inside(self, outline: Sequence[QPointF]) -> Int:
        """Return the points inside an outline on the widget, in order; by the even-odd rule."""
        if len(outline) < 3 or not len(self.places):
            return NONE
        corners = np.array([(p.x(), p.y()) for p in outline])
        x, y = self.places_of(self.places[:, 0], self.places[:, 1])
        near = np.flatnonzero(
            (x >= corners[:, 0].min())
            & (x <= corners[:, 0].max())
            & (y >= corners[:, 1].min())
            & (y <= corners[:, 1].max())
        )
        odd: Bool = np.zeros(len(near), np.bool_)
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, 0), strict=True):
            if y0 != y1:
                crosses = (y0 > y[near]) != (y1 > y[near])
                odd ^= crosses & (x[near] < (x1 - x0) * (y[near] - y0) / (y1 - y0) + x0)
        return near[odd].astype(np.int64)

    def placed_thumbnails(self) -> list[tuple[int, QPointF]]:
        """Return the points in view that have room for a thumbnail, each with its middle on the widget."""
        near = self._order[np.isin(self._order, self.in_view())][:TRIED] if len(self.places) else NONE
        if len(self.selected):
            near = near[np.argsort(~np.isin(near, self.selected), kind="stable")]
        x, y = self.places_of(self.places[near, 0], self.places[near, 1])
        taken: dict[tuple[int, int], tuple[float, float]] = {}
        found = []
        for point, across, down in zip(near.tolist(), x.tolist(), y.tolist(), strict=True):
            cell = int(across // APART_PX), int(down // APART_PX)
            around = (taken.get((cell[0] + i, cell[1] + j)) for i in (-1, 0, 1) for j in (-1, 0, 1))
            if all(o is None or max(abs(o[0] - across), abs(o[1] - down)) >= APART_PX for o in around):
                taken[cell] = across, down
                found.append((point, QPointF(across, down)))
        return found

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """Paint thumbnails, the lasso and the mark over the points."""
        super().drawForeground(painter, rect)
        if not self._known:
            return
        now = theme.colours()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRect(self.field())
        if self.pictures:
            for point, middle in self.placed_thumbnails():
                picture = self._thumbnails.get(point)
                if picture is not None:
                    box = QRectF(QPointF(), picture.deviceIndependentSize())
                    box.moveCenter(middle)
                    painter.drawPixmap(box.topLeft(), picture)
                    painter.setPen(QPen(QColor.fromRgba(int(self._colours[point])), 2))
                    painter.drawRect(box)
        if self._here is not None:
            middle = self.place_of(*self._here)
            for colour, width in ((now.panel, 5.0), (now.accent, 2.5)):
                painter.setPen(QPen(colour, width))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(middle, MARK_PX, MARK_PX)
        if self._drawn:
            painter.setPen(QPen(now.accent, 1.5, Qt.PenStyle.DashLine))
            fill = QColor(now.accent)
            fill.setAlphaF(0.12)
            painter.setBrush(fill)
            painter.drawPolygon(QPolygonF(self._drawn))
        painter.restore()

    def mousePressEvent(self, ev: QMouseEvent) -> None:
        """Begin the lasso, or a click or move."""
        self._pressed = ev.position()
        if self.lasso and ev.button() == Qt.MouseButton.LeftButton:
            self._drawn = [ev.position()]
            ev.accept()
            return
        super().mousePressEvent(ev)
        ev.accept()

    def mouseMoveEvent(self, ev: QMouseEvent) -> None:
        """Go on drawing; else move the map, or say what is under the pointer."""
        if self._drawn:
            if (ev.position() - self._drawn[-1]).manhattanLength() >= 3:
                self._drawn.append(ev.position())
                self.viewport().update()
            return
        super().mouseMoveEvent(ev)

    def mouseReleaseEvent(self, ev: QMouseEvent) -> None:
        """End the lasso, or the click on a point."""
        clicked = (ev.position() - self._pressed).manhattanLength() <= CLICK_PX
        if self._drawn:
            outline, self._drawn = self._drawn, []
            self.lassoed.emit(NONE if clicked else self.inside(outline))
            self.viewport().update()
            return
        super().mouseReleaseEvent(ev)
        ev.accept()
        if clicked and ev.button() == Qt.MouseButton.LeftButton and (point := self.point_at(ev.position())) >= 0:
            self.picked.emit(point)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Leave the menu of a point to the panel; show the plot's elsewhere."""
        if event.reason() == QContextMenuEvent.Reason.Mouse and self.point_at(QPointF(event.pos())) >= 0:
            event.ignore()
        else:
            super().contextMenuEvent(event)

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell the point at a place."""
        point = self.point_at(QPointF(place)) if place is not None else -1
        if point < 0:
            return None
        return Subject(name=self.accessibleName(), text=self.line(point), path=self.path_of(point))

    def keyPressEvent(self, ev: QKeyEvent) -> None:
        """Call the lasso off with Escape."""
        if self._drawn and ev.key() == Qt.Key.Key_Escape:
            self._drawn = []
            self.viewport().update()
            return
        super().keyPressEvent(ev)

    def _arrange(self) -> None:
        """Bring the points that have a place into the order in which they are painted: those that are selected last."""
        colours, order = self._colours, self._order
        order = order[np.isfinite(self.places[order]).all(1)]
        if len(self.selected):
            faint = np.ones(len(self.places), np.bool_)
            faint[self.selected] = False
            colours = np.where(faint, _fainter(colours), colours)
            order = order[np.argsort(~faint[order], kind="stable")]
        self._painted = self.places[order, 0], self.places[order, 1], colours[order]
        self.version += 1

    def _changed(self) -> None:
        self._arrange()
        for item in self.plot.items:
            item.update()
        self.viewport().update()

    def _want_thumbnail(self) -> None:
        """Ask for one missing thumbnail in view, unless one is being read."""
        if self._asked >= 0 or not self.pictures or not self.isVisible() or not self._known:
            return
        missing = (point for point, _ in self.placed_thumbnails() if point not in self._thumbnails)
        point = next(missing, -1)
        if point >= 0:
            self._asked = point
            self.thumbnail_wanted.emit(point)


def _disc(radius: float) -> list[tuple[int, int]]:
    """Return the pixels of a disc as steps down and across."""
    reach = int(radius + 1)
    steps = range(-reach, reach + 1)
    return [(down, across) for down in steps for across in steps if down**2 + across**2 <= radius**2]


def _fainter(colours: Colours) -> Colours:
    """Return opaque colours as premultiplied ones that hardly show."""
    part = round(FAINT * 256)
    channels = [((colours >> shift) & 0xFF) * part >> 8 << shift for shift in (0, 8, 16, 24)]
    return (channels[0] | channels[1] | channels[2] | channels[3]).astype(np.uint32)
