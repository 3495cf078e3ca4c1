"""The list of a model's classes: whether each is shown, how many were found, and its own score threshold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction, QContextMenuEvent, QDropEvent, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import (
    QHeaderView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from models.cards import card
from models.detection.classes import can_be_named
from viewer import theme
from viewer.translation import tr
from viewer.widgets.controls.number_entry import Entry

NAME, FOUND, SCORE = range(3)
LABEL = Qt.ItemDataRole.UserRole
FEW_CLASSES = 16
ROWS_AT_LEAST = 10
ROW_PX, SCORE_PX = 22, 56
FOLLOWS = tr("Uses the score of the slider above. Click, or press F2, to give this class its own; Delete removes it.")
CANNOT = tr("A name with a comma in it, or a space around it, cannot be hidden or have a score of its own.")


class Classes(QTreeWidget):
    """A row per class.

    `shown` and `limited` emit the class name with the new state; a limit of None clears its own score. A class can be
    dragged to another place: `reordered` emits the names in their new order.
    """

    shown = Signal(str, bool)
    limited = Signal(str, object)
    settled = Signal()
    reordered = Signal(list)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Classes"))
        self.setColumnCount(3)
        self.setHeaderLabels([tr("Class"), tr("Found"), tr("Score")])
        head = self.headerItem()
        head.setToolTip(FOUND, tr("Above the score, before classes are hidden and the maximum cuts"))
        head.setToolTip(SCORE, tr("A score of its own that boxes of the class must be above; empty follows the slider"))
        for column in (FOUND, SCORE):
            head.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setDragDropMode(QTreeWidget.DragDropMode.InternalMove)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setEditTriggers(QTreeWidget.EditTrigger.NoEditTriggers)
        self.setItemDelegateForColumn(SCORE, _Scores(self))
        self.header().setMinimumSectionSize(0)
        self.header().setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(FOUND, QHeaderView.ResizeMode.ResizeToContents)
        self.header().setSectionResizeMode(SCORE, QHeaderView.ResizeMode.Fixed)
        self.header().resizeSection(SCORE, SCORE_PX)
        self.header().setStretchLastSection(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.score, self.floor = 0.5, 0.0
        self.itemChanged.connect(self._changed)
        self.itemClicked.connect(self._clicked)

    def list(self, names: Sequence[str]) -> None:
        """List a model's classes; `names` is indexed by label id. Background and unused labels are left out."""
        with QSignalBlocker(self):
            self.clear()
            for label in card.label_ids(names):
                name = names[label]
                item = QTreeWidgetItem([name, "", ""])
                item.setData(NAME, LABEL, label)
                own = Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEditable
                known = can_be_named(name)
                flags = item.flags() & ~Qt.ItemFlag.ItemIsDropEnabled  # rows go between rows, not into them
                item.setFlags(flags | own if known else flags & ~own)
                item.setCheckState(NAME, Qt.CheckState.Checked)
                item.setIcon(NAME, theme.swatch(theme.class_colour(label)))
                item.setToolTip(SCORE, FOLLOWS if known else CANNOT)
                item.setToolTip(NAME, "" if known else CANNOT)
                for column in (FOUND, SCORE):
                    item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.addTopLevelItem(item)
        rows = min(self.topLevelItemCount(), ROWS_AT_LEAST)
        self.setMinimumHeight(self.header().sizeHint().height() + rows * ROW_PX + 4)

    def count(self, counts: Mapping[int, int]) -> None:
        """Show how many of each label were found.

        With many classes, show only those found and those with a setting of their own.
        """
        many = self.topLevelItemCount() > FEW_CLASSES
        with QSignalBlocker(self):
            for item in self.items():
                found = counts.get(item.data(NAME, LABEL), 0)
                item.setText(FOUND, f"{found:,}" if found else "")
                plain = item.checkState(NAME) == Qt.CheckState.Checked and not item.text(SCORE)
                item.setHidden(many and not found and plain)
        self.viewport().update()

    def follow(self, hidden: Collection[str], scores: Mapping[str, float], *, score: float, floor: float) -> None:
        """Show which classes are hidden and which have their own score.

        `score` is what the other classes use; `floor` is the lowest score that can be entered.
        """
        self.score, self.floor = score, floor
        with QSignalBlocker(self):
            for item in self.items():
                off = item.text(NAME) in hidden
                item.setCheckState(NAME, Qt.CheckState.Unchecked if off else Qt.CheckState.Checked)
                own = scores.get(item.text(NAME))
                item.setData(SCORE, LABEL, own)
                item.setText(SCORE, "" if own is None else _text(own))
        self.viewport().update()

    def items(self) -> list[QTreeWidgetItem]:
        """Return all rows, including hidden ones."""
        found = [self.topLevelItem(i) for i in range(self.topLevelItemCount())]
        return [item for item in found if item is not None]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Edit the current class's score on F2 or Return, clear it on Delete."""
        # The editor leaves keys such as Return unaccepted, so they propagate to the list; ignore them while it is open.
        item = self.currentItem() if self.state() != QTreeWidget.State.EditingState else None
        if item is not None and event.key() in (Qt.Key.Key_F2, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.edit_score(item)
        elif item is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.limited.emit(item.text(NAME), None)
        else:
            super().keyPressEvent(event)

    def edit_score(self, item: QTreeWidgetItem) -> None:
        """Open the editor for one class's score."""
        if item.flags() & Qt.ItemFlag.ItemIsEditable:
            self.setCurrentItem(item, SCORE)
            self.editItem(item, SCORE)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Show the menu of what can be done with a class's score."""
        item = self.itemAt(event.pos()) if event.reason() == QContextMenuEvent.Reason.Mouse else self.currentItem()
        if item is None:
            return
        menu = QMenu(self)
        name, on = item.text(NAME), item.checkState(NAME) == Qt.CheckState.Checked
        known = bool(item.flags() & Qt.ItemFlag.ItemIsUserCheckable)
        show = QAction(tr("Hide this class") if on else tr("Show this class"), menu)
        show.setEnabled(known)
        show.triggered.connect(lambda: self.shown.emit(name, not on))
        only = QAction(tr("Show only this class"), menu)
        only.setEnabled(known)
        only.triggered.connect(lambda: self._show_only(item))
        copy = QAction(tr("Copy the list as text"), menu)
        copy.triggered.connect(lambda: QGuiApplication.clipboard().setText(self.text))
        own = QAction(tr("Set a score of its own"), menu)
        own.triggered.connect(lambda: self.edit_score(item))
        own.setEnabled(bool(item.flags() & Qt.ItemFlag.ItemIsEditable))
        follow = QAction(tr("Follow the score slider"), menu)
        follow.setEnabled(bool(item.text(SCORE)))
        follow.triggered.connect(lambda: self.limited.emit(item.text(NAME), None))
        every = QAction(tr("All classes follow the slider"), menu)
        every.setEnabled(any(other.text(SCORE) for other in self.items()))
        every.triggered.connect(lambda: self.limited.emit("", None))
        menu.addActions([show, only])
        menu.addSeparator()
        menu.addActions([own, follow, every])
        menu.addSeparator()
        menu.addAction(copy)
        menu.exec(event.globalPos())
        menu.deleteLater()

    @property
    def text(self) -> str:
        """The rows as tab-separated text."""
        rows = [item for item in self.items() if not item.isHidden()]
        return "\n".join("\t".join(item.text(column) for column in (NAME, FOUND, SCORE)) for item in rows)

    def reorder(self, order: Sequence[str]) -> None:
        """Put the classes named in `order` first, in that order."""
        wanted = {name: place for place, name in enumerate(order)}
        rows = sorted(self.items(), key=lambda item: wanted.get(item.text(NAME), len(wanted)))
        if rows != self.items():
            with QSignalBlocker(self):
                for _ in range(self.topLevelItemCount()):
                    self.takeTopLevelItem(0)
                self.addTopLevelItems(rows)

    def dropEvent(self, event: QDropEvent) -> None:
        """Move a row to where it was dropped, and emit the new order."""
        super().dropEvent(event)
        self.reordered.emit([item.text(NAME) for item in self.items()])

    def _show_only(self, wanted: QTreeWidgetItem) -> None:
        for item in self.items():
            if item.flags() & Qt.ItemFlag.ItemIsUserCheckable:
                on = item.checkState(NAME) == Qt.CheckState.Checked
                if on != (item is wanted):
                    self.shown.emit(item.text(NAME), item is wanted)

    def _clicked(self, item: QTreeWidgetItem, column: int) -> None:
        if column == SCORE:
            self.edit_score(item)

    def _changed(self, item: QTreeWidgetItem, column: int) -> None:
        if column == NAME:
            self.shown.emit(item.text(NAME), item.checkState(NAME) == Qt.CheckState.Checked)


class _Scores(QStyledItemDelegate):
    """Edits a score in place."""

    def __init__(self, parent: Classes) -> None:
        super().__init__(parent)
        self._list = parent

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QWidget:
        own = index.data(LABEL)
        entry = _ScoreEntry(own, floor=self._list.floor, slider=self._list.score, parent=parent)
        entry.setAccessibleName(tr("Score of {data}", data=index.sibling(index.row(), NAME).data()))
        entry.valueChanged.connect(lambda: self.commitData.emit(entry))
        return entry

    def setEditorData(self, editor: QWidget, index: QModelIndex | QPersistentModelIndex) -> None:
        """Keep what is being typed: refreshing the model must not overwrite it."""

    def setModelData(self, editor: QWidget, model: Any, index: QModelIndex | QPersistentModelIndex) -> None:
        assert isinstance(editor, _ScoreEntry)
        name = str(index.sibling(index.row(), NAME).data())
        if editor.score != index.data(LABEL):
            self._list.limited.emit(name, editor.score)

    def destroyEditor(self, editor: QWidget, index: QModelIndex | QPersistentModelIndex) -> None:
        super().destroyEditor(editor, index)
        self._list.settled.emit()


class _ScoreEntry(Entry):
    """A score that may be empty.

    Stepping up from empty starts at the slider's score; empty is stored below the minimum.
    """

    def __init__(self, own: float | None, *, floor: float, slider: float, parent: QWidget) -> None:
        self._slider = slider
        super().__init__(low=-1.0, high=1.0, step=0.01, parent=parent)
        self._floor = floor
        self.setFrame(False)
        self.lineEdit().setPlaceholderText(_text(slider))
        self.setValue(-1.0 if own is None else own)
        self.selectAll()

    @property
    def score(self) -> float | None:
        """Return the score entered, None if empty."""
        return None if self.value() < 0 else max(self._floor, self.value())

    def stepBy(self, steps: int) -> None:
        begin = self._slider if self.value() < 0 else self.value()
        self.setValue(min(1.0, max(self._floor, round(begin + steps * self.singleStep(), 4))))
        self.selectAll()

    def stepEnabled(self) -> Entry.StepEnabledFlag:
        return Entry.StepEnabledFlag.StepUpEnabled | Entry.StepEnabledFlag.StepDownEnabled

    def textFromValue(self, value: float) -> str:
        return "" if value < 0 else super().textFromValue(value)

    def valueFromText(self, text: str) -> float:
        number = self._number(text)
        return -1.0 if number is None else max(0.0, number)

    def validate(self, text: str, position: int) -> Any:
        """Accept an empty text."""
        return super().validate(text or "0", position)[0], text, position


def _text(score: float) -> str:
    return f"{score:.4f}".rstrip("0").ljust(4, "0")
