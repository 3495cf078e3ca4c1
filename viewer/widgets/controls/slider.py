"""A row for a number: title, slider and number entry. Integers stay integers."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from PySide6.QtCore import QPointF, QRect, QRectF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QSlider, QStyle, QStyleOptionSlider, QWidget

from viewer import theme
from viewer.translation import tr
from viewer.widgets.controls.number_entry import Entry
from viewer.widgets.controls.row import Row

PAGE_STEPS = 10
SLIDER_LEAST = 60  # pixels, like those below
KNOB = 6


class SliderRow(Row):
    """A number from `low` to `high`. The slider moves in steps, the entry may be finer; `whole` numbers are ints."""

    def __init__(
        self,
        title: str,
        *,
        low: float = 0.0,
        high: float = 1.0,
        step: float = 0.01,
        value: float | None = None,
        whole: bool = False,
        unit: str = "",
        lowest: str = "",
        help: str = "",  # noqa: A002 - the name it has in Parameter
        key: str = "",
        parent: QWidget | None = None,
    ) -> None:
        self.low, self.high, self.step, self.whole = low, high, (max(1, round(step)) if whole else step), whole
        super().__init__(title, self._typed(low if value is None else value), key=key, help=help, parent=parent)
        # In binary floating point the quotient may exceed a whole number and round up to one step too many.
        steps = (Decimal(str(high)) - Decimal(str(low))) / Decimal(str(self.step))
        self.slider = _Slider(int(steps.to_integral_value(ROUND_CEILING)), parent=self)
        self.entry = Entry(low=low, high=high, step=self.step, unit=unit, lowest=lowest, parent=self)
        self._place(self.slider, column=1)
        self._place(self.entry, column=2, name=tr("{title}, value", title=title))
        self._show(self._value)
        self.set_default(self._value)
        self.slider.sliderMoved.connect(self._dragged)
        self.slider.actionTriggered.connect(self._slider_moved)
        self.slider.settled.connect(self._settle)
        self.slider.reset_requested.connect(self.reset)
        self.entry.valueChanged.connect(self._number_typed)

    def set_value(self, value: object) -> None:
        """Show a number without emitting a signal."""
        super().set_value(self._typed(value))

    def set_default(self, value: object) -> None:
        """Set the default value, which is marked under the slider."""
        super().set_default(self._typed(value))
        self.slider.mark = self._tick(self._typed(value))
        self.slider.update()

    def set_high(self, high: float) -> None:
        """Set the largest value, such as the number of things there are."""
        self.high = high
        steps = (Decimal(str(high)) - Decimal(str(self.low))) / Decimal(str(self.step))
        with QSignalBlocker(self.slider), QSignalBlocker(self.entry):
            self.slider.setRange(0, int(steps.to_integral_value(ROUND_CEILING)))
            self.entry.setMaximum(high)

    def set_band(self, band: tuple[float, float] | None) -> None:
        """Highlight a range of the track in values, such as one standard deviation; None removes it."""
        self.slider.band = None if band is None else (self._tick(band[0]), self._tick(band[1]))
        self.slider.update()

    def entry_hint(self) -> int:
        """Return the preferred width of the entry in pixels."""
        return self.entry.sizeHint().width()

    def set_entry_width(self, width: int) -> None:
        """Give the entry a fixed width in pixels, so that several rows align."""
        self.entry.setFixedWidth(width)

    def _typed(self, value: object) -> float | int:
        if not isinstance(value, int | float):
            raise TypeError(f"A slider takes a number, not {value!r}.")
        return round(value) if self.whole else float(value)

    def _tick(self, value: float) -> int:
        return max(0, min(self.slider.maximum(), round((value - self.low) / self.step)))

    def _at(self, tick: int) -> float | int:
        return self._typed(min(float(Decimal(str(self.low)) + tick * Decimal(str(self.step))), self.high))

    def _show(self, value: object) -> None:
        number = self._typed(value)
        with QSignalBlocker(self.slider), QSignalBlocker(self.entry):
            self.slider.setValue(self._tick(number))
            self.entry.setValue(number)

    def _default_text(self) -> str:
        return self.entry.textFromValue(self._typed(self._default)) + self.entry.suffix()

    def _dragged(self, tick: int) -> None:
        value = self._at(tick)
        with QSignalBlocker(self.entry):
            self.entry.setValue(value)
        self._user(value, final=False)

    def _slider_moved(self) -> None:
        # Drags arrive through sliderMoved. Keys and the wheel come here before Qt has updated the slider's value, so
        # its position is read instead.
        if not self.slider.isSliderDown():
            self._dragged(self.slider.sliderPosition())

    def _settle(self) -> None:
        self._user(self._value, final=True)

    def _number_typed(self, number: float) -> None:
        with QSignalBlocker(self.slider):
            self.slider.setValue(self._tick(number))
        self._user(self._typed(number), final=True)


class _Slider(QSlider):
    """A slider that jumps to a click, marks the default value, and scrolls only when focused."""

    settled = Signal()
    reset_requested = Signal()

    def __init__(self, ticks: int, *, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.mark = 0
        self.band: tuple[int, int] | None = None
        self.setRange(0, ticks)
        self.setPageStep(PAGE_STEPS)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumWidth(SLIDER_LEAST)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.sliderReleased.connect(self.settled)

    def sizeHint(self) -> QSize:
        return super().sizeHint().expandedTo(QSize(0, 24))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._handle().contains(event.position().toPoint()):
            super().mousePressEvent(event)
            return
        handle = self._handle()
        offset, room = round(event.position().x()) - handle.width() // 2, self.width() - handle.width()
        self.setSliderDown(True)
        self.setSliderPosition(QStyle.sliderValueFromPosition(0, self.maximum(), offset, room))
        # A step may be wider than the handle. Press the handle's centre, or Qt would page on towards the pointer.
        middle = QPointF(self._handle().center())
        held = QMouseEvent(
            event.type(), middle, event.globalPosition(), event.button(), event.buttons(), event.modifiers()
        )
        super().mousePressEvent(held)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.reset_requested.emit()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        super().keyReleaseEvent(event)
        if not event.isAutoRepeat():
            self.settled.emit()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.settled.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not self.hasFocus():
            event.ignore()
            return
        super().wheelEvent(event)
        self.settled.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        colours, faint = theme.colours(), not self.isEnabled()
        handle, middle = self._handle(), self.height() / 2 - 1
        room, first = self.width() - handle.width(), handle.width() / 2
        now = first + QStyle.sliderPositionFromValue(0, self.maximum(), self.sliderPosition(), room)
        own = first + QStyle.sliderPositionFromValue(0, self.maximum(), self.mark, room)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.border)
        painter.drawRoundedRect(QRectF(first, middle - 2, room, 4), 2, 2)
        painter.setBrush(colours.border if faint else colours.accent)
        painter.drawRoundedRect(QRectF(first, middle - 2, now - first, 4), 2, 2)
        if self.band is not None:
            ends = [first + QStyle.sliderPositionFromValue(0, self.maximum(), end, room) for end in self.band]
            painter.setBrush(colours.warning)
            painter.drawRoundedRect(QRectF(ends[0], middle + 4, max(2, ends[1] - ends[0]), 3), 1.5, 1.5)
        painter.setBrush(colours.border if faint else colours.muted)
        if self.mark >= 0:
            painter.drawRect(QRectF(own - 1, self.height() - 4, 2, 4))
        painter.setBrush(colours.panel)
        painter.setPen(QPen(colours.border if faint else colours.accent if self.hasFocus() else colours.muted, 1.5))
        painter.drawEllipse(QPointF(now, middle), KNOB, KNOB)
        if self.hasFocus():
            painter.setBrush(colours.accent)
            painter.drawEllipse(QPointF(now, middle), KNOB / 3, KNOB / 3)

    def _handle(self) -> QRect:
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        part = QStyle.SubControl.SC_SliderHandle
        return self.style().subControlRect(QStyle.ComplexControl.CC_Slider, option, part, self)


class Timeline(_Slider):
    """A slider for a position in time, without a default value."""

    def __init__(self, ticks: int, *, parent: QWidget) -> None:
        super().__init__(ticks, parent=parent)
        self.mark = -1

    @property
    def handle_px(self) -> int:
        """Return the handle's width in pixels. Its centre stays half that width away from both ends of the slider."""
        return self._handle().width()
