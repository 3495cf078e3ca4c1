"""The combo box that chooses the model, in groups by task: bundled ones, recently opened ones, the current one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPalette
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QMenuBar,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from models import model_name
from models.cards import card as cards
from models.cards import knowledge, packaged
from viewer import theme
from viewer.translation import tr
from viewer.widgets.controls.elided_label import plain

GAP = 8
LEAST_PX = 200
ROW_PX = 26
DETAIL = Qt.ItemDataRole.UserRole + 1
GROUPS = {
    "detection": tr("Find things"),
    "segmentation": tr("Find areas"),
    "classification": tr("Tell apart"),
    "features": tr("Describe"),
    "generation": tr("Generate"),
    "likelihood": tr("Estimate likelihoods"),
    "picture to picture": tr("Change pictures"),
    "landmarks": tr("Find points"),
    "": tr("Opened before"),
}
MORE, MORE_MODELS = "more", tr("More models…")


class ModelBox(QComboBox):
    """Lists models by name, weights files by their file name. `chosen` emits the full name of another model.

    With `more`, the last entry leads to further models: `more_wanted` is emitted.
    """

    chosen = Signal(str)
    more_wanted = Signal()

    def __init__(self, *, more: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Model"))
        self.setToolTip(tr("The model to look into"))
        self.setMinimumWidth(LEAST_PX)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMaxVisibleItems(24)
        self.setItemDelegate(_Line(self))
        self._more, self._current, self._names = more, "", ()
        self.activated.connect(self._choose)

    def place(self, bar: QMenuBar) -> None:
        """Install the box in the corner of a menu bar."""
        corner = QWidget(bar)
        line = QHBoxLayout(corner)
        line.setContentsMargins(GAP, GAP // 2, GAP, GAP // 2)
        line.addWidget(self)
        bar.setCornerWidget(corner)

    def list_models(self, names: Sequence[str], current: str) -> None:
        """List these models; `current` is the one in use."""
        self._current = current
        wanted = tuple(dict.fromkeys((*names, current)))
        if wanted != self._names:
            self._names = wanted
            self.clear()
            groups: dict[str, list[str]] = {task: [] for task in GROUPS}
            for name in wanted:
                card = knowledge.card_of(name)
                known = card is not None and not cards.is_file(model_name.split(name)[0])
                groups[card.task if card is not None and known and card.task in GROUPS else ""].append(name)
            for task, members in groups.items():
                self._add(GROUPS[task], members)
            if self._more:
                self.insertSeparator(self.count())
                self.addItem(MORE_MODELS, MORE)
            metrics = self.fontMetrics()
            wide = [
                metrics.horizontalAdvance(f"{self.itemText(i)}{self.itemData(i, DETAIL) or ''}")
                for i in range(self.count())
            ]
            self.view().setMinimumWidth(max(wide, default=0) + 8 * GAP)
        self.setCurrentIndex(self.findData(current))

    def _add(self, title: str, names: Sequence[str]) -> None:
        if not names:
            return
        self.addItem(title)
        self.model().setData(self.model().index(self.count() - 1, 0), 0, Qt.ItemDataRole.UserRole - 1)  # not chosen
        for name in names:
            self.addItem(model_name.title(name), name)
            row, detail = self.count() - 1, _detail(name)
            self.setItemData(row, detail, DETAIL)
            self.setItemData(row, plain(f"{name}\n{detail}".strip()), Qt.ItemDataRole.ToolTipRole)
            spoken = f"{model_name.title(name)}, {title.lower()}, {detail}".rstrip(", ")
            self.setItemData(row, spoken, Qt.ItemDataRole.AccessibleTextRole)

    def _choose(self, index: int) -> None:
        name = str(self.itemData(index))
        self.setCurrentIndex(self.findData(self._current))
        if name == MORE:
            self.more_wanted.emit()
        elif name != self._current:
            self.chosen.emit(name)


class _Line(QStyledItemDelegate):
    """A title of a group, or a model with its classes and size."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(super().sizeHint(option, index).width(), ROW_PX)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        heads = not index.data(Qt.ItemDataRole.UserRole)
        place = QRect(option.rect)  # pyright: ignore[reportAttributeAccessIssue]
        if heads:
            painter.save()
            painter.setPen(theme.colours().muted)
            painter.drawText(place.adjusted(GAP // 2, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, str(index.data() or ""))
            painter.restore()
            return
        option.rect = place.adjusted(GAP, 0, 0, 0)  # pyright: ignore[reportAttributeAccessIssue]
        super().paint(painter, option, index)
        detail = str(index.data(DETAIL) or "")
        painter.save()
        chosen = option.state & option.state.State_Selected  # pyright: ignore[reportAttributeAccessIssue]
        role = QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.PlaceholderText
        painter.setPen(option.palette.color(role))  # pyright: ignore[reportAttributeAccessIssue]
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(place.adjusted(0, 0, -GAP, 0), right, detail)
        painter.restore()


def _detail(name: str) -> str:
    """Return a model's number of classes and size, and whether it must be installed."""
    card = knowledge.card_of(name)
    if card is None:
        return ""
    count = len(cards.label_ids(card.classes)) if card.task == "detection" else len(card.classes)
    named = tr("{count:,} points", count=count) if card.task == "landmarks" else tr("{count:,} classes", count=count)
    parts = [named if count else "", f"{card.bytes / 1e6:.1f} MB" if card.bytes else ""]
    if card.name in packaged.cards() and not packaged.installed(card.name):
        parts.append(tr("to install"))
    return " · ".join(part for part in parts if part)
