"""Toasts: messages in the window's corner that disappear by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QEnterEvent,
    QFontDatabase,
    QGuiApplication,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QRegion,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenuBar,
    QPlainTextEdit,
    QStatusBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from viewer import theme
from viewer.translation import tr
from viewer.widgets.controls.elided_label import UNLIMITED, ElidedLabel

Severity = Literal["info", "warning", "error", "success"]
Action = tuple[str, Callable[[], None]]

DISMISS_MS = 6_000
ERROR_DISMISS_MS = 12_000
STAY_MS = 86_400_000  # practically for ever
MOST = 4
LOG_MOST = 500
LINES = 3
WIDTH = 384  # pixels, like those below
MARGIN = 16
GAP = 8
STRIP = 4
RADIUS = 6
DETAILS_HEIGHT = 144
ICON = 20
ICONS = {"info": "info", "warning": "warning", "error": "warning", "success": "check"}
SPOKEN = {"info": tr("Message"), "warning": tr("Warning"), "error": tr("Failed"), "success": tr("Done")}


@dataclass(frozen=True)
class Message:
    """A message to the user. It replaces a visible message with the same non-empty `key`.

    `holds` says whether it still applies, as a message about the open model does until another is opened.
    """

    text: str
    details: str = ""
    severity: Severity = "info"
    key: str = ""
    action: Action | None = None
    stays: bool = False
    holds: Callable[[], bool] | None = None

    @property
    def whole(self) -> str:
        """Return the text with its details, as it is copied."""
        return f"{self.text}\n\n{self.details}" if self.details else self.text


class Toasts(QWidget):
    """The stack of toasts in the window's bottom right corner, newest on top.

    `messages` are all messages so far, oldest first, up to LOG_MOST.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.messages: list[Message] = []
        self._over = window
        self._place: QWidget | None = None
        self.spare: Callable[[], list[QRect]] = list  # what they must not cover, in the window's coordinates
        self._clear_of: list[QWidget] = []
        self._stack = QVBoxLayout(self)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self._stack.setSpacing(GAP)
        self.setAccessibleName(tr("Messages"))
        self.hide()
        window.installEventFilter(self)

    @property
    def place(self) -> QWidget | None:
        """The widget in whose corners the toasts are, the window if None."""
        return self._place

    @place.setter
    def place(self, widget: QWidget | None) -> None:
        self._place = widget
        if widget is not None:
            widget.installEventFilter(self)

    @property
    def shown(self) -> list[Toast]:
        """Return the toasts on screen, newest first."""
        items = [self._stack.itemAt(i) for i in range(self._stack.count())]
        return [toast for item in items if item is not None and isinstance(toast := item.widget(), Toast)]

    def show_message(
        self,
        text: str,
        *,
        details: str = "",
        severity: Severity = "info",
        key: str = "",
        action: Action | None = None,
        stays: bool = False,
        holds: Callable[[], bool] | None = None,
    ) -> Toast:
        """Show a message. `text` says what happened and what to do; `details` are folded away.

        A message that `stays`, or that offers an action, remains until it is dismissed or no longer `holds`.
        """
        message = Message(text, details, severity, key, action, stays, holds)
        self.messages = [*self.messages, message][-LOG_MOST:]
        shown = self.shown
        kept = [toast for toast in shown if not (key and toast.message.key == key)]
        for toast in {*shown} - {*kept[: MOST - 1]}:
            self._drop(toast)
        toast = Toast(message, parent=self)
        toast.dismissed.connect(self._dismissed)
        self._stack.insertWidget(0, toast)
        toast.show()
        self.show()
        self.raise_()
        self._arrange()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, f"{SPOKEN[severity]}: {text}"))
        return toast

    def drop_outdated(self) -> None:
        """Remove the toasts that no longer hold; keep their messages."""
        outdated = [toast for toast in self.shown if toast.message.holds is not None and not toast.message.holds()]
        for toast in outdated:
            self._drop(toast)
        if outdated:
            self._arrange()

    def keep_clear_of(self, widget: QWidget) -> None:
        """Let the toasts leave a widget uncovered, if another corner allows it, whenever it appears or moves."""
        self._clear_of.append(widget)
        widget.installEventFilter(self)

    def clear(self) -> None:
        """Remove all toasts from the screen; keep `messages`."""
        for toast in self.shown:
            self._drop(toast)
        self._arrange()

    def event(self, event: QEvent) -> bool:
        """Resize with the toasts."""
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._arrange()
        return done

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay in the corner when window or place are resized, and make way for a widget to be left uncovered."""
        moved = event.type() in (QEvent.Type.Resize, QEvent.Type.Show)
        passed = watched in self._clear_of and (moved or event.type() == QEvent.Type.Move)
        if (moved and watched in (self._over, self._place)) or (passed and self._in_the_way()):
            self._arrange()
        return super().eventFilter(watched, event)

    def _dismissed(self, toast: Toast) -> None:
        self._drop(toast)
        self._arrange()

    def _drop(self, toast: Toast) -> None:
        self._stack.removeWidget(toast)
        toast.stop()
        toast.hide()
        toast.deleteLater()

    def _arrange(self) -> None:
        self.setVisible(bool(self.shown))
        window = self._over
        bar = window.findChild(QStatusBar)
        menus = window.findChild(QMenuBar)
        top = menus.geometry().bottom() + 1 if menus is not None and menus.isVisible() else 0
        floor = window.height() - (bar.height() if bar is not None and bar.isVisible() else 0)
        width = max(1, min(WIDTH, window.width() - 2 * MARGIN))
        room = max(1, floor - MARGIN - top)
        # In a low window drop the oldest toasts, so that none covers the menus.
        while (height := self._height(width)) > room and len(self.shown) > 1:
            self._drop(self.shown[-1])
        height = min(height, room)
        self.setGeometry(self._corner(QSize(width, height), floor=floor, top=top))
        self._stack.activate()
        # Mask the gaps between toasts, so that clicks there reach the widgets underneath.
        places = QRegion()
        for toast in self.shown:
            places = places.united(QRegion(toast.geometry()))
        if not places.isEmpty():
            self.setMask(places)

    def _corner(self, size: QSize, *, floor: int, top: int) -> QRect:
        """Return the place for the toasts: the first corner, from the lower right, that covers least of what to spare.

        What `spare` returns counts more than the widgets to keep clear of.
        """
        area = QRect(0, top, self._over.width(), floor - top)
        if self.place is not None and self.place.isVisible():
            inside = QRect(self.place.mapTo(self._over, QPoint(0, 0)), self.place.size())
            if inside.width() >= size.width() + 2 * MARGIN and inside.height() >= size.height() + 2 * MARGIN:
                area = inside
        left, right = area.left() + MARGIN, area.right() + 1 - size.width() - MARGIN
        upper, lower = area.top() + MARGIN, area.bottom() + 1 - size.height() - MARGIN
        corners = [QRect(QPoint(x, y), size) for x, y in ((right, lower), (left, lower), (right, upper), (left, upper))]
        spared, clear = self.spare(), self._left_clear()

        def covered(corner: QRect) -> tuple[bool, bool]:
            return any(corner.intersects(rect) for rect in spared), any(corner.intersects(rect) for rect in clear)

        return min(corners, key=covered)

    def _in_the_way(self) -> bool:
        """Tell whether the toasts cover a widget that they are to keep clear of."""
        return self.isVisible() and any(self.geometry().intersects(place) for place in self._left_clear())

    def _left_clear(self) -> list[QRect]:
        """Return where the widgets to keep clear of are, in the window's coordinates."""
        shown = [widget for widget in self._clear_of if widget.isVisible()]
        return [QRect(widget.mapTo(self._over, QPoint(0, 0)), widget.size()) for widget in shown]

    def _height(self, width: int) -> int:
        return max(self._stack.totalHeightForWidth(width), self._stack.totalMinimumSize().height())


