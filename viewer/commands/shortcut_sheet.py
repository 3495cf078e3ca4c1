"""A sheet with all keys and gestures, built from the command table."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from viewer import theme
from viewer.commands.command import MENU_TITLES, MENUS, Commands
from viewer.translation import tr
from viewer.widgets.dialogs.modal_overlay import Overlay

Line = tuple[str, tuple[str, ...]]
Group = tuple[str, list[Line]]

WIDTH = 800  # pixels, like the following
TWO_COLUMNS = 640
GAP = 8
WIDE = 24
GESTURES_TITLE = tr("On the picture")
OTHER_TITLE = tr("Anywhere")


class ShortcutSheet(Overlay):
    """The sheet over the window. `gestures` are (keys, text) pairs for gestures that are not commands."""

    def __init__(self, commands: Commands, window: QWidget, *, gestures: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(window, name=tr("Keyboard shortcuts"))
        self._commands, self._gestures = commands, tuple(gestures)
        title = QLabel(tr("Keyboard shortcuts"), self.panel)
        font = title.font()
        font.setBold(True)
        title.setFont(font)
        self.sheet = QScrollArea(self.panel)
        self.sheet.setAccessibleName(tr("Keyboard shortcuts"))
        self.sheet.setFrameShape(QFrame.Shape.NoFrame)
        self.sheet.setWidgetResizable(True)
        self.sheet.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.sheet.viewport().setAutoFillBackground(False)
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(WIDE, 2 * GAP, WIDE, 2 * GAP)
        column.setSpacing(2 * GAP)
        column.addWidget(title)
        column.addWidget(self.sheet, 1)

    @property
    def groups(self) -> list[Group]:
        """The lines by menu, in the order of the menus, then those without a menu, then the gestures."""
        found: dict[str, list[Line]] = {title: [] for title in (*MENUS, OTHER_TITLE)}
        for command in self._commands:
            if command.keys:
                found[command.menu.split("/")[0] or OTHER_TITLE].append((command.title.removesuffix("…"), command.keys))
        found[GESTURES_TITLE] = [(text, (keys,)) for keys, text in self._gestures]
        return [(MENU_TITLES.get(title, title), lines) for title, lines in found.items() if lines]

    def open(self) -> None:
        """Read the table and show the sheet."""
        super().open()
        self.sheet.setFocus()

    def area(self) -> QRect:
        """The area in the middle of the window, as high as the sheet needs and the window allows."""
        room = self.room()
        width = min(WIDTH, room.width())
        content = _sheet(self.groups, columns=2 if width >= TWO_COLUMNS else 1)
        self.sheet.setWidget(content)
        content.setAutoFillBackground(False)  # setWidget turned it on
        height = min(room.height(), content.sizeHint().height() + 6 * GAP + self.fontMetrics().lineSpacing() + 2)
        return QRect(room.center().x() - width // 2, room.center().y() - height // 2, width, height)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.text() == "?":
            self.dismiss()
        else:
            super().keyPressEvent(event)


class _Key(QLabel):
    """A key, drawn like one on a keyboard."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumWidth(24)

    def sizeHint(self) -> QSize:
        return super().sizeHint() + QSize(12, 6)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colours().border, 1))
        painter.setBrush(theme.colours().window)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        painter.end()
        super().paintEvent(event)


def _sheet(groups: Sequence[Group], *, columns: int) -> QWidget:
    sheet = QWidget()
    across = QHBoxLayout(sheet)
    across.setContentsMargins(0, 0, GAP, 0)
    across.setSpacing(2 * WIDE)
    for part in _split(groups, columns=columns):
        column = QVBoxLayout()
        column.setSpacing(2 * GAP)
        for title, lines in part:
            column.addLayout(_group(title, lines))
        column.addStretch(1)
        across.addLayout(column, 1)
    return sheet


def _split(groups: Sequence[Group], *, columns: int) -> list[Sequence[Group]]:
    """Split the groups into two columns of nearly equal height."""
    if columns == 1 or len(groups) < 2:
        return [groups]
    heights = [len(lines) + 2 for _, lines in groups]
    cut = min(range(1, len(groups)), key=lambda n: abs(sum(heights[:n]) - sum(heights[n:])))
    return [groups[:cut], groups[cut:]]


def _group(title: str, lines: Sequence[Line]) -> QGridLayout:
    grid = QGridLayout()
    grid.setVerticalSpacing(GAP // 2)
    grid.setColumnStretch(0, 1)
    head = QLabel(title)
    head.setForegroundRole(QPalette.ColorRole.PlaceholderText)
    grid.addWidget(head, 0, 0, 1, 2)
    for row, (text, keys) in enumerate(lines, 1):
        label = QLabel(text)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        grid.addWidget(label, row, 0)
        caps = QHBoxLayout()
        caps.setSpacing(GAP // 2)
        for key in keys:
            caps.addWidget(_Key(key))
        grid.addLayout(caps, row, 1, Qt.AlignmentFlag.AlignRight)
    return grid
