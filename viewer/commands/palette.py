"""The command palette: find a command by a few letters and run it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from viewer import theme
from viewer.commands.command import Command, Commands
from viewer.widgets.dialogs.modal_overlay import Overlay

START = 8
NEIGHBOUR = 10
MATCH = 1
JUMP = 3
EXACT = 5

WIDTH = 560  # pixels, like the following
TOP = 64
ROW = 32
GAP = 8
ROWS_MOST = 12
ROWS_PAGE = 10
MENU_LOSS = 1000.0  # matches that need the menu's name ("edit", "file open") rank below others
NOT_NOW = "Not available now"
NONE_FOUND = "No command matches"


@dataclass(frozen=True)
class _Hit:
    command: Command
    available: bool
    score: float = 0.0
    places: tuple[int, ...] = ()


class CommandPalette(Overlay):
    """An input line and the matching commands, best first."""

    def __init__(self, commands: Commands, window: QWidget) -> None:
        super().__init__(window, name="Command palette")
        self._commands = commands
        self._all: list[_Hit] = []
        self.search = QLineEdit(self.panel)
        self.search.setPlaceholderText("Type what you want to do")
        self.search.setAccessibleName("Search commands")
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumHeight(ROW)
        for button in self.search.findChildren(QToolButton):
            button.setAccessibleName("Clear")
        self.list = QListWidget(self.panel)
        self.list.setAccessibleName("Commands")
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setItemDelegate(_Line(self.list))
        self.list.viewport().setAutoFillBackground(False)
        self.none = QLabel(self.panel)
        self.none.setTextFormat(Qt.TextFormat.PlainText)
        self.none.setContentsMargins(GAP, GAP, GAP, GAP)
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.search)
        column.addWidget(self.none)
        column.addWidget(self.list, 1)
        self.search.textChanged.connect(self._filter)
        self.search.returnPressed.connect(self.run_current)
        self.list.itemClicked.connect(self.run_current)

    @property
    def matches(self) -> list[Command]:
        """The commands in the list, best first."""
        return [self._hit(row).command for row in range(self.list.count())]

    def open(self) -> None:
        """Show every command and take the keyboard focus."""
        self._all = [_Hit(command, command.available) for command in self._commands.flat()]
        self.search.clear()
        self._filter("")
        super().open()
        self.search.setFocus()

    def run_current(self) -> None:
        """Close and run the chosen command; stay open if it is not available."""
        if self.list.currentRow() >= 0 and (hit := self._hit(self.list.currentRow())).available:
            self.dismiss()
            self._commands.run(hit.command)

    def area(self) -> QRect:
        """The area below the top of the window, as high as the list needs."""
        room = self.room()
        width = min(WIDTH, room.width())
        rows = min(max(self.list.count(), 1), ROWS_MOST)
        height = ROW + 3 * GAP + rows * ROW + 2
        top = min(TOP, max(room.top(), room.bottom() - height))
        return QRect(room.left() + (room.width() - width) // 2, top, width, min(height, room.bottom() - top))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_PageUp: -ROWS_PAGE,
            Qt.Key.Key_PageDown: ROWS_PAGE,
        }
        if (step := steps.get(Qt.Key(event.key()))) and self.list.count():
            self.list.setCurrentRow(max(0, min(self.list.count() - 1, self.list.currentRow() + step)))
        else:
            super().keyPressEvent(event)

    def _hit(self, row: int) -> _Hit:
        return self.list.item(row).data(Qt.ItemDataRole.UserRole)

    def _filter(self, text: str) -> None:
        hits = [hit for each in self._all if (hit := _find(text, each)) is not None]
        hits.sort(key=lambda hit: (-hit.score, not hit.available))
        self.list.clear()
        for hit in hits:
            item = QListWidgetItem(hit.command.title, self.list)
            item.setData(Qt.ItemDataRole.UserRole, hit)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, _spoken(hit))
            item.setToolTip(hit.command.help)
        self.list.setCurrentRow(0)
        self.none.setText(f"{NONE_FOUND} “{text.strip()}”")
        self.none.setVisible(not hits)
        self.list.setVisible(bool(hits))
        self.panel.setGeometry(self.area())


class _Line(QStyledItemDelegate):
    """One command: its title with the matching letters in bold, its menu, and its keys or why it cannot run."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(0, ROW)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        hit: _Hit = index.data(Qt.ItemDataRole.UserRole)
        colours = theme.colours()
        rect, state, font = QRect(option.rect), option.state, QFont(option.font)  # pyright: ignore[reportAttributeAccessIssue]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            back = QColor(colours.accent)
            back.setAlphaF(0.22 if state & QStyle.StateFlag.State_Selected else 0.1)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(back)
            painter.drawRoundedRect(rect, 4, 4)
        rect.adjust(GAP, 0, -GAP, 0)
        painter.setFont(font)
        painter.setPen(colours.muted)
        note = "   ".join(hit.command.keys) if hit.available else NOT_NOW
        painter.drawText(rect, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, note)
        rect.setRight(rect.right() - QFontMetrics(font).horizontalAdvance(note) - 2 * GAP)
        painter.setPen(colours.text if hit.available else colours.muted)
        rect.setLeft(_title(painter, rect, font, hit) + 2 * GAP)
        painter.setFont(font)
        painter.setPen(colours.muted)
        menu = hit.command.menu.replace("/", " › ")
        if rect.width() >= painter.fontMetrics().horizontalAdvance(menu):
            painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter, menu)
        painter.restore()


