"""A button that opens a list of check boxes, optionally with a line to add an entry."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QCompleter,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)

GAP = 8
WIDE_PX, HIGH_PX = 264, 208
SHOWN_MOST = 3
ROOM_PX = 28
ROLE = Qt.ItemDataRole.UserRole


class Picker(QToolButton):
    """Emits `picked` with the checked ids in list order, and `added` with a typed text."""

    picked = Signal(tuple)
    added = Signal(str)

    def __init__(self, name: str, *, add: str = "") -> None:
        super().__init__()
        self.name = self._text = self._short = name
        self.setAccessibleName(name)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.list = _Ticks()
        self.list.setAccessibleName(name)
        self.list.itemChanged.connect(self._changed)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP // 2)
        column.addWidget(self.list)
        self.entry: QLineEdit | None = None
        if add:
            self.entry = QLineEdit()
            self.entry.setAccessibleName(add)
            self.entry.setPlaceholderText(add)
            self.entry.returnPressed.connect(self._add)
            column.addWidget(self.entry)
        inside.setFixedSize(WIDE_PX, HIGH_PX)
        action = QWidgetAction(self)
        action.setDefaultWidget(inside)
        menu = QMenu(self)
        menu.setAccessibleName(name)
        menu.addAction(action)
        menu.aboutToShow.connect(self.list.setFocus)
        self.setMenu(menu)

    @property
    def ticked(self) -> tuple[str, ...]:
        """Return the checked ids, in list order."""
        items = (self.list.item(row) for row in range(self.list.count()))
        return tuple(str(item.data(ROLE)) for item in items if item.checkState() == Qt.CheckState.Checked)

    def offer(self, rows: Sequence[tuple[str, str, str]], ticked: Sequence[str]) -> None:
        """Replace the rows (id, title, reason why it cannot be chosen or ""), and check those in `ticked`.

        The part of a title after a tab is shown in the list but not on the button.
        """
        with QSignalBlocker(self.list):
            focus = self.list.currentRow()
            self.list.clear()
            for name, title, reason in rows:
                item = QListWidgetItem(title.replace("\t", "   "))
                item.setData(ROLE, name)
                item.setToolTip(reason or title.replace("\t", " "))
                item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsSelectable | _enabled(not reason))
                item.setCheckState(Qt.CheckState.Checked if name in ticked else Qt.CheckState.Unchecked)
                self.list.addItem(item)
            self.list.setCurrentRow(max(0, min(focus, self.list.count() - 1)))
        titles = [title.partition("\t")[0] for name, title, _ in rows if name in ticked]
        rest = f" +{len(titles) - SHOWN_MOST}" if len(titles) > SHOWN_MOST else ""
        text = f"{self.name}: {', '.join(titles[:SHOWN_MOST])}{rest}" if titles else self.name
        self.tell(text, short=f"{self.name} ({len(titles)})" if titles else self.name)
        self.setToolTip(", ".join(titles))

    def tell(self, text: str, *, short: str) -> None:
        """Set the button's text, and the short form used if that does not fit."""
        self._text, self._short = text, short
        self.updateGeometry()
        self._cut()

    def sizeHint(self) -> QSize:
        """Return room for the full text, or for the short form if the full text is too wide."""
        text = self._text if self.fontMetrics().horizontalAdvance(self._text) <= WIDE_PX else self._short
        return QSize(self.fontMetrics().horizontalAdvance(text) + ROOM_PX, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        """Return room for the short form."""
        return QSize(self.fontMetrics().horizontalAdvance(self._short) + ROOM_PX, super().sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Choose between full and short text again."""
        super().resizeEvent(event)
        self._cut()

    def _cut(self) -> None:
        fits = self.fontMetrics().horizontalAdvance(self._text) <= self.width() - ROOM_PX
        self.setText(f"{self._text if fits else self._short} ")

    def complete(self, names: Sequence[str]) -> None:
        """Offer `names` as completions in the entry line."""
        assert self.entry is not None
        completer = QCompleter(list(names), self.entry)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.entry.setCompleter(completer)

    def _changed(self) -> None:
        self.picked.emit(self.ticked)

    def _add(self) -> None:
        assert self.entry is not None
        text = self.entry.text().strip()
        if text:
            self.entry.clear()
            self.added.emit(text)


class _Ticks(QListWidget):
    """A list that toggles its current row on Return, which would otherwise close the menu around it."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        item = self.currentItem()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and item is not None:
            if item.flags() & Qt.ItemFlag.ItemIsEnabled:
                checked = item.checkState() == Qt.CheckState.Checked
                item.setCheckState(Qt.CheckState.Unchecked if checked else Qt.CheckState.Checked)
            event.accept()
        else:
            super().keyPressEvent(event)


def _enabled(on: bool) -> Qt.ItemFlag:
    return Qt.ItemFlag.ItemIsEnabled if on else Qt.ItemFlag.NoItemFlags
