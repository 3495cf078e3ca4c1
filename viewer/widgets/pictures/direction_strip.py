"""A latent direction: its name, a slider, images along it, and a button to keep or remove it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from viewer import theme
from viewer.presenters.latent_directions import Direction
from viewer.widgets.controls.slider import SliderRow
from viewer.widgets.pictures.picture_strip import Strip

GAP = 8
REACH, STEP = 5.0, 0.05
LABEL_PX = 68


class Along(QWidget):
    """A slider along a direction. `moved` emits the position and whether it is final, `picked` the image clicked.

    `button` asks to keep the direction, or to remove it if it is kept already.
    """

    moved = Signal(float, bool)
    picked = Signal(int)
    button = Signal()

    def __init__(self, direction: Direction, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.direction = direction
        name = direction.name
        self.row = SliderRow(name, low=-REACH, high=REACH, step=STEP, value=0.0, help=direction.help, key=name)
        self.row.default_title = "Where it was found"
        self.row.set_label_width(LABEL_PX)
        self.keep = QToolButton()
        self.keep.setAutoRaise(True)
        self.keep.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        words = f"Remove {name}" if direction.kept else f"Keep {name}"
        self.keep.setAccessibleName(words)
        self.keep.setToolTip(words)
        self.keep.clicked.connect(self.button)
        line, column = QHBoxLayout(), QVBoxLayout(self)
        line.setSpacing(GAP // 2)
        line.addWidget(self.row, 1)
        line.addWidget(self.keep, 0, Qt.AlignmentFlag.AlignTop)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP // 2)
        column.addLayout(line)
        self.strip: Strip | None = None
        if direction.strip is not None:
            self.strip = Strip(f"Pictures along {name}")
            self.strip.show_pictures(direction.strip)
            self.strip.picked.connect(self.picked)
            column.addWidget(self.strip)
        self.row.reported.connect(lambda _, value, final: self.moved.emit(float(value), final))
        self._dress()
        theme.changes().connect(self._dress)

    def show_at(self, value: float, found: float | None) -> None:
        """Show the position of the current code, and the position `found` at which the direction was computed."""
        self.row.set_value(min(max(value, -REACH), REACH))
        if found is not None:
            self.row.set_default(min(max(found, -REACH), REACH))

    def _dress(self) -> None:
        self.keep.setIcon(theme.icon("close" if self.direction.kept else "save"))
