"""The readout of a heat map: colour bar, value under the pointer, facts to copy, warnings."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from viewer.translation import tr
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.controls.wrapped_label import WrappedLabel

GAP = 8
AWAY = tr("Move over the picture to read the map.")


class MapReading(QWidget):
    """Shows the readout; all values are set by the caller."""

    def __init__(self) -> None:
        super().__init__()
        self.bar = ColourBar()
        self.value = WrappedLabel(tr("Value of the map under the pointer"))
        self.warning = WrappedLabel(tr("Warning"))
        self._rows: list[tuple[QLabel, QLabel]] = []
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(GAP)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP // 2)
        for part in (self.warning, self.bar, self.value):
            column.addWidget(part)
        column.addLayout(self._grid)
        self.set_value("")

    def set_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Replace the facts, as (name, value) pairs."""
        while len(self._rows) < len(facts):
            name, value = WrappedLabel(wide=True), WrappedLabel(wide=True)
            name.setProperty("small", True)
            name.setWordWrap(False)
            at = len(self._rows)
            self._grid.addWidget(name, at, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(value, at, 1)
            self._rows.append((name, value))
        for at, pair in enumerate(self._rows):
            for label, text in zip(pair, facts[at] if at < len(facts) else ("", ""), strict=True):
                label.setText(text)
                label.setVisible(bool(text))
            pair[1].setAccessibleName(pair[0].text())

    def set_warning(self, text: str) -> None:
        """Show what must be known before the map is trusted; "" hides the warning."""
        self.warning.setText(text)
        self.warning.setVisible(bool(text))

    def set_value(self, text: str) -> None:
        """Show the value under the pointer, "" if the pointer is elsewhere."""
        self.value.setText(text or AWAY)

    @property
    def text(self) -> str:
        """Return the facts as text."""
        return "\n".join(f"{name.text()}: {value.text()}" for name, value in self._rows if name.text())
