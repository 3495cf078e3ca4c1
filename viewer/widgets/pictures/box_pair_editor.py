"""Two boxes to drag, a predicted one and the true one, with arrows that show where a loss pulls the predicted one."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from models.types import Float
from viewer import theme
from viewer.canvas.layers import CORRECT
from viewer.context_menu.subject import Subject
from viewer.translation import tr

FIELD = QRectF(0, 0, 280, 240)  # what is shown, in the pixels of the boxes
HEIGHT_PX = 220
GRIP_PX = 9.0
LEAST_PX = 8.0
ARROW_PX = 42.0
STEP = 2.0
PREDICTED, TRUE = "predicted", "truth"
KEYS = {Qt.Key.Key_Left: (-STEP, 0), Qt.Key.Key_Right: (STEP, 0), Qt.Key.Key_Up: (0, -STEP), Qt.Key.Key_Down: (0, STEP)}


class BoxPairEditor(QWidget):
    """`moved` emits the name of a box, "predicted" or "truth", its four coordinates as text, and whether it is final.

    A box is moved by its inside and resized by its corners; the arrow keys move the one that was used last.
    """

    moved = Signal(str, str, bool)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.boxes = {PREDICTED: QRectF(40, 60, 100, 90), TRUE: QRectF(110, 90, 110, 120)}
        self.slope: Float = np.zeros(4, np.float32)
        self.active = PREDICTED
        self._held: tuple[str, str, QPointF, QRectF] | None = None
        theme.changes().connect(self.update)

    def sizeHint(self) -> QSize:
        """Return a size for a column of controls."""
        return QSize(260, HEIGHT_PX)

    def show_boxes(self, predicted: Float, truth: Float, slope: Float) -> None:
        """Show two boxes (4,) and the gradient (4,) of the chosen loss; a box that is being dragged stays."""
        if self._held is None:
            for name, box in ((PREDICTED, predicted), (TRUE, truth)):
                x0, y0, x1, y1 = (float(v) for v in box)
                self.boxes[name] = QRectF(QPointF(x0, y0), QPointF(x1, y1))
        self.slope = slope
        places = ", ".join(f"{name}: {_text(box)}" for name, box in self.boxes.items())
        self.setAccessibleDescription(places)
        self.update()

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell both boxes."""
        text = "\n".join(f"{name}\t{_text(box)}" for name, box in self.boxes.items())
        return Subject(name=self.accessibleName(), text=text, picture=self.grab().toImage())

    @property
    def _scale(self) -> float:
        return min(self.width() / FIELD.width(), self.height() / FIELD.height())

    def _to_screen(self, box: QRectF) -> QRectF:
        scale = self._scale
        left = (self.width() - FIELD.width() * scale) / 2
        return QRectF(left + box.x() * scale, box.y() * scale, box.width() * scale, box.height() * scale)

    def _grip(self, place: QPointF) -> tuple[str, str] | None:
        """Return the box and its part at a point: a corner such as "br", or "all"."""
        for name in (PREDICTED, TRUE):
            shown = self._to_screen(self.boxes[name])
            corners = (shown.topLeft(), shown.topRight(), shown.bottomLeft(), shown.bottomRight())
            for part, corner in zip(("tl", "tr", "bl", "br"), corners, strict=True):
                if (corner - place).manhattanLength() < GRIP_PX * 1.5:
                    return name, part
        for name in (PREDICTED, TRUE):
            if self._to_screen(self.boxes[name]).contains(place):
                return name, "all"
        return None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of a box."""
        found = self._grip(event.position())
        if found is not None and event.button() == Qt.MouseButton.LeftButton:
            self.active = found[0]
            self._held = (*found, event.position(), QRectF(self.boxes[found[0]]))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the box or the corner that is held."""
        if self._held is None:
            found = self._grip(event.position())
            shapes = {"all": Qt.CursorShape.SizeAllCursor, "tl": Qt.CursorShape.SizeFDiagCursor}
            shapes |= {"br": Qt.CursorShape.SizeFDiagCursor, "tr": Qt.CursorShape.SizeBDiagCursor}
            self.setCursor(
                shapes.get(found[1], Qt.CursorShape.SizeBDiagCursor) if found else Qt.CursorShape.ArrowCursor
            )
            return
        name, part, begin, before = self._held
        by = (event.position() - begin) / self._scale
        self._move(name, part, before, by, final=False)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go of the box."""
        if self._held is not None:
            name = self._held[0]
            self._held = None
            self.moved.emit(name, _text(self.boxes[name]), True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the box that was used last."""
        by = KEYS.get(Qt.Key(event.key()))
        if by is None:
            super().keyPressEvent(event)
            return
        self._move(self.active, "all", QRectF(self.boxes[self.active]), QPointF(*by), final=True)

    def _move(self, name: str, part: str, before: QRectF, by: QPointF, *, final: bool) -> None:
        box = QRectF(before)
        if part == "all":
            box.translate(by)
            box.moveLeft(min(max(box.left(), 0.0), FIELD.width() - box.width()))
            box.moveTop(min(max(box.top(), 0.0), FIELD.height() - box.height()))
        else:
            if "l" in part:
                box.setLeft(min(max(box.left() + by.x(), 0.0), box.right() - LEAST_PX))
            else:
                box.setRight(max(min(box.right() + by.x(), FIELD.width()), box.left() + LEAST_PX))
            if "t" in part:
                box.setTop(min(max(box.top() + by.y(), 0.0), box.bottom() - LEAST_PX))
            else:
                box.setBottom(max(min(box.bottom() + by.y(), FIELD.height()), box.top() + LEAST_PX))
        self.boxes[name] = box
        self.update()
        self.moved.emit(name, _text(box), final)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint both boxes and the arrows."""
        now, painter = theme.colours(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self._to_screen(FIELD), now.window)
        painter.setPen(QPen(now.border, 1))
        painter.drawRect(self._to_screen(FIELD))
        for name, colour, dashed in ((TRUE, theme.class_colour(CORRECT), True), (PREDICTED, now.accent, False)):
            shown = self._to_screen(self.boxes[name])
            painter.setPen(QPen(colour, 2, Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine))
            faint = QColor(colour)
            faint.setAlpha(36)
            painter.setBrush(faint)
            painter.drawRect(shown)
            painter.setBrush(colour)
            for corner in (shown.topLeft(), shown.topRight(), shown.bottomLeft(), shown.bottomRight()):
                painter.drawEllipse(corner, 3, 3)
            title = tr("Predicted") if name == PREDICTED else tr("True")
            place = shown.topLeft() + QPointF(4, 14) if name == PREDICTED else shown.bottomLeft() + QPointF(4, -5)
            painter.drawText(place, title)
        self._paint_arrows(painter, theme.class_colour(1))
        painter.end()

    def _paint_arrows(self, painter: QPainter, colour: QColor) -> None:
        most = float(np.abs(self.slope).max())
        if most <= 0:
            return
        down = -self.slope / most * ARROW_PX
        shown = self._to_screen(self.boxes[PREDICTED])
        painter.setPen(QPen(colour, 2.5))
        painter.setBrush(colour)
        for corner, (dx, dy) in ((shown.topLeft(), down[:2].tolist()), (shown.bottomRight(), down[2:].tolist())):
            length = float(np.hypot(dx, dy))
            if length < 1:
                continue
            tip, along = corner + QPointF(dx, dy), QPointF(dx, dy) / length
            side = QPointF(-along.y(), along.x())
            painter.drawLine(corner, tip)
            painter.drawPolygon([tip + along * 4, tip - along * 5 + side * 4, tip - along * 5 - side * 4])


def _text(box: QRectF) -> str:
    return f"{box.left():.1f},{box.top():.1f},{box.right():.1f},{box.bottom():.1f}"
