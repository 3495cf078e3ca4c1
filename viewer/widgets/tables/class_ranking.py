"""Classes in order, each with its probability or value as a bar and a number; target and opposing class are marked.

Signals emit the label the user picked; the caller calls `mark` to show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QContextMenuEvent,
    QFont,
    QGuiApplication,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPalette,
    QPen,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QWidget,
)

from models.quantity import PROBABILITY, VALUE, column
from viewer import theme
from viewer.translation import tr

Index = QModelIndex | QPersistentModelIndex
ROW_PX, BAR_PX, MARK_PX, MINUS_PX, GAP = 24, 8, 16, 22, 6
NAME_SHARE = 0.62
WIDEST = {PROBABILITY: "<0.00001", VALUE: "-1.235e+06"}  # text that the number column must have room for
AGAINST = tr("Set against the target: explain what speaks for the target rather than for this class (Ctrl+click)")
NO_LONGER = tr("Set against the target; click to undo")


class Ranking(QListView):
    """`chosen` emits the label of a new target, `opposed` the label of the class to explain it against, -1 for none."""

    chosen = Signal(int)
    opposed = Signal(int)
    export_wanted = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self.rows = _Rows(self)
        self.setModel(self.rows)
        self.setItemDelegate(_Line(self))
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setMinimumHeight(3 * ROW_PX + 2)
        theme.changes().connect(self.viewport().update)

    def set_entries(
        self,
        labels: NDArray[Any],
        names: Sequence[str],
        numbers: NDArray[Any],
        scores: NDArray[Any],
        *,
        quantity: str = PROBABILITY,
    ) -> None:
        """Show classes in this order; `names` is indexed by label, `quantity` says what the numbers are."""
        kept = self.label_at(self.currentIndex())
        self.rows.set_entries(labels, names, numbers, scores, quantity)
        self._go_to(kept)

    def look_for(self, text: str) -> None:
        """Show only the classes whose name contains a text or whose label is that number."""
        kept = self.label_at(self.currentIndex())
        self.rows.look_for(text)
        self._go_to(kept)

    def mark(self, *, target: int, against: int) -> None:
        """Mark the target and the opposing class; -1 for none."""
        if (target, against) != (self.rows.target, self.rows.against):
            self.rows.target, self.rows.against = target, against
            self.viewport().update()

    def label_at(self, index: Index) -> int:
        """Return the label of a row, -1 for none."""
        return int(index.data(Qt.ItemDataRole.UserRole)) if index.isValid() else -1

    @property
    def text(self) -> str:
        """Return the classes shown, as tab-separated text."""
        head = tr("Class\tProbability\tScore") if self.rows.quantity == PROBABILITY else tr("Name\tValue")
        return "\n".join([head, *(self.rows.line(row) for row in range(self.rows.rowCount()))])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Make the current class the target on Return, the opposing class on Ctrl+Return or minus; copy on Ctrl+C."""
        label = self.label_at(self.currentIndex())
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.text)
        elif label >= 0 and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                self._oppose(label)
            else:
                self.chosen.emit(label)
        elif label >= 0 and event.key() == Qt.Key.Key_Minus:
            self._oppose(label)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the target on a click; with Ctrl, or on the minus sign, choose the opposing class."""
        index = self.indexAt(event.position().toPoint())
        if event.button() != Qt.MouseButton.LeftButton or not index.isValid():
            super().mousePressEvent(event)
            return
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.setCurrentIndex(index)
        held = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if held or self.over_minus_signs(event.position()):
            self._oppose(self.label_at(index))
        else:
            self.chosen.emit(self.label_at(index))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer the same choices as a menu."""
        index = self.indexAt(event.pos()) if event.reason() == QContextMenuEvent.Reason.Mouse else self.currentIndex()
        menu = QMenu(self)
        if index.isValid():
            label = self.label_at(index)
            name = self.rows.names[label].replace("&", "&&")
            menu.addAction(tr("Explain {name}", name=name), lambda: self.chosen.emit(label))
            set_off = menu.addAction(tr("Set {name} against the target", name=name), lambda: self._oppose(label))
            set_off.setCheckable(True)
            set_off.setChecked(label == self.rows.against)
            set_off.setEnabled(label != self.rows.target)
        menu.addAction(tr("Copy all as text"), lambda: QGuiApplication.clipboard().setText(self.text))
        menu.addAction(tr("Export these…"), self.export_wanted.emit)
        menu.exec(event.globalPos())
        menu.deleteLater()

    def over_minus_signs(self, place: QPointF) -> bool:
        """Return whether a point of the viewport is in the column of minus signs."""
        return place.x() >= self.viewport().width() - MINUS_PX

    def _oppose(self, label: int) -> None:
        if label != self.rows.target:
            self.opposed.emit(-1 if label == self.rows.against else label)

    def _go_to(self, label: int) -> None:
        row = self.rows.row_of(label)
        if row >= 0:
            self.setCurrentIndex(self.rows.index(row))


