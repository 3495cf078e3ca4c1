"""The legend: what colours and lines mean, and the scales of maps; the same on the canvas and in exports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from viewer import theme
from viewer.theme import GRID_PX, SMALL_PX, Colours
from viewer.translation import tr

SAMPLE_PX, BAR_PX, BAR_WIDE_PX = 22.0, 10.0, 150.0
TEXT_MOST_PX = 190.0
RADIUS_PX = 4.0
OPACITY = 0.92
CASING = QColor("#16161a")
STEP = 0.05
STEPS = {Qt.Key.Key_Left: (-STEP, 0.0), Qt.Key.Key_Right: (STEP, 0.0), Qt.Key.Key_Up: (0.0, -STEP)}
STEPS[Qt.Key.Key_Down] = (0.0, STEP)


@dataclass(frozen=True)
class Entry:
    """The meaning of a colour id, drawn as a line, `dashed` or not, or as an area."""

    colour: int
    text: str
    dashed: bool = False
    area: bool = False


@dataclass(frozen=True)
class Scale:
    """The colour bar of a map: what it shows, its ends as text, and the name of its colour map."""

    title: str
    low: str
    high: str
    colour_map: str


@dataclass(frozen=True)
class Legend:
    """Entries, how many more there are, and scales."""

    entries: tuple[Entry, ...] = ()
    more: int = 0
    scales: tuple[Scale, ...] = ()

    @property
    def text(self) -> str:
        """The legend as lines of text."""
        lines = [entry.text for entry in self.entries] + ([tr("and {more} more", more=self.more)] if self.more else [])
        return "\n".join(
            [
                *lines,
                *(
                    tr("{scale}: {low} to {high}", scale=scale.title, low=scale.low, high=scale.high)
                    for scale in self.scales
                ),
            ]
        )

    def __bool__(self) -> bool:
        return bool(self.entries or self.scales)


def size_of(legend: Legend, font: QFont) -> QSizeF:
    """Return the size of a legend in design pixels."""
    metrics, line = QFontMetricsF(font), _line(font)
    texts = [entry.text for entry in legend.entries] + (
        [tr("and {more} more", more=legend.more)] if legend.more else []
    )
    wide = max((min(metrics.horizontalAdvance(text), TEXT_MOST_PX) for text in texts), default=0.0)
    width = SAMPLE_PX + GRID_PX + wide if texts else 0.0
    width = max(width, BAR_WIDE_PX) if legend.scales else width
    height = len(texts) * line + len(legend.scales) * (2 * line + BAR_PX + GRID_PX / 2)
    return QSizeF(width + 2 * GRID_PX, height + 1.5 * GRID_PX)


def draw(painter: QPainter, legend: Legend, font: QFont, now: Colours) -> None:
    """Paint a legend at the painter's origin, in design pixels."""
    size, line, metrics = size_of(legend, font), _line(font), QFontMetricsF(font)
    ground = QColor(now.panel)
    ground.setAlphaF(OPACITY)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(now.border, 1))
    painter.setBrush(ground)
    painter.drawRoundedRect(QRectF(QPointF(0, 0), size).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS_PX, RADIUS_PX)
    painter.setFont(font)
    left, top, wide = float(GRID_PX), 0.75 * GRID_PX, size.width() - 2 * GRID_PX
    for entry in legend.entries:
        _sample(painter, entry, QRectF(left, top, SAMPLE_PX, line))
        place = QRectF(left + SAMPLE_PX + GRID_PX, top, wide - SAMPLE_PX - GRID_PX, line)
        _write(painter, place, metrics, entry.text, now.text)
        top += line
    if legend.more:
        place = QRectF(left + SAMPLE_PX + GRID_PX, top, wide, line)
        _write(painter, place, metrics, tr("and {more} more", more=legend.more), now.muted)
        top += line
    for scale in legend.scales:
        _write(painter, QRectF(left, top, wide, line), metrics, scale.title, now.text)
        draw_bar(painter, QRectF(left, top + line, wide, BAR_PX), scale.colour_map)
        ends = QRectF(left, top + line + BAR_PX, wide, line)
        _write(painter, ends, metrics, scale.low, now.muted)
        right = ends.width() - metrics.horizontalAdvance(scale.high)
        _write(painter, ends.adjusted(right, 0, 0, 0), metrics, scale.high, now.muted)
        top += 2 * line + BAR_PX + GRID_PX / 2


