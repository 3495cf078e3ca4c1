"""The network's module calls as a tree: thumbnail and name, type, output shape, layout, number of calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFont, QGuiApplication, QImage, QKeyEvent, QKeySequence, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTreeView, QWidget

from viewer import theme
from viewer.context_menu.subject import Subject, row_of
from viewer.presenters.call_tree import INSIDE, Node, find, tree
from viewer.translation import tr

Index = QModelIndex | QPersistentModelIndex
HEADS = (tr("Layer"), tr("Type"), "Shape", tr("Layout"), tr("Call"))
WIDTHS = (280, 150, 164, 140, 64)
THUMB_PX, ROW_PX = 32, 36
NO_MAP = tr("No map of the picture: methods that need one cannot take it. Its values can be looked at.")
AUTOMATIC = tr("The layer that class activation maps use by default")


class CallTree(QTreeView):
    """`picked` emits the id of a call, `opened` the id of one whose activations are requested."""

    picked = Signal(str)
    opened = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.calls = _Calls(self)
        self.setModel(self.calls)
        self.setAccessibleName(tr("Calls of the network"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setUniformRowHeights(True)
        self.setIconSize(QSize(THUMB_PX, THUMB_PX))
        self.setIndentation(14)
        self.setExpandsOnDoubleClick(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.header().setStretchLastSection(True)
        self.header().setSectionsMovable(False)
        for column, width in enumerate(WIDTHS):
            self.header().setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            self.header().resizeSection(column, width)
        self.clicked.connect(self._pick)
        self.doubleClicked.connect(self._open)
        theme.changes().connect(self.calls.restyle)

    def set_calls(self, calls: Sequence[Mapping[str, Any]], silent: Sequence[str], automatic: str) -> None:
        """List a network's calls, folded except for the path to the automatic layer."""
        self.calls.set_calls(calls, silent, automatic)
        self.collapseAll()
        self._unfold(automatic)

    def set_thumbnails(self, thumbnails: NDArray[np.uint8], rows: NDArray[Any]) -> None:
        """Set thumbnails (M, s, s) of the calls; `rows` (N,) is the index into them per call, -1 for none."""
        self.calls.set_thumbnails(thumbnails, rows)

    def look_for(self, text: str) -> int:
        """Show only the rows that match, unfolded; return the number of matching calls."""
        found = self.calls.look_for(text)
        if text.strip():
            self.expandAll()
        else:
            self.collapseAll()
            self._unfold(self.calls.automatic)
        self.follow(self.calls.chosen)
        return found

    def follow(self, chosen: str) -> None:
        """Mark the chosen layer, "" for the automatic one."""
        changed = chosen != self.calls.chosen
        self.calls.chosen = chosen
        index = self.calls.index_of(chosen or self.calls.automatic)
        if index.isValid() and index != self.currentIndex().siblingAtColumn(0):
            self._unfold(chosen or self.calls.automatic)
            flags = QItemSelectionModel.SelectionFlag
            self.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            self.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)
        if changed:
            self.viewport().update()

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell the call at a place: it can be chosen as the layer, and its activations shown."""
        index = self.indexAt(place) if place is not None else self.currentIndex()
        identity = self.calls.id_at(index)
        offers = [
            (tr("Choose this layer"), lambda: self.picked.emit(identity)),
            (tr("Show its activations"), lambda: self.opened.emit(identity)),
        ]
        known = {"text": self.calls.line_of(identity), "offers": offers} if identity else {}
        return row_of(self, place, table=lambda: self.calls.text, **known)

    def event(self, event: QEvent) -> bool:
        """Keep Left and Right, which fold and unfold rows, from triggering shortcuts."""
        kept = (Qt.Key.Key_Left, Qt.Key.Key_Right)
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in kept:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose the current call on Return, copy the list on Ctrl+C."""
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.calls.text)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._pick(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _pick(self, index: Index) -> None:
        identity = self.calls.id_at(index)
        if identity:
            self.picked.emit(identity)

    def _open(self, index: Index) -> None:
        identity = self.calls.id_at(index)
        if identity:
            self.opened.emit(identity)
        else:
            self.setExpanded(index, not self.isExpanded(index))

    def _unfold(self, identity: str) -> None:
        index = self.calls.index_of(identity)
        while index.isValid():
            index = index.parent()
            if index.isValid():
                self.expand(index)


class _Calls(QAbstractItemModel):
    """The rows; an index carries the number of its node."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.automatic = self.chosen = ""
        self._calls: Sequence[Mapping[str, Any]] = ()
        self._kinds: list[str] = []
        self._nodes: list[Node] = tree((), ())
        self._ids: dict[str, Node] = {}
        self._thumbnails: NDArray[np.uint8] = np.zeros((0, 1, 1), np.uint8)
        self._rows: NDArray[Any] = np.empty(0, np.int64)
        self._pixmaps: dict[int, QPixmap] = {}

    @property
    def text(self) -> str:
        """Return all calls as tab-separated text."""
        return "\n".join(["\t".join(HEADS), *(self._line(call) for call in self._calls)])

    def line_of(self, identity: str) -> str:
        """Return a call as tab-separated text, "" for one that is not listed."""
        node = self._ids.get(identity)
        return self._line(self._calls[node.call]) if node is not None else ""

    def _line(self, call: Mapping[str, Any]) -> str:
        return "\t".join([str(call["id"]), *self._words(call)[1:]])

    def set_calls(self, calls: Sequence[Mapping[str, Any]], silent: Sequence[str], automatic: str) -> None:
        self.beginResetModel()
        self._calls, self.automatic = calls, automatic
        self._kinds = [str(call["kind"]) for call in calls]
        self._nodes = tree(calls, silent)
        self._ids = {str(calls[node.call]["id"]): node for node in self._nodes if node.call >= 0}
        self._pixmaps.clear()
        self._rows = np.empty(0, np.int64)
        self.endResetModel()

    def set_thumbnails(self, thumbnails: NDArray[np.uint8], rows: NDArray[Any]) -> None:
        self._thumbnails, self._rows = thumbnails, rows
        self.restyle()

    def restyle(self) -> None:
        """Repaint the thumbnails."""
        self._pixmaps.clear()
        parent = self.parent()
        assert isinstance(parent, QTreeView)
        parent.viewport().update()

    def look_for(self, text: str) -> int:
        self.beginResetModel()
        found = find(self._nodes, text, self._kinds)
        self.endResetModel()
        return found

    def id_at(self, index: Index) -> str:
        """Return the id of the call in a row, "" for none."""
        node = self._node(index)
        return str(self._calls[node.call]["id"]) if node.call >= 0 else ""

    def index_of(self, identity: str) -> QModelIndex:
        """Return the index of a call, an invalid index if it is not listed."""
        node = self._ids.get(identity)
        above = node
        while above is not None and above.parent is not None:
            if above not in above.parent.shown:
                return QModelIndex()
            above = above.parent
        return QModelIndex() if node is None else self.createIndex(node.row, 0, node.number)

    def index(self, row: int, column: int, parent: Index | None = None) -> QModelIndex:
        shown = self._node(parent).shown
        if not (0 <= row < len(shown) and 0 <= column < len(HEADS)):
            return QModelIndex()
        return self.createIndex(row, column, shown[row].number)

    def parent(self, index: Index | None = None) -> Any:  # type: ignore[override]
        if index is None:
            return super().parent()
        above = self._node(index).parent
        return QModelIndex() if above is None or not above.number else self.createIndex(above.row, 0, above.number)

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.column() > 0 else len(self._node(parent).shown)

    def columnCount(self, parent: Index | None = None) -> int:
        return len(HEADS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = int(Qt.ItemDataRole.DisplayRole)
    ) -> Any:
        return HEADS[section] if role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        """Return the data of a cell for a role."""
        node, column = self._node(index), index.column()
        call = self._calls[node.call] if node.call >= 0 else None
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._name(node) if column == 0 else self._words(call)[column] if call else ""
            case Qt.ItemDataRole.DecorationRole if column == 0 and call is not None:
                return self._picture(node.call)
            case Qt.ItemDataRole.SizeHintRole:
                return QSize(0, ROW_PX)
            case Qt.ItemDataRole.ForegroundRole if node.silent or (call is not None and not call["map"]):
                return theme.colours().muted
            case Qt.ItemDataRole.FontRole if column == 0 and call is not None and call["id"] == self.automatic:
                font = QFont()
                font.setPixelSize(theme.TEXT_PX)
                font.setBold(True)
                return font
            case Qt.ItemDataRole.ToolTipRole:
                return self._tip(node, call)
            case Qt.ItemDataRole.AccessibleTextRole if column == 0 and call is not None:
                return f"{call['id']}, {', '.join(word for word in self._words(call)[1:] if word)}"
        return None

    def _node(self, index: Index | None) -> Node:
        return self._nodes[index.internalId()] if index is not None and index.isValid() else self._nodes[0]

    def _name(self, node: Node) -> str:
        call = self._calls[node.call] if node.call >= 0 else None
        return (
            tr("{node}  (automatic)", node=node.name)
            if call is not None and call["id"] == self.automatic
            else node.name
        )

    def _words(self, call: Mapping[str, Any]) -> tuple[str, ...]:
        shape = " × ".join(map(str, call["shape"]))
        number = tr("{number} of {of}", number=call["number"], of=call["of"]) if call["of"] > 1 else "1"
        return "", str(call["kind"]), shape, str(call["layout"]), number

    def _tip(self, node: Node, call: Mapping[str, Any] | None) -> str:
        if call is None:
            return INSIDE if node.silent else node.path
        lines = [str(call["id"])]
        lines += [AUTOMATIC] if call["id"] == self.automatic else []
        lines += [tr("The same values as {same}", same=call["same"])] if call["same"] else []
        lines += [] if call["map"] else [NO_MAP]
        return "\n".join(lines)

    def _picture(self, call: int) -> QPixmap:
        """Return the thumbnail of a call, or a transparent one, so that all names align."""
        row = int(self._rows[call]) if call < len(self._rows) else -1
        if row not in self._pixmaps:
            if row < 0:
                pixmap = QPixmap(THUMB_PX, THUMB_PX)
                pixmap.fill(Qt.GlobalColor.transparent)
            else:
                table = np.ascontiguousarray(theme.heat_lut("sequential")[self._thumbnails[row]])
                height, width = table.shape[:2]
                image = QImage(table.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888)
                pixmap = QPixmap.fromImage(image)
            self._pixmaps[row] = pixmap
        return self._pixmaps[row]