class _Rows(QAbstractListModel):
    """The classes in order, restricted to those that match the search."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.names: Sequence[str] = ()
        self.target = self.against = -1
        self._labels = np.empty(0, np.int64)
        self._numbers = self._scores = np.empty(0)
        self.quantity, self._longest = PROBABILITY, 1.0
        self._shown = np.empty(0, np.int64)
        self._text = ""

    def set_entries(
        self, labels: NDArray[Any], names: Sequence[str], numbers: NDArray[Any], scores: NDArray[Any], quantity: str
    ) -> None:
        """Replace the classes."""
        self._labels, self.names = labels, names
        self._numbers, self._scores, self.quantity = numbers, scores, quantity
        self._longest = 1.0 if quantity == PROBABILITY else float(np.abs(numbers).max(initial=0.0)) or 1.0
        self.look_for(self._text)

    def look_for(self, text: str) -> None:
        """Keep the rows that match."""
        self.beginResetModel()
        self._text = wanted = text.strip().casefold()
        hit = [not wanted or wanted in self.names[k].casefold() or wanted == str(k) for k in self._labels.tolist()]
        self._shown = np.flatnonzero(np.array(hit, bool))
        self.endResetModel()

    def row_of(self, label: int) -> int:
        """Return the row of a label, -1 for none."""
        rows = np.flatnonzero(self._labels[self._shown] == label)
        return int(rows[0]) if len(rows) else -1

    def rowCount(self, parent: Index | None = None) -> int:
        """Return the number of rows shown."""
        return len(self._shown)

    def line(self, row: int) -> str:
        """Return a row as tab-separated text."""
        at = self._shown[row]
        name = self.names[int(self._labels[at])]
        if self.quantity != PROBABILITY:
            return f"{name}\t{self._numbers[at]:.7g}"
        return f"{name}\t{self._numbers[at]:.6f}\t{self._scores[at]:.4f}"

    def entry(self, row: int) -> tuple[int, str, float]:
        """Return the label, name and number of a row."""
        at = self._shown[row]
        label = int(self._labels[at])
        return label, self.names[label], float(self._numbers[at])

    def share(self, number: float) -> float:
        """Return the length of a number's bar, 0 to 1: a share of 1 for probabilities, of the largest size for values.

        Negative values get a bar of the same length as positive ones.
        """
        return min(1.0, abs(number) / self._longest)

    def data(self, index: Index, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        """Return a row's name, label, or accessible text."""
        if not index.isValid():
            return None
        label, name, number = self.entry(index.row())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return name
            case Qt.ItemDataRole.UserRole:
                return label
            case Qt.ItemDataRole.AccessibleTextRole:
                state = tr(", target") if label == self.target else tr(", against") if label == self.against else ""
                return f"{name}, {self.quantity} {column(number, self.quantity)}{state}"
            case Qt.ItemDataRole.ToolTipRole:
                score = self._scores[self._shown[index.row()]]
                if self.quantity != PROBABILITY:
                    return tr("{name}: value {number:.7g}. Click to explain it.", name=name, number=number)
                return tr(
                    "{name}: probability {number:.6f}, score {score:.3f}. Click to explain it.",
                    name=name,
                    number=number,
                    score=score,
                )
        return None


