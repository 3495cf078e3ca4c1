"""The ways on from weights whose network is unknown: choose an architecture, open the code, or write a card."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QPushButton, QVBoxLayout, QWidget

GAP = 8
CHOOSE = "Choose its architecture…"


class UnknownWeights(QWidget):
    """A list of architectures by likeness and two buttons; each signal is one way on."""

    architecture_chosen = Signal(str)
    code_wanted = Signal()
    card_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.architectures = QComboBox()
        self.architectures.setAccessibleName("Architecture of these weights")
        self.architectures.setToolTip("The most alike first; what does not fit is said")
        self.architectures.setMinimumContentsLength(16)
        self.code = QPushButton("Open its code…")
        self.code.setToolTip("A Python file that builds the network, with these weights")
        self.card = QPushButton("Write a card…")
        self.card.setToolTip("Say its task, preprocessing and class names, and keep them beside the weights")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        for part in (self.architectures, self.code, self.card):
            column.addWidget(part)
        self.architectures.activated.connect(self._chosen)
        self.code.clicked.connect(self.code_wanted)
        self.card.clicked.connect(self.card_wanted)

    def set_alike(self, alike: Sequence[tuple[str, float]]) -> None:
        """Offer architectures with the share of the tensors that they have."""
        self.architectures.clear()
        self.architectures.addItem(CHOOSE if alike else "No known architecture is alike", "")
        for name, share in alike:
            self.architectures.addItem(f"{name} ({share:.0%} of the tensors)", name)
        self.architectures.setEnabled(bool(alike))

    def _chosen(self) -> None:
        if name := self.architectures.currentData():
            self.architecture_chosen.emit(str(name))
