"""The ways on from weights whose network is unknown: choose an architecture, open the code, or write a card."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QPushButton, QVBoxLayout, QWidget

from viewer.translation import tr

GAP = 8
CHOOSE = tr("Choose its architecture…")


class UnknownWeights(QWidget):
    """A list of architectures by likeness and two buttons; each signal is one way on."""

    architecture_chosen = Signal(str)
    code_wanted = Signal()
    card_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.architectures = QComboBox()
        self.architectures.setAccessibleName(tr("Architecture of these weights"))
        self.architectures.setToolTip(tr("The most similar first, with what does not fit"))
        self.architectures.setMinimumContentsLength(16)
        self.code = QPushButton(tr("Open its code…"))
        self.code.setToolTip(tr("A Python file that builds the network, with these weights"))
        self.card = QPushButton(tr("Write a card…"))
        self.card.setToolTip(tr("State its task, preprocessing and class names, and keep them beside the weights"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        for part in (self.architectures, self.code, self.card):
            column.addWidget(part)
        self.architectures.activated.connect(self._chosen)
        self.code.clicked.connect(self.code_wanted)
        self.card.clicked.connect(self.card_wanted)

    def set_similar(self, alike: Sequence[tuple[str, float]]) -> None:
        """Offer architectures with the share of the tensors that they have."""
        self.architectures.clear()
        self.architectures.addItem(CHOOSE if alike else tr("No known architecture is similar"), "")
        for name, share in alike:
            self.architectures.addItem(tr("{name} ({share:.0%} of the tensors)", name=name, share=share), name)
        self.architectures.setEnabled(bool(alike))

    def _chosen(self) -> None:
        if name := self.architectures.currentData():
            self.architecture_chosen.emit(str(name))
