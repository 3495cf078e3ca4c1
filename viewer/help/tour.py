"""The tour: a few steps that point at widgets of the window, which can be used meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget
from shiboken6 import isValid

from viewer import theme
from viewer.translation import tr

WIDTH = 360  # pixels, like those below
GAP = 8
AROUND = 4
RADIUS = 6
DIM = QColor(0, 0, 0, 96)
FOLLOW_MS = 200  # how often a widget is looked for that moved without the window being resized
LAST = tr("Done")


@dataclass(frozen=True)
class Step:
    """One step: what it says, and the widget that it points at, None while there is none."""

    title: str
    text: str
    target: Callable[[], QWidget | None]


class Tour(QWidget):
    """Dims the window around one widget after the other, with a bubble beside it; `ended` is emitted at the end."""

    ended = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._over = window
        self._steps: Sequence[Step] = ()
        self.number = 0
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName(tr("Tour"))
        self.bubble = _Bubble(window, self)
        self._clock = QTimer(self)
        self._clock.setInterval(FOLLOW_MS)
        self._clock.timeout.connect(self.follow)
        self.hide()
        self.bubble.hide()
        window.installEventFilter(self)

    @property
    def step(self) -> Step | None:
        """The current step."""
        return self._steps[self.number] if self.isVisible() else None

    @property
    def hole(self) -> QRect:
        """Where the current widget is, in the window's coordinates; empty if it is not in view."""
        target = self._steps[self.number].target() if self._steps else None
        if target is None or not isValid(target) or not target.isVisible() or target.window() is not self._over:
            return QRect()
        area = QRect(target.mapTo(self._over, QPoint(0, 0)), target.size())
        return area.adjusted(-AROUND, -AROUND, AROUND, AROUND).intersected(self._over.rect())

    def begin(self, steps: Sequence[Step]) -> None:
        """Begin with the first of the steps whose widgets are in view now."""
        self._steps = [step for step in steps if (target := step.target()) is not None and target.isVisible()]
        self.number = 0
        if self._steps:
            self.show()
            self.bubble.show()
            self._clock.start()
            self._tell()

    def go(self, by: int) -> None:
        """Go on, or back; after the last step it ends."""
        if self.number + by >= len(self._steps):
            self.end()
            return
        self.number = max(0, self.number + by)
        self._tell()

    def end(self) -> None:
        """End the tour."""
        if self.isVisible():
            self._clock.stop()
            self.hide()
            self.bubble.hide()
            self.ended.emit()

    def follow(self) -> None:
        """Point at the widget where it is now."""
        self.setGeometry(self._over.rect())
        self.bubble.place(self.hole, self._over.rect())
        self.raise_()
        self.bubble.raise_()
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the window's size."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest) and self.isVisible():
            self.follow()
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        outside, hole = QPainterPath(), QRectF(self.hole)
        outside.addRect(QRectF(self.rect()))
        inside = QPainterPath()
        inside.addRoundedRect(hole, RADIUS, RADIUS)
        painter.fillPath(outside.subtracted(inside), DIM)
        if not hole.isEmpty():
            painter.setPen(QPen(theme.colours().accent, 2))
            painter.drawRoundedRect(hole.adjusted(1, 1, -1, -1), RADIUS, RADIUS)

    def _tell(self) -> None:
        self.bubble.tell(self._steps[self.number], self.number, len(self._steps))
        self.follow()
        self.bubble.next.setFocus()


class _Bubble(QFrame):
    """What a step says, and the buttons."""

    def __init__(self, window: QWidget, tour: Tour) -> None:
        super().__init__(window)
        self._tour = tour
        self.title = QLabel(self)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.title.setWordWrap(True)
        self.text = QLabel(self)
        self.text.setWordWrap(True)
        self.count = QLabel(self)
        self.count.setProperty("small", True)
        self.skip = self._button(tr("Skip the tour"), tour.end)
        self.back = self._button(tr("Back"), lambda: tour.go(-1))
        self.next = self._button(tr("Next"), lambda: tour.go(1))
        self.next.setDefault(True)
        row = QHBoxLayout()
        row.setSpacing(GAP)
        row.addWidget(self.count)
        row.addStretch(1)
        for button in (self.skip, self.back, self.next):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GAP, GAP, 2 * GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.title)
        column.addWidget(self.text)
        column.addLayout(row)

    def tell(self, step: Step, number: int, many: int) -> None:
        """Show a step."""
        self.title.setText(step.title)
        self.text.setText(step.text)
        self.count.setText(tr("{number} of {total}", number=number + 1, total=many))
        self.setAccessibleName(f"{step.title}: {step.text}")
        self.back.setEnabled(number > 0)
        last = number + 1 == many
        self.next.setText(LAST if last else tr("Next"))
        self.next.setAccessibleName(self.next.text())
        self.skip.setVisible(not last)

    def place(self, hole: QRect, room: QRect) -> None:
        """Take the place beside `hole` in which it covers the least of it, within the window."""
        room = room.adjusted(GAP, GAP, -GAP, -GAP)
        width = min(max(WIDTH, self.minimumSizeHint().width()), room.width())
        layout = self.layout()
        height = min(layout.totalHeightForWidth(width) if layout is not None else 0, room.height())
        size = QRect(0, 0, width, height)
        middle = hole.center() if not hole.isEmpty() else room.center()
        corners = (
            QPoint(middle.x() - width // 2, hole.bottom() + GAP),
            QPoint(middle.x() - width // 2, hole.top() - height - GAP),
            QPoint(hole.left() - width - GAP, middle.y() - height // 2),
            QPoint(hole.right() + GAP, middle.y() - height // 2),
            QPoint(middle.x() - width // 2, middle.y() - height // 2),
        )
        places = [_inside(size.translated(corner), room) for corner in corners]
        self.setGeometry(min(places, key=lambda rect: _shared(rect, hole)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Right: 1, Qt.Key.Key_Left: -1}
        if event.key() == Qt.Key.Key_Escape:
            self._tour.end()
        elif (by := steps.get(Qt.Key(event.key()))) is not None:
            self._tour.go(by)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Keep Escape and the arrows from the window while the focus is in the bubble."""
        own = (Qt.Key.Key_Escape, Qt.Key.Key_Left, Qt.Key.Key_Right)
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in own:
            event.accept()
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colours().accent, 1))
        painter.setBrush(theme.colours().panel)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)

    def _button(self, title: str, run: Callable[[], None]) -> QPushButton:
        button = QPushButton(title, self)
        button.setAccessibleName(title)
        button.clicked.connect(run)
        return button


def _inside(rect: QRect, room: QRect) -> QRect:
    left = max(room.left(), min(rect.left(), room.right() + 1 - rect.width()))
    top = max(room.top(), min(rect.top(), room.bottom() + 1 - rect.height()))
    return QRect(left, top, rect.width(), rect.height())


def _shared(one: QRect, other: QRect) -> int:
    both = one.intersected(other)
    return both.width() * both.height() if not both.isEmpty() else 0
