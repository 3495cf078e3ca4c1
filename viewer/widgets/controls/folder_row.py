"""A row that names a chosen folder or file, with a button to choose another and one to take it away."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from viewer.translation import tr
from viewer.widgets.controls.elided_label import ElidedLabel

GAP = 8
NAME_PX = 72


class FolderRow(QWidget):
    """`wanted` asks for a choice, `cleared` takes it away; `empty` is shown while nothing is chosen."""

    wanted = Signal()
    cleared = Signal()

    def __init__(self, title: str, *, empty: str, help_text: str, clears: bool = False) -> None:
        super().__init__()
        self._empty = empty
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(GAP)
        name = QLabel(title)
        name.setFixedWidth(NAME_PX)
        self.path = ElidedLabel(empty, mode=Qt.TextElideMode.ElideLeft)
        self.clear = QToolButton()
        self.clear.setText("×")
        self.clear.setAutoRaise(True)
        self.clear.setAccessibleName(tr("{title}: choose none", title=title))
        self.clear.setToolTip(tr("Choose none"))
        self.clear.setVisible(False)
        self._clears = clears
        self.choose = QPushButton(tr("Choose…"))
        self.choose.setAccessibleName(
            tr("Choose {help_text}{help_text_2}", help_text=help_text[0].lower(), help_text_2=help_text[1:])
        )
        self.choose.setToolTip(help_text)
        line.addWidget(name)
        line.addWidget(self.path, 1)
        line.addWidget(self.clear)
        line.addWidget(self.choose)
        self.choose.clicked.connect(self._want)
        self.clear.clicked.connect(self._clear)

    def _want(self) -> None:
        self.wanted.emit()

    def _clear(self) -> None:
        self.cleared.emit()

    def show_path(self, path: str) -> None:
        """Show the last part of a path, "" for none."""
        self.path.setText(Path(path).name or path if path else self._empty)
        self.path.setToolTip(path)
        self.clear.setVisible(self._clears and bool(path))
