"""A modal panel over a dimmed window, closed by Escape or by a click beside it.

It is a child widget instead of a top-level window, so that placement and focus do not depend on the window system.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication, QFrame, QWidget
from shiboken6 import isValid

from viewer import theme

MARGIN = 24  # pixels, like those below
RADIUS = 8
DIM = QColor(0, 0, 0, 96)


class Overlay(QWidget):
    """Covers the window and receives every key while it is open. Subclasses fill `panel` and place it in `area`.

    `order` are the controls that Tab goes through.
    """

    closed = Signal()

    def __init__(self, window: QWidget, *, name: str) -> None:
        super().__init__(window)
        self._over = window
        self._before: QWidget | None = None
        self.order: Sequence[QWidget] = ()
        self.panel = _Panel(self)
        self.panel.setAccessibleName(name)
        self.setAccessibleName(name)
        self.hide()
        window.installEventFilter(self)

    def open(self) -> None:
        """Show the overlay above everything else and move the focus into it."""
        if not self.isVisible():
            self._before = QApplication.focusWidget()
        self._resize_panel()
        self.show()
        self.raise_()

    def dismiss(self) -> None:
        """Hide the overlay and restore the focus."""
        if not self.isVisible():
            return
        self.hide()
        # The widget may have been deleted while the overlay was open.
        if self._before is not None and isValid(self._before):
            self._before.setFocus()
        self._before = None
        self.closed.emit()

    def room(self) -> QRect:
        """Return the rectangle available for the panel."""
        return self.rect().adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)

    def area(self) -> QRect:
        """Return the rectangle of the panel."""
        raise NotImplementedError

    def event(self, event: QEvent) -> bool:
        """Keep the window's shortcuts from acting behind the panel, but for F1, which explains words in it too."""
        help_wanted = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_F1
        if event.type() == QEvent.Type.ShortcutOverride and not help_wanted:
            event.accept()
            return True
        return super().event(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Resize with the window."""
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._resize_panel()
        return super().eventFilter(watched, event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Keep the keyboard focus inside the panel: cycle through the controls in `order` that are visible."""
        stops = [widget for widget in self.order if widget.isVisible() and widget.isEnabled()]
        if not stops:  # none are visible while the overlay is being hidden
            return True
        now = next((number for number, widget in enumerate(stops) if widget.hasFocus()), -1)
        reason = Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason
        stops[(now + (1 if forward else -1)) % len(stops)].setFocus(reason)
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self.panel.geometry().contains(event.position().toPoint()):
            self.dismiss()

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(event.rect(), DIM)

    def _resize_panel(self) -> None:
        self.setGeometry(self._over.rect())
        self.panel.setGeometry(self.area())


class _Panel(QFrame):
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colours().border, 1))
        painter.setBrush(theme.colours().panel)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
