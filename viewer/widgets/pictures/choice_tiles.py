"""Alternatives side by side, each a small picture with what it finds; a click puts another one in force."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QImage, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QGridLayout, QScrollArea, QSizePolicy, QWidget

from models.types import Pixels
from viewer import theme
from viewer.canvas.painter import as_image, paint
from viewer.context_menu.subject import Subject
from viewer.presenters.interpretation import Choice
from viewer.translation import tr

GAP = 8
LEAST_PX = 132  # width of a tile
TITLE_LINES, LINES = 2, 4  # of text under a picture
EDGE_PX = 2
STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -2, Qt.Key.Key_Down: 2}


class ChoiceTile(QAbstractButton):
    """One alternative, as a button: the picture with what it finds, its title, and what it finds in words."""

    def __init__(self, choice: Choice) -> None:
        super().__init__()
        self.choice = choice
        self._picture: Pixels | None = None
        self._size = (4, 3)
        self._shot: QImage | None = None
        font = QFont(self.font())
        font.setPixelSize(theme.SMALL_PX)
        self.setFont(font)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.take(choice)

    def take(self, choice: Choice) -> None:
        """Show another alternative in this place."""
        self.choice, self._shot = choice, None
        self.setChecked(choice.chosen)
        state = tr("in force") if choice.chosen else tr("press to choose it")
        self.setAccessibleName(f"{choice.title}, {state}")
        self.setAccessibleDescription(choice.finds)
        self.setToolTip(choice.tip)
        self.update()

    def set_picture(self, picture: Pixels | None, size: tuple[int, int]) -> None:
        """Set the reduced picture (H, W, 3) to draw on, and the width and height of the picture itself."""
        self._picture, self._size, self._shot = picture, size, None
        self.updateGeometry()
        self.update()

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell the alternative."""
        offers = [(tr("Choose this"), self.click)] if not self.isChecked() else []
        text = f"{self.choice.title}\t{self.choice.finds}"
        return Subject(name=self.choice.title, text=text, picture=self.grab().toImage(), offers=offers)

    def nextCheckState(self) -> None:
        """Leave the check mark to whoever makes the choice: only what is in force is marked."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave the arrow keys to the tiles around."""
        if Qt.Key(event.key()) in STEPS:
            event.ignore()
            return
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Scroll into view."""
        super().focusInEvent(event)
        above = self.parentWidget()
        while above is not None and not isinstance(above, QScrollArea):
            above = above.parentWidget()
        if above is not None:
            above.ensureWidgetVisible(self)

    def sizeHint(self) -> QSize:
        """Return the size at the least width."""
        return QSize(LEAST_PX, self.heightForWidth(LEAST_PX))

    def minimumSizeHint(self) -> QSize:
        """Return the least size that shows something."""
        return QSize(LEAST_PX // 2, self.heightForWidth(LEAST_PX // 2))

    def hasHeightForWidth(self) -> bool:
        """Say that the height follows the picture's proportions."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of the picture and the text under it."""
        wide, high = self._size
        inner = width - 2 * EDGE_PX
        tall = min(inner * high / max(wide, 1), 1.25 * inner)
        return round(tall) + 2 * EDGE_PX + LINES * self.fontMetrics().lineSpacing() + GAP

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, now = QPainter(self), theme.colours()
        text_px = LINES * self.fontMetrics().lineSpacing() + GAP
        room = QRectF(self.rect()).adjusted(EDGE_PX, EDGE_PX, -EDGE_PX, -EDGE_PX - text_px)
        painter.fillRect(room, now.canvas)
        if self._picture is not None:
            shot = self._drawn(room)
            painter.drawImage(room.topLeft(), shot)
        words = QRectF(room.left() + 2, room.bottom() + 2, room.width() - 4, text_px - 2)
        self._write(painter, words)
        chosen = self.choice.chosen
        edge = now.accent if chosen or self.hasFocus() or self.underMouse() else now.border
        painter.setPen(QPen(edge, EDGE_PX if chosen else 1))
        painter.drawRect(QRectF(self.rect()).adjusted(1, 1, -1, -1))
        if self.hasFocus():
            painter.setPen(QPen(now.text, 1, Qt.PenStyle.DotLine))
            painter.drawRect(QRectF(self.rect()).adjusted(3, 3, -3, -3))
        painter.end()

    def _write(self, painter: QPainter, room: QRectF) -> None:
        """Write the title, and below it what is found."""
        now, metrics = theme.colours(), self.fontMetrics()
        font = QFont(self.font())
        font.setBold(self.choice.chosen)
        at = room.top() + metrics.ascent()
        for words, most, ink in ((self.choice.title, TITLE_LINES, now.text), (self.choice.finds, LINES, now.muted)):
            painter.setFont(font if ink == now.text else self.font())
            painter.setPen(ink)
            rest, taken = words, painter.fontMetrics()
            for number in range(1, most + 1):
                if not rest or at > room.bottom():
                    break
                last = number == most or at + metrics.lineSpacing() > room.bottom()
                part = rest if last else _fitting(rest, taken.horizontalAdvance, room.width())
                shown = taken.elidedText(part, Qt.TextElideMode.ElideRight, int(room.width()))
                painter.drawText(QPointF(room.left(), at), shown)
                rest, at = rest[len(part) :].lstrip(), at + metrics.lineSpacing()

    def _drawn(self, room: QRectF) -> QImage:
        """Return the picture with the layers, at the size and the resolution of a place on screen."""
        ratio = self.devicePixelRatioF()
        width, height = round(room.width() * ratio), round(room.height() * ratio)
        if self._shot is not None and (self._shot.width(), self._shot.height()) == (width, height):
            return self._shot
        shot = QImage(max(1, width), max(1, height), QImage.Format.Format_RGB32)
        shot.setDevicePixelRatio(ratio)
        shot.fill(theme.colours().canvas)
        wide, high = self._size
        scale = min(room.width() / wide, room.height() / high)
        painter = QPainter(shot)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.translate((room.width() - wide * scale) / 2, (room.height() - high * scale) / 2)
        painter.scale(scale, scale)
        whole = QRectF(0, 0, wide, high)
        assert self._picture is not None
        painter.drawImage(whole, as_image(self._picture))
        choice = self.choice
        if choice.over is not None and choice.extent is not None:
            x0, y0, x1, y1 = choice.extent
            painter.setClipRect(whole)
            painter.drawImage(QRectF(x0, y0, x1 - x0, y1 - y0), as_image(choice.over))
            painter.setClipping(False)
        if choice.layers:
            painter.setClipRect(whole)
            paint(painter, choice.layers, scale=scale, visible=whole, bounds=whole)
        painter.end()
        self._shot = shot
        return shot


