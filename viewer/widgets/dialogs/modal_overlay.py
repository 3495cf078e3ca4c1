"""A panel over a dimmed window, closed by Escape or a click beside it. A child of the window, not a window of its own:
no window system places or focuses it differently from another."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication, QFrame, QWidget
from shiboken6 import isValid

from viewer import theme

MARGIN = 24  # pixels, as are the next
RADIUS = 8
DIM = QColor(0, 0, 0, 96)


class Overlay(QWidget):
    """Covers the window and takes every key while it is open; a subclass fills `panel` and says where it lies."""

    closed = Signal()

    def __init__(self, window: QWidget, *, name: str) -> None:
        super().__init__(window)
        self._over = window
        self._before: QWidget | None = None
        self.panel = _Panel(self)
        self.panel.setAccessibleName(name)
        self.setAccessibleName(name)
        self.hide()
        window.installEventFilter(self)

    def open(self) -> None:
        """Show it, over everything, with the focus inside."""
        if not self.isVisible():
            self._before = QApplication.focusWidget()
        self._cover()
        self.show()
        self.raise_()

    def dismiss(self) -> None:
        """Hide it and give the focus back."""
        if not self.isVisible():
            return
        self.hide()
        if self._before is not None and isValid(self._before):
            self._before.setFocus()
        self._before = None
        self.closed.emit()

    def room(self) -> QRect:
        """Return the area in which the panel may lie."""
        return self.rect().adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)

    def area(self) -> QRect:
        """Return where the panel lies."""
        raise NotImplementedError

    def event(self, event: QEvent) -> bool:
        """Keep the window's shortcuts from acting behind the panel."""
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Go on covering the window when it changes its size."""
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._cover()
        return super().eventFilter(watched, event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Keep the focus inside."""
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self.panel.geometry().contains(event.position().toPoint()):
            self.dismiss()

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(event.rect(), DIM)

    def _cover(self) -> None:
        self.setGeometry(self._over.rect())
        self.panel.setGeometry(self.area())


class _Panel(QFrame):
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colours().border, 1))
        painter.setBrush(theme.colours().panel)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
