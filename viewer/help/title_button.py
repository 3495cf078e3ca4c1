"""The "?" in the title of a dock."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, QTimer
from PySide6.QtWidgets import QAbstractButton, QDockWidget, QToolButton

from viewer.translation import tr

OWN_BUTTONS = ("qt_dockwidget_floatbutton", "qt_dockwidget_closebutton")
GAP = 2


class TitleButton(QToolButton):
    """A button left of those that Qt puts into the title; above the panel where the window system draws the title."""

    def __init__(self, dock: QDockWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        self.setText("?")
        self.setAutoRaise(True)
        self.setAccessibleName(tr("Help on {panel}", panel=dock.windowTitle()))
        self.setToolTip(tr("Help on {panel} (F1)", panel=dock.windowTitle()))
        dock.installEventFilter(self)
        dock.topLevelChanged.connect(lambda: QTimer.singleShot(0, self.follow))
        self.follow()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the place when the dock is resized, shown or laid out again."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.LayoutRequest):
            self.follow()
        return super().eventFilter(watched, event)

    def follow(self) -> None:
        """Go to the place in the title."""
        own = [each for name in OWN_BUTTONS if (each := self._dock.findChild(QAbstractButton, name)) is not None]
        # The layout of the dock is only known once it was shown; its buttons tell where the title is.
        beside = [each.geometry() for each in own if not each.isHidden() and each.width() > 0]
        self.setVisible(bool(beside) or self._dock.isFloating())
        line = self.fontMetrics().height() + 2 * GAP
        above = 0 if beside or not self._dock.isFloating() else line + GAP
        if self._dock.contentsMargins().top() != above:
            self._dock.setContentsMargins(0, above, 0, 0)
        if above:
            self.setGeometry(self._dock.width() - line - GAP, GAP, line, line)
        elif beside:
            left = min(rect.left() for rect in beside)
            side = QSize(max(beside[0].height(), self.fontMetrics().height()), beside[0].height())
            self.setGeometry(QRect(QPoint(left - side.width() - GAP, beside[0].top()), side))
        self.raise_()