def draw_bar(painter: QPainter, place: QRectF, colour_map: str) -> None:
    """Paint the gradient of a colour map."""
    table = theme.heat_lut(colour_map)
    painter.drawImage(place, QImage(table.tobytes(), len(table), 1, QImage.Format.Format_RGBA8888))


def font_of(base: QFont) -> QFont:
    """Return the font of legends."""
    font = QFont(base)
    font.setPixelSize(SMALL_PX)
    return font


def placed(at: tuple[float, float], size: QSizeF, room: QRectF) -> QPointF:
    """Return the corner of a legend at shares `at` of the free room, (1, 1) for the lower right."""
    across, down = max(0.0, room.width() - size.width()), max(0.0, room.height() - size.height())
    return QPointF(room.left() + at[0] * across, room.top() + at[1] * down)


class LegendCard(QWidget):
    """The legend over the canvas; it can be dragged, or moved with the arrow keys.

    `moved` emits its new place in shares of the free room.
    """

    moved = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._host = parent
        self.legend = Legend()
        self.at: tuple[float, float] = (1.0, 1.0)
        self._pressed: QPoint | None = None
        self.setAccessibleName(tr("Legend"))
        self.setToolTip(tr("Drag the legend to where it hides nothing"))
        self.setCursor(Qt.CursorShape.SizeAllCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        theme.changes().connect(self.update)
        self.hide()

    def show_legend(self, legend: Legend) -> None:
        """Show a legend; hide the card if it has nothing to say."""
        if legend != self.legend:
            self.legend = legend
            self.setAccessibleDescription(legend.text)
            self.resize(size_of(legend, font_of(self.font())).toSize())
            self.update()
        self.setVisible(bool(legend))
        self.settle()

    def put(self, at: Sequence[float]) -> None:
        """Put the card at shares of the free room."""
        self.at = (min(max(float(at[0]), 0.0), 1.0), min(max(float(at[1]), 0.0), 1.0))
        self.settle()

    def settle(self) -> None:
        """Keep the place within the parent."""
        room = QRectF(self._host.rect()).adjusted(GRID_PX, GRID_PX, -GRID_PX, -GRID_PX)
        self.move(placed(self.at, QSizeF(self.size()), room).toPoint())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        draw(painter, self.legend, font_of(self.font()), theme.colours())
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.position().toPoint()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is not None:
            corner = self.mapToParent(event.position().toPoint() - self._pressed) - QPoint(GRID_PX, GRID_PX)
            across, down = self._host.width() - self.width(), self._host.height() - self.height()
            self.put([corner.x() / max(1, across - 2 * GRID_PX), corner.y() / max(1, down - 2 * GRID_PX)])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        across, down = STEPS.get(Qt.Key(event.key()), (0.0, 0.0))
        if not (across or down):
            event.ignore()
            return
        self.put([self.at[0] + across, self.at[1] + down])
        self.moved.emit(self.at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._pressed is not None:
            self._pressed = None
            self.moved.emit(self.at)


def _line(font: QFont) -> float:
    return round(QFontMetricsF(font).height() + 1)


def _sample(painter: QPainter, entry: Entry, place: QRectF) -> None:
    colour, middle = theme.class_colour(entry.colour), place.center().y()
    if entry.area:
        painter.fillRect(QRectF(place.left(), middle - 4, SAMPLE_PX, 8), colour)
        return
    for ink, width in ((CASING, 4.0), (colour, 2.4)):
        pen = QPen(ink, width)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        if entry.dashed:
            pen.setDashPattern([6 / width, 3 / width])
        painter.setPen(pen)
        painter.drawLine(QPointF(place.left(), middle), QPointF(place.right(), middle))


def _write(painter: QPainter, place: QRectF, metrics: QFontMetricsF, text: str, colour: QColor) -> None:
    painter.setPen(colour)
    short = metrics.elidedText(text, Qt.TextElideMode.ElideRight, place.width() + 1)
    flags = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter) | int(Qt.TextFlag.TextSingleLine)
    painter.drawText(place.adjusted(0, 0, 1, 0), flags, short)
