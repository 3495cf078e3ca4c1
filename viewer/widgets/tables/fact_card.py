"""A card with a title and named facts that can be copied, or any other widget."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from viewer.widgets.controls.elided_label import ElidedLabel

GAP = 8
LINE_GAP = 2
MOST_LINES = 3  # of a fact; longer ones are elided, with the whole text as a tooltip


class Card(QFrame):
    """A titled box. `set_facts` fills its rows; `put` adds a widget below them."""

    def __init__(self, title: str, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.title = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._rows: list[tuple[QLabel, QLabel]] = []
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(GAP)
        self._grid.setVerticalSpacing(LINE_GAP)
        self._grid.setColumnStretch(1, 1)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(GAP, GAP // 2, GAP, GAP // 2)
        self._column.setSpacing(GAP // 2)
        self._column.addWidget(self.title)
        self._column.addLayout(self._grid)
        self._column.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.set_title(title)

    def set_title(self, title: str) -> None:
        """Set the title, which is also the accessible name."""
        self.title.setText(title)
        self.setAccessibleName(title)

    def set_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Replace the facts, as (name, value) rows."""
        while len(self._rows) < len(facts):
            self._add_row()
        for at, pair in enumerate(self._rows):
            texts = facts[at] if at < len(facts) else ("", "")
            for label, text in zip(pair, texts, strict=True):
                label.setText(text)
                label.setVisible(bool(text))
        self.setAccessibleDescription(self.text)

    def put(self, widget: QWidget, *, stretch: int = 100) -> None:
        """Append a widget below the facts; it takes the free height unless `stretch` is 0."""
        self._column.insertWidget(self._column.count() - 1, widget, stretch)

    @property
    def text(self) -> str:
        """Return the facts as text."""
        rows = [(name.text(), value.text()) for name, value in self._rows]
        return "\n".join(f"{name}: {value}" for name, value in rows if name or value)

    def _add_row(self) -> None:
        name, value = QLabel(), ElidedLabel(lines=MOST_LINES)
        name.setProperty("small", True)
        name.setTextFormat(Qt.TextFormat.PlainText)
        for label in (name, value):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = len(self._rows)
        self._grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(value, row, 1, Qt.AlignmentFlag.AlignTop)
        self._rows.append((name, value))
