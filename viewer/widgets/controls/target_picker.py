"""Controls for what an attribution explains: target class, opposing class, part of a box, layer."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from viewer import theme
from viewer.presenters.attribution import PARTS
from viewer.translation import tr
from viewer.widgets.controls.class_picker import ClassBox
from viewer.widgets.controls.elided_label import ElidedLabel
from viewer.widgets.controls.wrapped_label import WrappedLabel

GAP = 8
NOTHING = tr("Nothing")
HIGHEST, OWN = tr("Highest scoring class"), tr("The box's own class")
COORDINATE = tr("A coordinate of the box is explained, which belongs to no class.")
NO_LAYER = tr("Works on no layer")


class TargetForm(QWidget):
    """Signals emit the user's choice: the word for a class ("" for none), a part of the box, or a request."""

    target_picked = Signal(str)
    against_picked = Signal(str)
    part_picked = Signal(str)
    layers_wanted = Signal()
    own_layer_wanted = Signal()
    clear_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.about = WrappedLabel(tr("Box that is explained"))
        self.clear = QToolButton()
        self.clear.setAutoRaise(True)
        self.clear.setAccessibleName(tr("Explain the best box"))
        self.clear.setToolTip(tr("Remove the box or rectangle: explain the best box"))
        self.target = ClassBox(tr("Target class"), none=HIGHEST)
        self.against = ClassBox(tr("Class set against the target"), none=NOTHING)
        self.against.setToolTip(tr("Explain what speaks for the target rather than for this class"))
        self.part = QComboBox()
        self.part.setAccessibleName(tr("Part of the box"))
        self.part.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.part.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        for key, title in PARTS.items():
            self.part.addItem(title, key)
        self.layer = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.layer.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.choose, self.own = QPushButton(tr("Layers…")), QToolButton()
        self.choose.setToolTip(tr("Choose the layer from the list of the network's calls"))
        self.own.setAutoRaise(True)
        self.own.setAccessibleName(tr("Automatic layer"))
        self.own.setToolTip(tr("Choose the best layer automatically"))
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setSpacing(GAP)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._about = _line(self.about, self.clear)
        self._layer = _line(self.layer, self.own, self.choose)
        rows = (
            (tr("Of"), self._about),
            (tr("Part"), self.part),
            (tr("Class"), self.target),
            (tr("Against"), self.against),
        )
        for title, field in (*rows, (tr("Layer"), self._layer)):
            label = QLabel(title)
            label.setBuddy(field if isinstance(field, QComboBox) else None)  # type: ignore[arg-type]
            self._form.addRow(label, field)
        self.target.picked.connect(self.target_picked)
        self.against.picked.connect(self.against_picked)
        self.part.activated.connect(lambda row: self.part_picked.emit(str(self.part.itemData(row))))
        self.choose.clicked.connect(self.layers_wanted)
        self.own.clicked.connect(self.own_layer_wanted)
        self.clear.clicked.connect(self.clear_wanted)
        theme.changes().connect(self._restyle)
        self._restyle()

    def list(self, names: Sequence[str], *, boxes: bool, own: bool) -> None:
        """List a model's classes; `boxes` says whether it is a detector, `own` whether a box supplies its own class."""
        self.target.list(names, none=OWN if own else HIGHEST)
        self.against.list(names, none=NOTHING)
        for field in (self._about, self.part):
            self._form.setRowVisible(field, boxes)

    def follow(self, *, target: str, against: str, part: str, about: str, picked: bool) -> None:
        """Show the current choice; `picked` says whether the user selected a box or rectangle."""
        self.target.follow(target)
        self.against.follow(against)
        with QSignalBlocker(self.part):
            self.part.setCurrentIndex(max(self.part.findData(part), 0))
        self.about.setText(about)
        self.clear.setVisible(picked)
        scored = part == "score"
        for box, tip in ((self.target, tr("The class that is explained")), (self.against, self.against.toolTip())):
            box.setEnabled(scored)
            box.setToolTip(COORDINATE if not scored else "" if tip == COORDINATE else tip)

    def follow_layer(self, chosen: str, automatic: str, *, used: bool) -> None:
        """Show the layer, or that the method uses none."""
        words = chosen or (tr("Automatic: {automatic}", automatic=automatic) if automatic else tr("Automatic"))
        self.layer.setText(words if used else NO_LAYER)
        self.layer.setEnabled(used)
        self.own.setVisible(used and bool(chosen))

    def _restyle(self) -> None:
        self.clear.setIcon(theme.icon("close"))
        self.own.setIcon(theme.icon("reset"))


def _line(first: QWidget, *others: QWidget) -> QWidget:
    holder = QWidget()
    line = QHBoxLayout(holder)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(GAP // 2)
    line.addWidget(first, 1)
    for other in others:
        line.addWidget(other)
    return holder
