"""The Segmentation panel: the classes in the picture, and whether and how they are painted."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.types import Failure, Result
from viewer.canvas.layers import Labels, Layer
from viewer.panels.base import GAP, Panel
from viewer.presenters import attribution, segmentation
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.lookup import label_of, word_for
from viewer.widgets.controls.form import Form
from viewer.widgets.tables.class_shares import ClassShares

ROWS = (
    Parameter("masks", "Classes", "bool", True, help="Fill each pixel with the colour of its class."),
    Parameter("mask_opacity", "Opacity", "float", 0.5, help="How much of the picture the classes cover."),
)
NOTHING_OPEN = "Open a picture to begin."
WAITING = "Waiting for the answer…"


class SegmentationPanel(Panel):
    """The classes with their shares of the pixels, and the switches of their layer."""

    id: ClassVar[str] = "segment"
    rank: ClassVar[int] = -6

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.summary.setAccessibleName("About the classes")
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.table = ClassShares()
        self.largest = QPushButton("Explain the largest class")
        self.largest.setToolTip("Explain whichever class covers most of a picture, of this one and of others")
        self.form = Form(ROWS)
        self.form.reset.hide()
        self.form.set_named("At first")
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.summary)
        column.addWidget(self.table, 1)
        column.addWidget(self.largest)
        column.addWidget(self.form)
        self._request: Request | None = None
        self._layer: Labels | None = None
        self._result: Result | None = None
        self.table.chosen.connect(self._choose)
        self.largest.clicked.connect(self._automatic)
        self.form.changed.connect(self._changed)
        self.form.committed.connect(self._committed)
        self._tell()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the class of every pixel."""
        return request_plan.ask("segment", document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the switches and mark the target; drop another model's classes."""
        if self._request is not None and self._request.model != document.model:
            self.forget()
        self.form.set_values({p.name: getattr(document.view, p.name) for p in ROWS})
        self.form.set_applicable({"mask_opacity": "" if document.view.masks else "Classes are not painted."})
        self._mark(document)
        self._tell()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """List and paint the classes."""
        if slot != self.id:
            return
        self._request, self._result, self._layer = request, result, None
        self.table.take(segmentation.lines(result), segmentation.clear(result.meta["names"]))
        self._mark(self.store.document)
        self._tell()
        self.layers_changed.emit()

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Show that there is no result; keep the previous one."""
        if slot == self.id and self._result is None:
            self.summary.setText("Cancelled. F5 asks again." if failure.cancelled else failure.text)

    def forget(self) -> None:
        """Drop the classes of the previous picture."""
        self._request = self._result = self._layer = None
        self.table.take(())
        self._tell()

    def layers(self, document: Document) -> list[Layer]:
        """Return the layer of the classes, the same object until something changes, because colouring it is slow."""
        if self._result is None or not document.view.masks:
            return []
        if self._layer is None or self._layer.opacity != document.view.mask_opacity:
            self._layer = segmentation.label_layer(self._result, opacity=document.view.mask_opacity)
        return [self._layer]

    def _tell(self) -> None:
        self.table.setEnabled(self._result is not None)
        if self._result is None:
            self.summary.setText(WAITING if self.store.document.sources else NOTHING_OPEN)
            return
        count, (rows, columns) = len(self._result.arrays["classes"]), self._result.meta["input"]
        of = len(self._result.meta["names"])
        self.summary.setText(f"{count:,} of {of:,} classes, seen at {columns:,} × {rows:,} pixels")

    def _mark(self, document: Document) -> None:
        wanted = attribution.target_of(document)
        names = self._result.meta["names"] if self._result is not None else ()
        self.table.mark(label_of(wanted, names) if wanted else -1)
        self.largest.setEnabled(bool(wanted))

    def _choose(self, label: int) -> None:
        if self._result is None:
            return
        names = self._result.meta["names"]
        document = attribution.with_target(self.store.document, word_for(label, names))
        self.store.update(document, title=f"Explain {names[label]}")

    def _automatic(self) -> None:
        document = attribution.with_target(self.store.document, "").explaining(against="")
        self.store.update(document, title="Explain the largest class")

    def _changed(self, name: str, value: float | int | bool | str) -> None:
        title = next(p.title for p in ROWS if p.name == name)
        self.store.update(self.store.document.with_view(**{name: value}), title=title, merge=f"view.{name}")

    def _committed(self, name: str, value: float | int | bool | str) -> None:
        self._changed(name, value)
        self.store.settle()


PANEL = SegmentationPanel
