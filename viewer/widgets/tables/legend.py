"""A legend: the line styles used on the picture, each with its meaning as text that can be copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from viewer import theme

GAP = 8
LINE = (26, 12)  # pixels
CASING = QColor("#16161a")


@dataclass(frozen=True)
class Stroke:
    """A line style: class id or role, dashed or not, faint or not; `about` is the name of its entry."""

    colour: int
    about: str
    dashed: bool = False
    faint: bool = False


class Legend(QWidget):
    """A line sample with text for each of the `strokes`, by name."""

    def __init__(self, strokes: Mapping[str, Stroke]) -> None:
        super().__init__()
        self._strokes = dict(strokes)
        self._lines = {name: QLabel() for name in strokes}
        self.words = {name: QLabel() for name in strokes}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GAP)
        grid.setVerticalSpacing(GAP // 2)
        grid.setColumnStretch(1, 1)
        for row, (name, stroke) in enumerate(strokes.items()):
            self.words[name].setAccessibleName(stroke.about)
            self.words[name].setWordWrap(True)
            self.words[name].setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            grid.addWidget(self._lines[name], row, 0)
            grid.addWidget(self.words[name], row, 1)
        theme.changes().connect(self._draw)
        self._draw()

    def tell(self, words: Mapping[str, str]) -> None:
        """Replace the texts beside the lines."""
        for name, text in words.items():
            self.words[name].setText(text)

    def _draw(self) -> None:
        for name, stroke in self._strokes.items():
            self._lines[name].setPixmap(_line(stroke))


def _line(stroke: Stroke) -> QPixmap:
    """Draw a sample of a box's edge as on the picture, with its dark outline."""
    width, height = LINE
    pixmap = QPixmap(width, height)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setOpacity(0.5 if stroke.faint else 1.0)
    for ink, thickness in ((CASING, 5.0), (theme.class_colour(stroke.colour), 3.0)):
        pen = QPen(ink, thickness)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        if stroke.dashed:
            pen.setDashPattern([7 / thickness, 4 / thickness])
        painter.setPen(pen)
        painter.drawLine(QPointF(0, height / 2), QPointF(width, height / 2))
    painter.end()
    return pixmap
