"""An editor for class names, one per line: type, paste, load a file or take a known data set's names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from models.cards import class_list, class_names
from models.types import Refusal
from viewer.engine_texts import shown
from viewer.translation import tr, trn
from viewer.widgets.controls.wrapped_label import WrappedLabel

GAP = 8
LINES = 7


class ClassNames(QWidget):
    """Class names in label order, compared with how many the network has. `changed` is emitted on every edit."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._wanted = 0
        self.text = QPlainTextEdit()
        self.text.setAccessibleName(tr("Class names, one a line"))
        self.text.setPlaceholderText(tr("One name a line, in the order of the network's outputs"))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setTabChangesFocus(True)
        self.text.setFixedHeight(LINES * self.text.fontMetrics().lineSpacing() + GAP * 2)
        self.sets = QComboBox()
        self.sets.setAccessibleName(tr("Known class names"))
        self.sets.setToolTip(tr("Use the names of a known data set"))
        self.sets.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.sets.setMinimumContentsLength(10)
        self.file = QPushButton(tr("From a file…"))
        self.file.setToolTip(tr("Read a list of names: text, JSON, YAML, a table or a label map"))
        self.count = WrappedLabel(tr("How many class names"))
        line = QHBoxLayout()
        line.setSpacing(GAP)
        line.addWidget(self.sets, 1)
        line.addWidget(self.file)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addWidget(QLabel(tr("Class names")))
        column.addLayout(line)
        column.addWidget(self.text)
        column.addWidget(self.count)
        self.text.textChanged.connect(self._update_text)
        self.sets.activated.connect(self._take)
        self.file.clicked.connect(self._ask)
        self.expect(0)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the current names. Raises Refusal if there are far too many."""
        return class_names.split(self.text.toPlainText())

    def set_names(self, names: Sequence[str]) -> None:
        """Replace the names."""
        self.text.setPlainText("\n".join(names))

    def expect(self, count: int) -> None:
        """Set how many names the network has, 0 if unknown; known sets of that size are listed first."""
        self._wanted = count
        self.sets.clear()
        self.sets.addItem(tr("A known set…"), "")
        fitting = [data for data in class_names.TITLES if len(class_names.names(data)) == count]
        for data in (*fitting, *(data for data in class_names.TITLES if data not in fitting)):
            self.sets.addItem(shown(class_names.TITLES[data]) + (tr(" (fits)") if data in fitting else ""), data)
        self._update_text()

    def _update_text(self) -> None:
        given = sum(bool(line.strip()) for line in self.text.toPlainText().splitlines())
        text = trn("{n:,} name", "{n:,} names", given)
        if self._wanted and given != self._wanted:
            text += tr(", the network has {wanted:,} classes", wanted=self._wanted)
        self.count.setText(text)
        self.changed.emit()

    def _take(self, index: int) -> None:
        if data := str(self.sets.itemData(index)):
            self.set_names(class_names.names(data))
        self.sets.setCurrentIndex(0)

    def _ask(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self,
            tr("Class names"),
            "",
            tr("Class names (*.txt *.names *.csv *.tsv *.json *.yaml *.yml *.pbtxt);;All files (*)"),
        )
        if name:
            self.load(Path(name))

    def load(self, path: Path) -> None:
        """Load names from a file, or show why it has none."""
        try:
            self.set_names(class_list.read(path))
        except Refusal as refusal:
            self.count.setText(f"{refusal} {refusal.advice}")
