"""Pictures side by side, of which one is chosen by a click or from the keyboard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QIcon, QImage, QPixmap, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QToolButton, QWidget

from models.types import Pixels
from viewer.presenters.translation import Choice

GAP = 4
SIDE_PX = 70
EDGE_PX = 6  # beside the text of a button
COLUMNS = 3


class PictureButton(QToolButton):
    """A picture with a caption below it, which wraps at the button's width and never widens it."""

    def __init__(self) -> None:
        super().__init__()
        self._caption = ""
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        self.setIconSize(QSize(SIDE_PX, SIDE_PX))
        self.setCheckable(True)
        self.setProperty("small", True)
        self.setMinimumWidth(SIDE_PX + 2 * EDGE_PX)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def set_caption(self, text: str) -> None:
        """Show a text of one or more lines below the picture."""
        self._caption = text
        self._wrap()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._wrap()

    def _wrap(self) -> None:
        text = wrapped(self._caption, self.fontMetrics(), self.width() - 2 * EDGE_PX)
        if text != self.text():
            self.setText(text)


def wrapped(text: str, metrics: QFontMetrics, width: int) -> str:
    """Return a text with line breaks between words where it gets wider than `width` px; longer words are elided."""
    lines = []
    for line in text.split("\n"):
        now = ""
        for word in line.split(" "):
            longer = f"{now} {word}" if now else word
            if now and metrics.horizontalAdvance(longer) > width:
                lines.append(now)
                longer = word
            now = longer
        lines.append(now)
    return "\n".join(metrics.elidedText(line, Qt.TextElideMode.ElideRight, max(width, SIDE_PX)) for line in lines)


class PictureChoice(QWidget):
    """Buttons with pictures, the one taken now pressed; `picked` emits the place of another that was pressed."""

    picked = Signal(int)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.buttons: list[PictureButton] = []
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
            button.set_caption(choice.caption)
            button.setToolTip(choice.told)
            button.setAccessibleName(f"{self.accessibleName()}: {choice.caption.replace(chr(10), ', ')}")
            button.setAccessibleDescription(choice.told)
            button.setChecked(choice.own)

    def _add(self) -> None:
        at = len(self.buttons)
        button = PictureButton()
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