class ChoiceTiles(QWidget):
    """Tiles in as many columns as fit; `taken` emits the Choice that was pressed."""

    taken = Signal(object)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.tiles: list[ChoiceTile] = []
        self._picture: Pixels | None = None
        self._size = (4, 3)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(GAP)
        self._columns = 2

    def show_choices(self, choices: Sequence[Choice]) -> None:
        """Show these alternatives; tiles that stay keep the focus."""
        while len(self.tiles) > len(choices):
            gone = self.tiles.pop()
            self._grid.removeWidget(gone)
            gone.deleteLater()
        for place, choice in enumerate(choices):
            if place < len(self.tiles):
                self.tiles[place].take(choice)
                continue
            tile = ChoiceTile(choice)
            tile.set_picture(self._picture, self._size)
            tile.clicked.connect(self._pressed)
            self.tiles.append(tile)
            self._grid.addWidget(tile, place // self._columns, place % self._columns)
        self.setVisible(bool(choices))

    def set_picture(self, picture: Pixels | None, size: tuple[int, int]) -> None:
        """Set the reduced picture that all tiles draw on, and the width and height of the picture itself."""
        self._picture, self._size = picture, size
        for tile in self.tiles:
            tile.set_picture(picture, size)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go to the next tile with the arrow keys."""
        step = STEPS.get(Qt.Key(event.key()))
        here = next((place for place, tile in enumerate(self.tiles) if tile.hasFocus()), -1)
        if step is None or here < 0:
            super().keyPressEvent(event)
            return
        self.tiles[max(0, min(here + step, len(self.tiles) - 1))].setFocus(Qt.FocusReason.TabFocusReason)

    def _pressed(self) -> None:
        tile = self.sender()
        if isinstance(tile, ChoiceTile) and not tile.choice.chosen:
            self.taken.emit(tile.choice)


def _fitting(text: str, width_of: Callable[[str], int], room: float) -> str:
    """Return as many whole words of a text as fit into a width; at least one."""
    words = text.split(" ")
    taken = words[:1]
    for word in words[1:]:
        if width_of(" ".join([*taken, word])) > room:
            break
        taken.append(word)
    return " ".join(taken)