def _title(painter: QPainter, rect: QRect, font: QFont, hit: _Hit) -> int:
    """Paint the title, elided at its end if necessary, and return the x where it ends."""
    title, x = hit.command.title, rect.left()
    bold = QFont(font)
    bold.setBold(True)
    room = rect.width() - QFontMetrics(bold).horizontalAdvance("…")
    for place, letter in enumerate(title):
        painter.setFont(bold if place in hit.places else font)
        width = painter.fontMetrics().horizontalAdvance(letter)
        if x + width - rect.left() > room and place + 1 < len(title):
            painter.drawText(QRect(x, rect.top(), room, rect.height()), Qt.AlignmentFlag.AlignVCenter, "…")
            return x + painter.fontMetrics().horizontalAdvance("…")
        painter.drawText(QRect(x, rect.top(), width + 8, rect.height()), Qt.AlignmentFlag.AlignVCenter, letter)
        x += width
    return x


def _find(text: str, hit: _Hit) -> _Hit | None:
    command = hit.command
    if (found := match(text, command.title)) is not None:
        return _Hit(command, hit.available, found.score, found.places)
    first, _, rest = text.strip().lower().partition(" ")
    if any(part.startswith(first) for part in command.menu.lower().split("/")) and (
        found := match(rest, command.title)
    ):
        return _Hit(command, hit.available, found.score - MENU_LOSS, found.places)
    return None


def _spoken(hit: _Hit) -> str:
    note = ", ".join(hit.command.keys) if hit.available else NOT_NOW
    return f"{hit.command.title}, {note}" if note else hit.command.title


@dataclass(frozen=True)
class Match:
    """A match's score, higher is better, and the indices of the matched characters."""

    score: float
    places: tuple[int, ...]


def match(query: str, text: str) -> Match | None:
    """Match the letters of `query` in order anywhere in `text`, ignoring case and blanks; return None without a match.

    Of all alignments the best-scoring one counts. Consecutive letters, starts of words and a complete match score
    higher; jumps lower the score. An empty query matches with score 0.
    """
    wanted, folded = "".join(query.split()).lower(), text.lower()
    if not wanted:
        return Match(0.0, ())
    if len(folded) != len(text):
        folded = text  # some letters lower-case to two letters, and `places` must index `text`
    # Dynamic programming: the best match of the letters so far, by the place of its last letter.
    previous: dict[int, tuple[float, tuple[int, ...]]] = {-1: (0.0, ())}
    for letter in wanted:
        current: dict[int, tuple[float, tuple[int, ...]]] = {}
        best: tuple[float, tuple[int, ...]] | None = None  # the best among matches that end at least two places back
        for place, found in enumerate(folded):
            if (older := previous.get(place - 2)) is not None and (best is None or older[0] > best[0]):
                best = older
            if found != letter:
                continue
            ways = []
            if (near := previous.get(place - 1)) is not None:
                ways.append((near[0] + (NEIGHBOUR if place else 0), near[1]))
            if best is not None:
                ways.append((best[0] - JUMP, best[1]))
            if ways:
                score, places = max(ways)
                begins = place == 0 or not folded[place - 1].isalnum()
                current[place] = (score + MATCH + (START if begins else 0), (*places, place))
        previous = current
    if not previous:
        return None
    score, places = max(previous.values())
    exact = len(places) == sum(not letter.isspace() for letter in text)
    return Match(score + (EXACT if exact else 0), places)
