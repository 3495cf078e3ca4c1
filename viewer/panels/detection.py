"""Detection: thresholds of every stage after the network, classes with counts, and how much of it is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHeaderView, QLabel, QScrollArea, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from models.inspection import Description, Offer
from models.requests import Request
from models.types import Failure, Result
from viewer import overlay, plan, theme
from viewer.canvas.layers import Layer
from viewer.document import Document
from viewer.panels.base import GAP, Panel
from viewer.store import Store
from viewer.widgets.form import Form

INSPECTION = "detect"
APART = ("hidden",)
FEW_CLASSES = 16
WAITING = "Waiting for the answer…"
NOTHING_OPEN = "Open a picture to begin."


class DetectionPanel(Panel):
    """The form of the detect inspection, the class list, and the boxes on the picture."""

    id: ClassVar[str] = INSPECTION
    title: ClassVar[str] = "Detection"
    icon: ClassVar[str] = "boxes"
    needs: ClassVar[tuple[str, ...]] = ("Detects",)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.summary = QLabel(WAITING)
        self.summary.setWordWrap(True)
        self.summary.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.summary.setMinimumHeight(2 * self.summary.fontMetrics().lineSpacing())
        self.summary.setAccessibleName("Summary")
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.classes = QTreeWidget()
        self.classes.setAccessibleName("Classes")
        self.classes.setColumnCount(2)
        self.classes.setHeaderLabels(["Class", "Found"])
        self.classes.headerItem().setToolTip(1, "Above the score, before classes are hidden and the maximum cuts")
        self.classes.setRootIsDecorated(False)
        self.classes.setUniformRowHeights(True)
        self.classes.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.classes.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.classes.header().setStretchLastSection(False)
        self.classes.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.classes.itemChanged.connect(self._class_toggled)
        self.form: Form | None = None
        self._offer: Offer | None = None
        self._result: Result | None = None
        self._names: tuple[str, ...] = ()

        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(GAP, GAP, GAP, GAP)
        self._column.setSpacing(GAP)
        self._column.addWidget(self.summary)
        self._column.addWidget(self.classes, 1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setAccessibleName("Detection settings")
        scroll.setWidget(inside)
        self._scroll = scroll
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        theme.changes().connect(self._restyle)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Want the current picture's detections."""
        return plan.detect(document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the model's own ranges and what the user changed."""
        offer = description.offers.get(INSPECTION) if description else None
        if offer is None or description is None:
            return
        if offer != self._offer:
            self._build(offer)
        if description.classes != self._names:
            self._names = description.classes
            self._list_classes()
            self._count(self._result.meta["counts"] if self._result is not None else {})
        if self.form is not None:
            values = {**offer.defaults, **plan.given(document, INSPECTION, description)}
            self.form.set_values(values)
        self._mark_hidden(document)
        if not document.sources:
            self.summary.setText(NOTHING_OPEN)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the counts and remember the boxes."""
        if slot != INSPECTION:
            return
        self._result = result
        shown, total, cut = len(result.arrays["boxes"]), result.meta["candidates"], result.meta["cut"]
        more = [f"{result.meta['proposals']:,} proposals"] if result.meta["proposals"] else []
        more += [f"{cut:,} more cut by the maximum"] if cut else []
        self.summary.setText(f"{shown:,} of {total:,} candidates shown\n{' · '.join(more)}".strip())
        self._count(result.meta["counts"])
        self.layers_changed.emit()

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Say that there are no detections; those of an earlier answer stay."""
        if slot == INSPECTION and self._result is None:
            self.summary.setText("Cancelled. F5 asks again." if failure.cancelled else failure.text)

    def forget(self) -> None:
        """Drop the boxes of a picture that is gone."""
        self._result = None
        self.summary.setText(WAITING)

    def layers(self, document: Document) -> list[Layer]:
        """Paint the boxes."""
        if self._result is None or not document.view.boxes:
            return []
        return overlay.detection_layers(self._result, labels=document.view.labels, selected=document.selected)

    def _build(self, offer: Offer) -> None:
        if self.form is not None:
            self._column.removeWidget(self.form)
            self.form.deleteLater()
        self._offer = offer
        # The titles say the units; in the entries they would leave the sliders no room.
        self.form = Form([replace(p, unit="") for p in offer.parameters if p.name not in APART])
        self.form.set_defaults(offer.defaults)
        self.form.set_applicable({p.name: offer.greyed.get(p.name, "") for p in offer.parameters})
        self.form.changed.connect(self._changed)
        self.form.committed.connect(self._committed)
        self.form.reset_requested.connect(self._reset)
        self._column.insertWidget(1, self.form)
        bar = self._scroll.verticalScrollBar().sizeHint().width()
        self._scroll.setMinimumWidth(self.form.minimumSizeHint().width() + 2 * GAP + bar)

    def _changed(self, name: str, value: float | int | bool | str) -> None:
        offer = self._offer
        if offer is None:
            return
        title = next((p.title for p in offer.parameters if p.name == name), name)
        own = offer.defaults.get(name)
        document = self.store.document.with_value(INSPECTION, **{name: None if value == own else value})
        self.store.update(document, title=title, merge=f"{INSPECTION}.{name}")

    def _committed(self, name: str, value: float | int | bool | str) -> None:
        self._changed(name, value)
        self.store.settle()

    def _reset(self) -> None:
        self.store.update(self.store.document.with_own(INSPECTION), title="Reset detection")

    def _list_classes(self) -> None:
        self.classes.blockSignals(True)
        self.classes.clear()
        for label, name in enumerate(self._names):
            if label == 0 or name == "N/A":
                continue
            item = QTreeWidgetItem([name, ""])
            item.setData(0, Qt.ItemDataRole.UserRole, label)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(0, Qt.CheckState.Checked)
            item.setIcon(0, theme.swatch(theme.class_colour(label)))
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight)
            self.classes.addTopLevelItem(item)
        self.classes.blockSignals(False)
        rows = min(self.classes.topLevelItemCount(), 10)
        self.classes.setMinimumHeight(self.classes.header().sizeHint().height() + rows * 22 + 4)

    def _items(self) -> list[QTreeWidgetItem]:
        found = [self.classes.topLevelItem(i) for i in range(self.classes.topLevelItemCount())]
        return [item for item in found if item is not None]

    def _count(self, counts: dict[int, int]) -> None:
        self.classes.blockSignals(True)
        many = self.classes.topLevelItemCount() > FEW_CLASSES
        for item in self._items():
            count = counts.get(item.data(0, Qt.ItemDataRole.UserRole), 0)
            item.setText(1, f"{count:,}" if count else "")
            item.setHidden(many and not count and item.checkState(0) == Qt.CheckState.Checked)
        self.classes.blockSignals(False)
        self.classes.viewport().update()

    def _mark_hidden(self, document: Document) -> None:
        hidden = _hidden(document)
        self.classes.blockSignals(True)
        for item in self._items():
            state = Qt.CheckState.Unchecked if item.text(0) in hidden else Qt.CheckState.Checked
            item.setCheckState(0, state)
        self.classes.blockSignals(False)

    def _class_toggled(self, item: QTreeWidgetItem) -> None:
        hidden = _hidden(self.store.document)
        name = item.text(0)
        if item.checkState(0) == Qt.CheckState.Checked:
            hidden.discard(name)
        else:
            hidden.add(name)
        ordered = ",".join(n for n in self._names if n in hidden)
        document = self.store.document.with_value(INSPECTION, hidden=ordered or None)
        self.store.update(document, title=f"{'Hide' if name in hidden else 'Show'} class {name}")

    def _restyle(self) -> None:
        self.classes.viewport().update()


def _hidden(document: Document) -> set[str]:
    return {name for name in str(document.values(INSPECTION).get("hidden", "")).split(",") if name}


PANEL = DetectionPanel
