"""A plain-text label that elides text that does not fit and shows the whole text as a tooltip."""

from __future__ import annotations

from PySide6 import QtGui
from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QResizeEvent, QTextLayout, QTextOption
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

UNLIMITED = 10_000


class ElidedLabel(QLabel):
    """Plain text on at most `lines` lines; `mode` is where a single line is elided."""

    def __init__(
        self,
        text: str = "",
        *,
        lines: int = 1,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        role: QPalette.ColorRole = QPalette.ColorRole.WindowText,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._lines, self._mode, self._role, self._tip = lines, mode, role, ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        vertical = QSizePolicy.Policy.Fixed if lines == 1 else QSizePolicy.Policy.Preferred
        self.setSizePolicy(QSizePolicy.Policy.Preferred, vertical)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Set the text, which is also the accessible name."""
        super().setText(text)
        self.setAccessibleName(text)
        self._update_tooltip()
        self.updateGeometry()

    def setToolTip(self, text: str) -> None:
        """Set the tooltip used while the text fits; elided text is its own tooltip."""
        self._tip = text
        self._update_tooltip()

    def set_lines(self, lines: int) -> None:
        """Set the maximum number of lines."""
        self._lines = lines
        self._update_tooltip()
        self.updateGeometry()
        self.update()

    def shown(self, width: int) -> list[str]:
        """Return the lines as painted in `width` pixels, the last one elided if the text continues."""
        metrics = self.fontMetrics()
        if self._lines == 1:
            return [metrics.elidedText(self.text().replace("\n", " "), self._mode, width)]
        lines: list[str] = []
        paragraphs = self.text().split("\n")
        for number, paragraph in enumerate(paragraphs):
            for start, end in self._wrapped(paragraph, width):
                if len(lines) + 1 == self._lines:
                    rest = paragraph[start:] + ("…" if number + 1 < len(paragraphs) else "")
                    return [*lines, metrics.elidedText(rest, Qt.TextElideMode.ElideRight, width)]
                lines.append(paragraph[start:end].rstrip())
        return lines

    def elided(self, width: int) -> bool:
        """Return whether the text is cut at a width of `width` pixels."""
        return "".join("".join(self.shown(width)).split()) != "".join(self.text().split())

    def hasHeightForWidth(self) -> bool:
        return self._lines > 1

    def heightForWidth(self, width: int) -> int:
        return self.fontMetrics().lineSpacing() * len(self.shown(width)) if self._lines > 1 else -1

    def sizeHint(self) -> QSize:
        width = min(self.fontMetrics().horizontalAdvance(self.text()) + 2, UNLIMITED)
        return QSize(width, self.fontMetrics().lineSpacing() + (2 if self._lines == 1 else 0))

    def minimumSizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance("x…"), self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self._role))
        lines = self.shown(self.width())
        height = self.fontMetrics().lineSpacing()
        top = 0 if self._lines > 1 else (self.height() - height) // 2
        for number, line in enumerate(lines):
            painter.drawText(0, top + number * height, self.width(), height, self.alignment(), line)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._update_tooltip()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._update_tooltip()

    def _update_tooltip(self) -> None:
        super().setToolTip(plain(self.text() if self.elided(self.width()) else self._tip))

    def _wrapped(self, paragraph: str, width: int) -> list[tuple[int, int]]:
        if not paragraph:
            return [(0, 0)]
        layout = QTextLayout(paragraph, self.font())
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        spans = []
        layout.beginLayout()
        while (line := layout.createLine()).isValid():
            line.setLineWidth(max(width, 1))
            spans.append((line.textStart(), line.textStart() + line.textLength()))
        layout.endLayout()
        return spans


def plain(text: str) -> str:
    """Return text that a tooltip shows literally, even if a file's name contains `<img src=…>`."""
    return QtGui.Qt.convertFromPlainText(text) if QtGui.Qt.mightBeRichText(text) else text