class Toast(QFrame):
    """One message with a timer.

    The timer stops under the pointer, with the keyboard focus, or while details are shown.
    """

    dismissed = Signal(object)

    def __init__(self, message: Message, *, parent: QWidget) -> None:
        super().__init__(parent)
        self.message = message
        self.setAccessibleName(f"{SPOKEN[message.severity]}: {message.text}")
        self.setAccessibleDescription(message.details)
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        passing_ms = ERROR_DISMISS_MS if message.severity == "error" else DISMISS_MS
        # What offers something stays until it is read.
        self._clock.setInterval(STAY_MS if message.stays or message.action else passing_ms)
        self._clock.timeout.connect(self.dismiss)
        self.icon = QLabel(self)
        self.icon.setAccessibleName(SPOKEN[message.severity])
        self.text = ElidedLabel(message.text, lines=LINES, parent=self)
        self.close_button = self._button(tr("Dismiss"), icon="close", run=self.dismiss)
        self.fold = self._button(tr("Details"), run=self._unfold)
        self.fold.setCheckable(True)
        self.copy = self._button(tr("Copy"), icon="copy", run=self._copy)
        self.details = QPlainTextEdit(message.details, self)
        self._build()
        if message.action:
            button = self._button(message.action[0], run=self._run_action)
            self._buttons.insertWidget(1, button)
        self._tint()
        theme.changes().connect(self._tint)
        self._clock.start()

    @property
    def running(self) -> bool:
        """Return whether the timer is running."""
        return self._clock.isActive()

    def dismiss(self) -> None:
        """Dismiss the toast."""
        self.stop()
        self.dismissed.emit(self)

    def stop(self) -> None:
        """Stop the timer."""
        self._clock.stop()

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.stop()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._resume()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stop the timer while a button has the focus."""
        if event.type() == QEvent.Type.FocusIn:
            self.stop()
        elif event.type() == QEvent.Type.FocusOut:
            self._resume()
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = theme.colours()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
        painter.fillPath(shape, colours.panel)
        painter.setClipPath(shape)
        strip = {"info": colours.accent}.get(self.message.severity) or getattr(colours, self.message.severity)
        painter.fillRect(0, 0, STRIP, self.height(), strip)
        painter.setClipping(False)
        painter.setPen(QPen(colours.border, 1))
        painter.drawPath(shape)

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(GAP)
        self.icon.setFixedHeight(self.close_button.sizeHint().height())  # aligns the icon with the button vertically
        top.addWidget(self.icon, alignment=Qt.AlignmentFlag.AlignTop)
        top.addWidget(self.text, 1, Qt.AlignmentFlag.AlignVCenter)
        top.addWidget(self.copy, alignment=Qt.AlignmentFlag.AlignTop)
        top.addWidget(self.close_button, alignment=Qt.AlignmentFlag.AlignTop)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(GAP)
        self._buttons.addSpacing(ICON)
        self._buttons.addWidget(self.fold)
        self._buttons.addStretch(1)
        self.details.setReadOnly(True)
        self.details.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        lines = self.message.details.count("\n") + 2
        self.details.setFixedHeight(min(DETAILS_HEIGHT, lines * self.details.fontMetrics().lineSpacing() + 2 * GAP))
        self.details.setAccessibleName(tr("Details"))
        self.details.installEventFilter(self)
        self.details.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(STRIP + GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addLayout(top)
        column.addWidget(self.details)
        column.addLayout(self._buttons)
        room = WIDTH - STRIP - 5 * GAP - ICON - 2 * self.close_button.sizeHint().width()
        self.fold.setVisible(bool(self.message.details) or self.text.elided(room))

    def _tint(self) -> None:
        self.icon.setPixmap(theme.icon(ICONS[self.message.severity]).pixmap(ICON, ICON))
        self.close_button.setIcon(theme.icon("close"))
        self.copy.setIcon(theme.icon("copy"))

    def _button(self, title: str, *, run: Callable[[], None], icon: str = "") -> QToolButton:
        button = QToolButton(self)
        button.setAutoRaise(True)
        button.setAccessibleName(title)
        button.setToolTip(title if icon else "")
        if icon:
            button.setIcon(theme.icon(icon))
        else:
            button.setText(title)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.installEventFilter(self)
        button.clicked.connect(run)
        return button

    def _resume(self) -> None:
        focus = QGuiApplication.focusObject()
        inside = isinstance(focus, QWidget) and self.isAncestorOf(focus)
        if self.isVisible() and not (self.underMouse() or inside or self.fold.isChecked()):
            self._clock.start()

    def _unfold(self) -> None:
        unfolded = self.fold.isChecked()
        self.text.set_lines(UNLIMITED if unfolded else LINES)
        self.details.setVisible(unfolded and bool(self.message.details))
        self.stop()
        self._resume()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.message.whole)

    def _run_action(self) -> None:
        self.dismiss()
        if self.message.action:
            self.message.action[1]()
