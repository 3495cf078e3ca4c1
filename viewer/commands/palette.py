"""The command palette: find a command, a setting or help by a few letters, and run or open it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
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
from viewer.commands.command import Command, Commands, menu_titles
from viewer.commands.search import Hit, ranked
from viewer.translation import tr
from viewer.widgets.controls.elided_label import plain
from viewer.widgets.dialogs.modal_overlay import Overlay

WIDTH = 560  # pixels, like the following
TOP = 64
ROW = 32
GAP = 8
ROWS_MOST = 12
ROWS_PAGE = 10
NOT_NOW = tr("Not available now")
NONE_FOUND = tr("No command matches")


class CommandPalette(Overlay):
    """An input line and the matching commands, best first.

    `more` returns further entries that are searched when something is typed, such as settings and words; `typed` is
    emitted at each change of the text, and `put` brings in entries that were found since.
    """

    typed = Signal()

    def __init__(
        self, commands: Commands, window: QWidget, *, more: Callable[[], Iterable[Command]] = lambda: ()
    ) -> None:
        super().__init__(window, name=tr("Command palette"))
        self._commands, self._more = commands, more
        self._all: list[Hit] = []
        self._others: list[Hit] | None = None
        self.search = QLineEdit(self.panel)
        self.search.setPlaceholderText(tr("Type what you want to do"))
        self.search.setAccessibleName(tr("Search commands, settings and help"))
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumHeight(ROW)
        for button in self.search.findChildren(QToolButton):
            button.setAccessibleName(tr("Clear"))
        self.list = QListWidget(self.panel)
        self.list.setAccessibleName(tr("Commands"))
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
        self._all = [Hit(command, command.available) for command in self._commands.flat()]
        self._others = None
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

    def _hit(self, row: int) -> Hit:
        return self.list.item(row).data(Qt.ItemDataRole.UserRole)

    def put(self, more: Iterable[Command]) -> None:
        """Replace the further entries, and keep what is chosen."""
        if not self.isVisible():
            return
        row = self.list.currentRow()
        chosen = self._hit(row).command.id if row > 0 else ""
        self._others = [Hit(command, command.available) for command in more]
        self._filter(self.search.text())
        ids = [command.id for command in self.matches]
        if chosen in ids:
            self.list.setCurrentRow(ids.index(chosen))

    def _filter(self, text: str) -> None:
        if text.strip() and self._others is None:
            self._others = [Hit(command, command.available) for command in self._more()]
        if text.strip():
            self.typed.emit()
        hits = ranked(text, [*self._all, *(self._others or ())] if text.strip() else self._all)
        self.list.clear()
        for hit in hits:
            item = QListWidgetItem(hit.command.title, self.list)
            item.setData(Qt.ItemDataRole.UserRole, hit)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, _spoken(hit))
            item.setToolTip(plain(hit.command.help))
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
        hit: Hit = index.data(Qt.ItemDataRole.UserRole)
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
        menu = " › ".join(menu_titles(hit.command))
        if rect.width() >= painter.fontMetrics().horizontalAdvance(menu):
            painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter, menu)
        painter.restore()


def _title(painter: QPainter, rect: QRect, font: QFont, hit: Hit) -> int:
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


def _spoken(hit: Hit) -> str:
    note = ", ".join(hit.command.keys) if hit.available else NOT_NOW
    return f"{hit.command.title}, {note}" if note else hit.command.title
