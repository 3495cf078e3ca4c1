"""The small drawing of a panel's help, in the colours of the theme."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QWidget

from viewer import theme

FOLDER = theme.ICONS.parent / "help"
SIZE_PX = (240, 96)


def path(name: str) -> Path:
    """Return the file of a panel's drawing."""
    return FOLDER / f"{name}.svg"


class Drawing(QWidget):
    """A drawing by the name of its file in assets/help, which is in the colours of the dark theme."""

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = ""
        self._renderer = QSvgRenderer(self)
        self.setFixedHeight(SIZE_PX[1])
        theme.changes().connect(self._dress)

    @property
    def valid(self) -> bool:
        """Whether there is a drawing that could be read."""
        return self._renderer.isValid()

    def show_drawing(self, name: str, *, spoken: str) -> None:
        """Show the drawing of a panel; `spoken` is said of it to those who do not see it."""
        self._name = name
        self.setAccessibleName(spoken)
        self._dress()

    def sizeHint(self) -> QSize:
        return QSize(*SIZE_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        size = self._renderer.defaultSize().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        area = QRectF((self.width() - size.width()) / 2, 0, size.width(), size.height())
        self._renderer.render(painter, area)

    def _dress(self) -> None:
        if not self._name or not path(self._name).is_file():
            return
        drawing, now, drawn = path(self._name).read_text(encoding="utf-8"), theme.colours(), theme.DARK
        drawing = drawing.replace("currentColor", now.text.name())
        for role in ("muted", "accent", "warning", "error", "success"):
            drawing = drawing.replace(getattr(drawn, role).name(), getattr(now, role).name())
        self._renderer.load(QByteArray(drawing.encode()))
        self.update()
