"""The dialog for opening the user's own model code: the file, the object in it that is the model, and the weights.

It parses the file without running it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from models import model_name
from models.cards import card
from models.files import WEIGHTS_SUFFIXES
from models.types import Refusal
from models.user_code import outline
from viewer.translation import tr

GAP = 8
SIZE_PX = (560, 420)
USUAL = ("build", "build_model", "create_model", "make_model", "get_model", "model")
KINDS = {"adapter": "adapter", "function": "function", "network": "torch.nn.Module"}


class OpenCode(QDialog):
    """Asks for a file, one of the models it defines, and a weights file. `name` is the resulting full model name."""

    def __init__(self, file: str = "", weights: str = "", *, folder: str = "", parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Open code"))
        self.resize(*SIZE_PX)
        self._folder = folder
        self.file, self.weights = QLineEdit(file), QLineEdit(weights)
        self.file.setPlaceholderText("path/to/file.py")
        self.weights.setPlaceholderText(tr("None: as the code returns it"))
        self.choices = QListWidget()
        self.choices.setAccessibleName(tr("Which part of it is the model"))
        self.choices.setUniformItemSizes(True)
        self.choices.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.note = QLabel()
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.note.setWordWrap(True)
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.classes = QLineEdit()
        self.classes.setPlaceholderText(tr("As many as the weights have"))
        form = QFormLayout()
        form.setSpacing(GAP)
        form.addRow(tr("File"), self._with_button(self.file, tr("File of code"), self._ask_file))
        form.addRow(tr("Model"), self.choices)
        form.addRow("", self.note)
        form.addRow(tr("Weights"), self._with_button(self.weights, tr("File of weights"), self._ask_weights))
        form.addRow(tr("Classes"), self.classes)
        self.classes.setAccessibleName(tr("Number of classes"))
        self.classes.setToolTip(tr("Passed to a function that asks for num_classes"))
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        column.setSpacing(2 * GAP)
        column.addLayout(form, 1)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel)
        self.open_button = self.buttons.button(QDialogButtonBox.StandardButton.Open)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column.addWidget(self.buttons)
        self.file.editingFinished.connect(self.read)
        self.choices.currentRowChanged.connect(lambda _: self._allow())
        self.choices.itemActivated.connect(lambda _: self.accept())
        self.weights.textChanged.connect(lambda _: self._allow())
        self.classes.textChanged.connect(lambda _: self._allow())
        self._shown: str | None = None
        self.read()
        (self.choices if self.choices.count() else self.file).setFocus()

    @property
    def name(self) -> str:
        """Return the full name of the model."""
        item = self.choices.currentItem()
        choice = item.data(Qt.ItemDataRole.UserRole) if item else ""
        base = self.file.text().strip()
        assumed = {"weights": self.weights.text().strip(), "num_classes": self.classes.text().strip()}
        if choice == outline.ADAPTER:
            assumed.pop("num_classes")
        else:
            base = f"{base}:{choice}"
        return card.canonical(model_name.join(base, {key: value for key, value in assumed.items() if value}))

    def read(self) -> None:
        """List the models that the file defines, unless it is the file read last."""
        path = self.file.text().strip()
        if path == self._shown:
            return
        self._shown = path
        self.choices.clear()
        try:
            found = outline.read(Path(path).expanduser()) if path else ()
            text = (
                "" if found or not path else tr("It defines no adapter, no network, and no function that builds one.")
            )
        except Refusal as refusal:
            found, text = (), f"{refusal} {refusal.advice}"
        for choice in found:
            words = tr(
                "{choice}  ·  {kinds}, line {line}", choice=choice.name, kinds=KINDS[choice.kind], line=choice.line
            )
            item = QListWidgetItem(f"{words}  ·  {choice.help}" if choice.help else words)
            item.setToolTip(f"<qt>{escape(choice.help)}</qt>" if choice.help else "")
            item.setData(Qt.ItemDataRole.UserRole, choice.name)
            self.choices.addItem(item)
        self.choices.setCurrentRow(_likely(found))
        self.note.setText(text or tr("It is only read here: you are asked before any of it runs."))
        self._allow()

    def accept(self) -> None:
        """Close the dialog if there is something to open."""
        self.read()
        if self.open_button.isEnabled():
            super().accept()

    def _allow(self) -> None:
        item = self.choices.currentItem()
        adapter = item is not None and item.data(Qt.ItemDataRole.UserRole) == outline.ADAPTER
        self.classes.setEnabled(item is not None and not adapter)
        counted = self.classes.text().strip()
        self.open_button.setEnabled(item is not None and (adapter or not counted or counted.isdecimal()))

    def _with_button(self, line: QLineEdit, name: str, ask: object) -> QHBoxLayout:
        line.setAccessibleName(name)
        button = QPushButton(tr("Choose…"))
        button.setAccessibleName(tr("Choose the {name}{name_2}", name=name[0].lower(), name_2=name[1:]))
        button.setAutoDefault(False)
        button.clicked.connect(ask)
        row = QHBoxLayout()
        row.setSpacing(GAP)
        row.addWidget(line, 1)
        row.addWidget(button)
        return row

    def _ask_file(self) -> None:
        begin = self.file.text() or self._folder
        name, _ = QFileDialog.getOpenFileName(self, tr("Open code"), begin, tr("Python (*.py *.ipynb)"))
        if name:
            self.file.setText(name)
            self.read()

    def _ask_weights(self) -> None:
        kinds = " ".join(f"*{suffix}" for suffix in sorted(WEIGHTS_SUFFIXES))
        begin = self.weights.text() or str(Path(self.file.text()).parent)
        name, _ = QFileDialog.getOpenFileName(self, tr("Weights"), begin, tr("Weights ({kinds})", kinds=kinds))
        if name:
            self.weights.setText(name)


def _likely(found: Sequence[outline.Choice]) -> int:
    """Return the row most likely meant: an adapter, the only network, a usual name, the last network, or row 0."""
    if (meant := outline.likely(found)) is not None:
        return found.index(meant)
    names = [choice.name for choice in found]
    usual = [names.index(name) for name in (outline.ADAPTER, *USUAL) if name in names]
    networks = [row for row, choice in enumerate(found) if choice.kind == "network"]
    return usual[0] if usual else networks[-1] if networks else 0
