"""A legend: how lines on the picture are drawn, and in words what each means. The words can be copied."""

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
    """A line as the picture has it: a class id or a role, dashed or not, faint or not; `about` names its entry."""

    colour: int
    about: str
    dashed: bool = False
    faint: bool = False


class Legend(QWidget):
    """One line with words for each of some `strokes`, by name."""

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
        """Say something else beside the lines."""
        for name, text in words.items():
            self.words[name].setText(text)

    def _draw(self) -> None:
        for name, stroke in self._strokes.items():
            self._lines[name].setPixmap(_line(stroke))


def _line(stroke: Stroke) -> QPixmap:
    """Draw what a box's side looks like on the picture, dark casing included."""
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
