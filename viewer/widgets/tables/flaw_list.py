"""Pictures of a data set that are worth a look, as rows that lead to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from viewer.context_menu.subject import KNOWN
from viewer.translation import tr

LABELS, COPIES, FAR = "disagreements", "duplicates", "far"
TITLES = {
    LABELS: tr("Labels that disagree"),
    COPIES: tr("Near duplicates"),
    FAR: tr("Outliers"),
}
COLUMNS = {
    LABELS: (tr("Picture"), tr("Label"), tr("Neighbours say"), tr("Share of them")),
    COPIES: (tr("Picture"), tr("Other picture"), tr("Distance"), tr("File")),
    FAR: (tr("Picture"), tr("Distance")),
}
NOTHING = {
    LABELS: tr("No label disagrees with its neighbours."),
    COPIES: tr("No picture is nearly a copy of another."),
    FAR: tr("No picture lies far from all others."),
}
OTHER = 1  # the column of the second picture of a pair
PATH = Qt.ItemDataRole.UserRole


class FlawList(QTreeWidget):
    """The rows of one kind. A click, or Enter, emits the path of the row's picture in `opened`; of a pair, that of the
    picture in the column.
    """

    opened = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[str, Sequence[Mapping[str, Any]]] = ("", ())
        self.setAccessibleName(tr("Flaws of the data set"))  # until rows of a kind are shown
        self.setRootIsDecorated(False)
        self.setAllColumnsShowFocus(True)
        self.setMinimumHeight(120)
        self.itemClicked.connect(self._open)
        self.itemActivated.connect(self._open)

    def show_rows(self, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """List the rows of a kind, as the inspection `flaws` gives them; the same ones stay as they are."""
        if (kind, rows) == self._shown:
            return
        self._shown = kind, rows
        self.setAccessibleName(TITLES[kind])
        self.setHeaderLabels(list(COLUMNS[kind]))
        self.clear()
        for row in rows:
            item = QTreeWidgetItem(list(_texts(kind, row)))
            paths = [row["path"], *([row["other"]] if kind == COPIES else [])]
            for column in range(self.columnCount()):
                at = OTHER if kind == COPIES and column == OTHER else 0
                item.setData(column, PATH, paths[at])
                item.setData(column, KNOWN, {"path": paths[at]})
                item.setToolTip(column, tr("{path}\nClick to open the picture", path=paths[at]))
            self.addTopLevelItem(item)
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    def _open(self, item: QTreeWidgetItem, column: int) -> None:
        self.opened.emit(item.data(column, PATH))


def _texts(kind: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    name = _name(row["path"])
    if kind == LABELS:
        return name, row["label"], row["instead"], f"{row['share']:.0%}"
    ratio = tr("{ratio:.2f} × usual", ratio=row["ratio"])
    if kind == FAR:
        return name, ratio
    return name, _name(row["other"]), ratio, tr("the same") if row["identical"] else tr("another")


def _name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]
