"""The Compare panel: how parameters and boxes differ between the current settings, A, and the pinned ones, B."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import CHANGED, NO_CLASS, ONLY_A, ONLY_B, Boxes, Layer
from viewer.engine_texts import shown
from viewer.panels.base import GAP, Panel
from viewer.presenters import detections, settings_difference
from viewer.presenters.settings_difference import Difference
from viewer.session import pinned_settings, request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr, trn
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.tables.copy_table import Cells
from viewer.widgets.tables.legend import Legend, Stroke

DETECT = "detect"
TABLE_PX = 120
# It controls how boxes are shown and not which, so it is not compared.
MODES = {"difference": tr("Differences"), "a": tr("A, the current settings"), "b": tr("B, the pinned settings")}
LEGEND = {
    "only_a": (Stroke(ONLY_A, tr("Only in A")), tr("only in A")),
    "only_b": (Stroke(ONLY_B, tr("Only in B"), dashed=True), tr("only in B")),
    "changed": (Stroke(CHANGED, tr("Changed")), tr("moved or re-scored, B dashed")),
    "same": (Stroke(NO_CLASS, tr("The same"), faint=True), tr("the same")),
}
EMPTY = tr(
    "Pin the current settings as B, then change any of them: the picture shows which boxes come, go, move or take "
    "another score, while the sliders move."
)
ALIKE = tr("A and B are the same so far. Change a setting, or the method of suppression.")


class ComparePanel(Panel):
    """Buttons to pin, swap and drop B; the display mode; counts with their legend; the parameters that differ."""

    id: ClassVar[str] = "compare"
    rank: ClassVar[int] = 1

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._a: Result | None = None
        self._b: Result | None = None
        self._difference: Difference | None = None
        self.pin = _button(
            tr("Pin these settings as B"), tr("Keep the current settings, to compare others with them"), self._pin
        )
        self.swap = _button(tr("Swap"), tr("Use the pinned settings, and pin the current ones"), self._swap)
        self.drop = _button(tr("Remove B"), tr("Stop comparing"), self._remove_second)
        self.empty = WrappedLabel(tr("About comparing"), EMPTY, wide=True)
        self.mode = QComboBox()
        self.mode.setAccessibleName(tr("Show A or B"))
        self.mode.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.mode.setMinimumContentsLength(6)
        self.mode.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for key, title in MODES.items():
            self.mode.addItem(title, key)
        self.mode.activated.connect(self._choose)
        self.legend = Legend({role: stroke for role, (stroke, _) in LEGEND.items()})
        self.alike = WrappedLabel(tr("About the settings"), ALIKE, wide=True)
        self.table = Cells(tr("Settings that differ"), (tr("Setting"), "A", "B"))
        self.table.setMinimumHeight(TABLE_PX)
        self.compared = self._arranged()

        inside = QWidget()
        whole = QVBoxLayout(inside)
        whole.setContentsMargins(GAP, GAP, GAP, GAP)
        whole.setSpacing(GAP)
        buttons = QHBoxLayout()
        buttons.setSpacing(GAP)
        for button in (self.pin, self.swap, self.drop):
            buttons.addWidget(button)
        buttons.addStretch(1)
        whole.addLayout(buttons)
        whole.addWidget(self.empty)
        whole.addWidget(self.compared)
        whole.addStretch(1)
        self.fill(inside, self.entry.title)

    def _arranged(self) -> QWidget:
        """Return the part of the panel that is shown while settings are pinned."""
        shown = QFormLayout()
        shown.setHorizontalSpacing(GAP)
        shown.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        shown.addRow(tr("Show"), self.mode)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addLayout(shown)
        for part in (self.legend, self.alike, self.table):
            column.addWidget(part)
        column.addStretch(1)
        return whole

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the detections at the pinned settings, if there are any."""
        if document.pinned is None:
            return None
        return request_plan.ask(DETECT, pinned_settings.as_b(document), description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the pinned settings and how they differ from the current ones."""
        pinned = document.pinned is not None
        if not pinned:
            self._b = self._difference = None
        self.empty.setVisible(not pinned)
        self.compared.setVisible(pinned)
        self.pin.setEnabled(bool(document.sources))
        self.pin.setText(tr("Pin these settings as B") if not pinned else tr("Pin again"))
        self.swap.setVisible(pinned)
        self.drop.setVisible(pinned)
        self.mode.setCurrentIndex(self.mode.findData(document.view.compare))
        if pinned and description is not None:
            rows = _differing(document, description)
            self.table.take(rows)
            self.table.setVisible(bool(rows))
            self.alike.setVisible(not rows)
        self._update_text()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Store the detections of A or of B, and compare them."""
        if slot == DETECT:
            self._a = result
        elif slot == self.id:
            self._b = result
        if slot not in (DETECT, self.id) or self._a is None or self._b is None:
            return
        self._difference = settings_difference.differ(self._a, self._b)
        self._update_text()
        self.layers_changed.emit()

    def forget(self) -> None:
        """Drop the boxes of the previous picture."""
        self._a = self._b = self._difference = None

    def layers(self, document: Document) -> list[Layer]:
        """Paint the differences, or the boxes of B; the boxes of A are painted by the detection panel."""
        if document.pinned is None or self._difference is None or not document.view.boxes:
            return []
        labels, selected = document.view.labels, document.selected
        match document.view.compare:
            case "difference":
                return [*settings_difference.layers(self._difference, labels=labels, selected=selected)]
            case "b":
                shown = detections.detection_layers(self._difference.b, labels=labels, selected=selected)
                return [
                    replace(layer, id=f"{settings_difference.LAYER} b") for layer in shown if isinstance(layer, Boxes)
                ]
            case _:
                return []

    def picked(self, layer: str, row: int) -> bool:
        """Select a box of the comparison."""
        own = [each for each in self.layers(self.store.document) if each.id == layer and isinstance(each, Boxes)]
        if own:
            self.store.update(self.store.document.with_selected(int(own[0].ids[row])))
        return bool(own)

    def _update_text(self) -> None:
        counts = self._difference.counts if self._difference is not None else {}
        words = {}
        for role, (_, meaning) in LEGEND.items():
            count = counts.get(role)
            many = "…" if count is None else trn("{n:,} box", "{n:,} boxes", count)
            words[role] = f"{many} {meaning}"
        self.legend.tell(words)

    def _pin(self) -> None:
        self.store.update(pinned_settings.pin(self.store.document), title=tr("Pin settings as B"))

    def _swap(self) -> None:
        self.store.update(pinned_settings.swap(self.store.document), title=tr("Swap A and B"))

    def _remove_second(self) -> None:
        self.store.update(self.store.document.with_pinned(None), title=tr("Remove B"))

    def _choose(self) -> None:
        self.store.update(self.store.document.with_view(compare=str(self.mode.currentData())))


def _differing(document: Document, description: Description) -> list[tuple[str, str, str]]:
    """Return title, value in A and value in B, as text, of the parameters that differ."""
    offer = description.offers[DETECT]
    a, b = (
        {**offer.defaults, **request_plan.given(each, DETECT, description)}
        for each in (document, pinned_settings.as_b(document))
    )
    return [
        (p.title, shown(p.text(a[p.name])), shown(p.text(b[p.name])))
        for p in offer.parameters
        if a.get(p.name) != b.get(p.name)
    ]


def _button(title: str, help_text: str, run: object) -> QPushButton:
    button = QPushButton(title)
    button.setToolTip(help_text)
    button.clicked.connect(run)
    return button


PANEL = ComparePanel
