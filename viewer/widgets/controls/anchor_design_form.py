"""The form for an anchor design: scales and ratios per pyramid level, validated as they are entered."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from models.detection import anchor_design
from models.detection.anchor_design import Design
from models.types import Refusal
from viewer import theme
from viewer.translation import tr

GAP = 8
HELP = {
    "scales": tr("Numbers separated by spaces. Sides of a square of the same area, in pixels of the network's input"),
    "ratios": tr("Numbers separated by spaces. Height over width"),
}
FRACTIONS_HELP = {
    "scales": tr("A share of the input's side"),
    "ratios": tr("Numbers separated by spaces. Each is used in both orientations; 1 is always included"),
}


class DesignFields(QWidget):
    """Fields for scales and ratios.

    `changed` emits both as text when a field with a valid edit loses focus or on Return.
    """

    changed = Signal(str, str)

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own: Design | None = None
        self.fields: dict[str, list[QLineEdit]] = {"scales": [], "ratios": []}
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        self.problem.setAccessibleName(tr("What is wrong with the anchors"))
        self.problem.hide()
        self.reset = QPushButton(tr("Model's own anchors"))
        self.reset.clicked.connect(lambda: self.changed.emit("", ""))
        self._grid = QGridLayout()
        self._grid.setSpacing(GAP // 2)
        self._grid.setColumnStretch(1, 3)
        self._grid.setColumnStretch(2, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addLayout(self._grid)
        column.addWidget(self.problem)
        line = QHBoxLayout()
        line.addWidget(self.reset)
        line.addStretch(1)
        column.addLayout(line)

    def show_design(self, scales: str, ratios: str, *, own: Design) -> None:
        """Show the texts, one group per level; leave a field alone while the user is typing in it."""
        if own != self._own:
            self._own = own
            self._build(own)
        for name, text in (("scales", scales), ("ratios", ratios)):
            groups = [group.strip() for group in text.split(";")]
            for field, group in zip(self.fields[name], groups, strict=False):
                if not field.hasFocus() or not field.isModified():
                    field.setText(group)
        self.reset.setEnabled((scales, ratios) != own.texts)
        if not any(field.isModified() for fields in self.fields.values() for field in fields):
            self._update_text("")

    def _build(self, own: Design) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        helps = FRACTIONS_HELP if own.fractions else HELP
        for column, title in enumerate(("", tr("Scales"), tr("Ratios"))):
            self._grid.addWidget(QLabel(title), 0, column)
        self.fields = {"scales": [], "ratios": []}
        for name, groups in (("scales", own.scales), ("ratios", own.ratios)):
            for row in range(len(groups)):
                field = QLineEdit()
                level = tr("level {row}", row=row) if row < own.levels else tr("after the last level")
                field.setAccessibleName(tr("Anchor {name}, {level}", name=name, level=level))
                field.setToolTip(f"{helps[name]}, {level}")
                field.setMinimumWidth(48)
                field.editingFinished.connect(self._finish)
                self._grid.addWidget(field, row + 1, 1 if name == "scales" else 2)
                self.fields[name].append(field)
        for row in range(len(own.scales)):
            self._grid.addWidget(QLabel(tr("Level {row}", row=row) if row < own.levels else tr("Beyond")), row + 1, 0)

    def _finish(self) -> None:
        if self._own is None or not any(f.isModified() for fields in self.fields.values() for f in fields):
            return
        texts = {name: "; ".join(field.text().strip() for field in fields) for name, fields in self.fields.items()}
        try:
            design = anchor_design.parse(self._own, texts["scales"], texts["ratios"])
        except Refusal as refusal:
            self._update_text(f"{refusal} {refusal.advice}")
            return
        for fields in self.fields.values():
            for field in fields:
                field.setModified(False)
        self._update_text("")
        self.changed.emit(*(("", "") if design == self._own else design.texts))

    def _update_text(self, text: str) -> None:
        palette = self.problem.palette()
        palette.setColor(QPalette.ColorRole.WindowText, theme.colours().error)
        self.problem.setPalette(palette)
        self.problem.setText(text)
        self.problem.setVisible(bool(text))
