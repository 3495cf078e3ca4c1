"""The dialog for the cluster that goes over data sets: its address, and whether own code may run there."""

from __future__ import annotations

from PySide6.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QFormLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from models.runtime.cluster_address import ADDRESS, EXAMPLE
from viewer.translation import tr

GAP = 8
WIDTH_PX = 520


class ClusterDialog(QDialog):
    """Asks for `address`, "" for none, and for `own_code`, which is not remembered beyond the window."""

    def __init__(self, address: str, *, own_code: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Cluster for data sets"))
        self.setMinimumWidth(WIDTH_PX)
        self._address = QLineEdit(address)
        self._address.setPlaceholderText(EXAMPLE)
        self._address.setClearButtonEnabled(True)
        self._address.setAccessibleName(tr("Address of the cluster"))
        self._own_code = QCheckBox(tr("My own code may run there, until the window closes"))
        self._own_code.setChecked(own_code)
        note = QLabel(
            tr(
                "A Ray cluster computes the parts of a pass over a data set. Every machine of it needs the same Python "
                "and the same Vitrine, and must see pictures, model and cache under the same paths. Leave the address "
                "empty to compute on this machine, or where {variable} says. It needs pip install 'ray[client]'.",
                variable=ADDRESS,
            )
        )
        note.setWordWrap(True)
        form = QFormLayout()
        form.setSpacing(GAP)
        form.addRow(tr("Address"), self._address)
        form.addRow("", self._own_code)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        column.setSpacing(2 * GAP)
        column.addWidget(note)
        column.addLayout(form)
        column.addWidget(buttons)
        self._address.setFocus()

    @property
    def address(self) -> str:
        """The address as it was typed, without blanks around it."""
        return self._address.text().strip()

    @property
    def own_code(self) -> bool:
        """Whether the user's own code may run on the cluster."""
        return self._own_code.isChecked()