class _Line(QStyledItemDelegate):
    """Paints a row: mark, name, bar, number, and the minus sign where it can be clicked."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(120, ROW_PX)

    def helpEvent(self, event: QHelpEvent, view: QAbstractItemView, option: QStyleOptionViewItem, index: Index) -> bool:
        """Explain the minus sign; elsewhere, show the row's description."""
        if isinstance(view, Ranking) and index.isValid() and view.over_minus_signs(QPointF(event.pos())):
            against = view.label_at(index) == view.rows.against
            QToolTip.showText(event.globalPos(), NO_LONGER if against else AGAINST, view)
            return True
        return super().helpEvent(event, view, option, index)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        view = self.parent()
        assert isinstance(view, Ranking)
        rows, now = view.rows, theme.colours()
        label, name, number = rows.entry(index.row())
        state, place = option.state, QRect(option.rect)  # type: ignore[attr-defined]
        target, against = label == rows.target, label == rows.against
        near = bool(state & (QStyle.StateFlag.State_MouseOver | QStyle.StateFlag.State_HasFocus))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if near:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(view.palette().color(QPalette.ColorRole.AlternateBase))
            painter.drawRoundedRect(QRectF(place).adjusted(0, 1, 0, -1), 4, 4)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(now.accent, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(place).adjusted(0.5, 1.5, -0.5, -1.5), 4, 4)
        font = QFont(view.font())
        font.setBold(target)
        painter.setFont(font)
        middle, left = place.center().y() + 0.5, place.left() + 2
        if target:
            _paint_target(painter, QPointF(left + MARK_PX / 2, middle), now.accent)
        left += MARK_PX + GAP // 2
        metrics = painter.fontMetrics()
        numbers = view.fontMetrics().horizontalAdvance(WIDEST[rows.quantity])
        right = place.right() - MINUS_PX
        names = int((right - left - numbers - GAP) * NAME_SHARE)
        words = metrics.elidedText(name, Qt.TextElideMode.ElideRight, names)
        painter.setPen(now.text)
        painter.drawText(QRect(left, place.top(), names, place.height()), _LEFT, words)
        text = column(number, rows.quantity)
        painter.drawText(QRect(right - numbers, place.top(), numbers, place.height()), _RIGHT, text)
        track = QRectF(left + names + GAP, middle - BAR_PX / 2, right - numbers - left - names - 2 * GAP, BAR_PX)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(now.border)
        painter.drawRoundedRect(track, BAR_PX / 2, BAR_PX / 2)
        if share := rows.share(number):
            filled = QRectF(track)
            filled.setWidth(max(track.width() * share, 2.0))
            painter.setBrush(theme.class_colour(label))
            painter.drawRoundedRect(filled, min(BAR_PX / 2, filled.width() / 2), BAR_PX / 2)
        if against or (near and not target):
            _minus(painter, QPointF(right + MINUS_PX / 2, middle), now.accent if against else now.muted, filled=against)
        painter.restore()


def _paint_target(painter: QPainter, at: QPointF, colour: Any) -> None:
    painter.setPen(QPen(colour, 1.6))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(at, 5, 5)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawEllipse(at, 2, 2)


def _minus(painter: QPainter, at: QPointF, colour: Any, *, filled: bool) -> None:
    painter.setPen(QPen(colour, 1.4))
    painter.setBrush(colour if filled else Qt.BrushStyle.NoBrush)
    painter.drawEllipse(at, 6, 6)
    painter.setPen(QPen(theme.on_colour(colour) if filled else colour, 1.6))
    painter.drawLine(at - QPointF(3, 0), at + QPointF(3, 0))


_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
