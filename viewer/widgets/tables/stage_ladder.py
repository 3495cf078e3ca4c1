"""The stages of a model one below the other, each with a status mark and its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from viewer import theme
from viewer.translation import tr

GAP = 8
MARK_PX, FONT_PX = 15, 12
MARKS = {"passed": "check", "stopped": "close", "noted": "info", "unreached": "skipped"}
SPOKEN = {"passed": "passed", "stopped": tr("lost here"), "noted": tr("a note"), "unreached": tr("not reached")}
Rung = Mapping[str, str]


class Ladder(QWidget):
    """Rows with `title`, `state` (passed, stopped, noted or unreached) and `text`, which can be copied."""

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, GAP, 0)
        self._grid.setHorizontalSpacing(GAP)
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(2, 1)
        self._labels: list[tuple[QLabel, QLabel, QLabel]] = []
        self._rows: tuple[Rung, ...] = ()
        theme.changes().connect(self._show)

    @property
    def rows(self) -> tuple[Rung, ...]:
        """Return the rows shown."""
        return self._rows

    def set_rows(self, rows: Sequence[Rung]) -> None:
        """Replace the rows."""
        self._rows = tuple(rows)
        while len(self._labels) < len(rows):
            self._add()
        for at, labels in enumerate(self._labels):
            for label in labels:
                label.setVisible(at < len(rows))
        self._show()

    def _add(self) -> None:
        row = len(self._labels)
        labels = QLabel(), QLabel(), QLabel()
        labels[0].setFixedWidth(MARK_PX)
        for column, label in enumerate(labels):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setAlignment(Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(label, row, column)
        for label in labels[1:]:
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        labels[2].setWordWrap(True)
        self._labels.append(labels)
        self._grid.setRowStretch(row, 0)
        self._grid.setRowStretch(row + 1, 1)

    def _show(self) -> None:
        now, role = theme.colours(), QPalette.ColorRole
        inks = {"passed": now.success, "stopped": now.error, "noted": now.warning, "unreached": now.muted}
        for (mark, title, text), rung in zip(self._labels, self._rows, strict=False):
            state = rung["state"]
            mark.setPixmap(theme.tinted(MARKS[state], inks[state], size=MARK_PX))
            mark.setAccessibleName(f"{rung['title']}: {SPOKEN[state]}")
            mark.setToolTip(SPOKEN[state].capitalize())
            font = self.font()
            font.setPixelSize(FONT_PX)
            font.setBold(state == "stopped")
            for label, words in ((title, rung["title"]), (text, rung["text"])):
                label.setText(words)
                label.setFont(font)
                label.setForegroundRole(role.PlaceholderText if state == "unreached" else role.WindowText)
