"""Pictures side by side, of which one is chosen by a click or from the keyboard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QToolButton, QWidget

from models.types import Pixels
from viewer.presenters.translation import Choice

GAP = 4
SIDE_PX = 70
COLUMNS = 3


class PictureChoice(QWidget):
    """Buttons with pictures, the one taken now pressed; `picked` emits the place of another that was pressed."""

    picked = Signal(int)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.buttons: list[QToolButton] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(GAP)

    def show_choices(self, choices: Sequence[Choice]) -> None:
        """Show pictures; buttons are kept, so that the one with the focus keeps it."""
        while len(self.buttons) > len(choices):
            button = self.buttons.pop()
            self._grid.removeWidget(button)
            button.hide()
            button.deleteLater()
        while len(self.buttons) < len(choices):
            self._add()
        for button, choice in zip(self.buttons, choices, strict=True):
            button.setIcon(QIcon(_picture(choice.pixels, self.devicePixelRatioF())))
            button.setText(choice.caption)
            button.setToolTip(choice.told)
            button.setAccessibleName(f"{self.accessibleName()}: {choice.caption.replace(chr(10), ', ')}")
            button.setAccessibleDescription(choice.told)
            button.setChecked(choice.own)

    def _add(self) -> None:
        at = len(self.buttons)
        button = QToolButton()
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(QSize(SIDE_PX, SIDE_PX))
        button.setCheckable(True)
        button.setProperty("small", True)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda: self._pressed(at))
        self._grid.addWidget(button, *divmod(at, COLUMNS))
        self.buttons.append(button)

    def _pressed(self, at: int) -> None:
        self.buttons[at].setChecked(True)  # only an answer presses another one out
        self.picked.emit(at)


def _picture(pixels: Pixels, ratio: float) -> QPixmap:
    """Return pixels as large as a button's picture, square pixels kept visible in small ones."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    side = round(SIDE_PX * ratio)
    how = Qt.TransformationMode.FastTransformation if max(height, width) < side else SMOOTH
    made = QPixmap.fromImage(image).scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio, how)
    made.setDevicePixelRatio(ratio)
    return made


SMOOTH = Qt.TransformationMode.SmoothTransformation
