"""The pictures behind a cell of a confusion matrix, as a list that leads to them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from viewer.context_menu.subject import KNOWN
from viewer.translation import tr
from viewer.widgets.controls.wrapped_label import WrappedLabel

GAP = 4
PICK_CELL = tr("Click a cell of the confusion matrix to list its pictures; a click on one opens it.")
PATH = Qt.ItemDataRole.UserRole


class CellPictures(QWidget):
    """What the cell counts in words, and its pictures. `opened` emits the path of one that was clicked."""

    opened = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._shown: Sequence[tuple[str, int]] = ()
        self.about = WrappedLabel(tr("Cell whose pictures are listed"), PICK_CELL)
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Pictures of the cell"))
        self.list.setUniformItemSizes(True)
        for clicked in (self.list.itemClicked, self.list.itemActivated):
            clicked.connect(lambda item: self.opened.emit(item.data(PATH)))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, GAP, 0, 0)
        column.setSpacing(GAP)
        column.addWidget(self.about)
        column.addWidget(self.list, 1)

    def show_pictures(self, about: str, pictures: Sequence[tuple[str, int]]) -> None:
        """List the paths of pictures with what each adds to the cell; the same ones stay as they are."""
        self.about.setText(about or PICK_CELL)
        if pictures == self._shown:
            return
        self._shown = pictures
        self.list.clear()
        for path, count in pictures:
            name = path.replace("\\", "/").rpartition("/")[2]
            item = QListWidgetItem(f"{name} ({count:,})" if count > 1 else name)
            item.setData(PATH, path)
            item.setData(KNOWN, {"path": path})
            item.setToolTip(path)
            self.list.addItem(item)
