"""The combo box that chooses the model: bundled ones, recently opened ones, the current one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QMenuBar, QWidget

from models import model_name
from viewer.widgets.controls.elided_label import plain

GAP = 8
LEAST_PX = 200


class ModelBox(QComboBox):
    """Lists models by name, weights files by their file name. `chosen` emits the full name of another model."""

    chosen = Signal(str)

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Model")
        self.setToolTip("The model to look into")
        self.setMinimumWidth(LEAST_PX)
        self._current = ""
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
        names = list(dict.fromkeys((*names, current)))
        if [self.itemData(i) for i in range(self.count())] != names:
            self.clear()
            for name in names:
                self.addItem(model_name.title(name), name)
                self.setItemData(self.count() - 1, plain(name), Qt.ItemDataRole.ToolTipRole)
        self.setCurrentIndex(names.index(current))

    def _choose(self, index: int) -> None:
        name = str(self.itemData(index))
        self.setCurrentIndex(self.findData(self._current))
        if name != self._current:
            self.chosen.emit(name)
