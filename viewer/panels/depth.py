"""The Depth panel: one number for each pixel, as a map over the picture, with its colour bar."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton, QVBoxLayout

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.types import Failure, Result
from viewer.canvas.layers import Heat, Layer
from viewer.panels.base import GAP, Panel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.controls.form import Form
from viewer.widgets.pictures.map_readout import plain_label

ROWS = (
    Parameter("masks", "Map", "bool", True, help="Lay the map over the picture."),
    Parameter("mask_opacity", "Depth opacity", "float", 0.5, help="How much of the picture the map covers."),
)
NOTHING_OPEN = "Open a picture: here is then the network's number for each of its pixels."
WAITING = "Waiting for the answer…"
UNIT = "In the network's own unit: whether large is near or far, no file says."


class DepthPanel(Panel):
    """The switches of the map's layer, its range and its colours."""

    id: ClassVar[str] = "depth"
    rank: ClassVar[int] = -6

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.summary = plain_label("About the map")
        self.bar = ColourBar()
        self.bar.setAccessibleName("Colours of the map")
        self.form = Form(ROWS)
        self.form.reset.hide()
        self.form.set_named("At first")
        self.copy = QPushButton("Copy the numbers")
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.summary.text()))
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for part in (self.summary, self.bar, self.form, self.copy):
            column.addWidget(part)
        column.addStretch(1)
        self._result: Result | None = None
        self.form.changed.connect(self._changed)
        self.form.committed.connect(self._committed)
        self._tell()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the map of the current picture."""
        return None if description is None else request_plan.ask("depth", document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the switches."""
        self.form.set_values({p.name: getattr(document.view, p.name) for p in ROWS})
        self.form.set_applicable({"mask_opacity": "" if document.view.masks else "The map is not painted."})
        self._tell()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the map."""
        if slot == self.id:
            self._result = result
            self._tell()
            self.layers_changed.emit()

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Show that there is no map; keep the previous one."""
        if slot == self.id and self._result is None:
            self.summary.setText("Cancelled. F5 asks again." if failure.cancelled else failure.text)

    def forget(self) -> None:
        """Drop the map of the previous picture."""
        self._result = None
        self._tell()

    def layers(self, document: Document) -> list[Layer]:
        """Paint the map."""
        if self._result is None or not document.view.masks:
            return []
        x0, y0, x1, y1 = (float(v) for v in self._result.meta["extent"])
        low, high = float(self._result.meta["lowest"]), float(self._result.meta["highest"])
        values, opacity = self._result.arrays["map"], document.view.mask_opacity
        return [Heat("depth", values, (x0, y0, x1, y1), low, max(high, low + 1e-9), opacity=opacity)]

    def _tell(self) -> None:
        result = self._result
        self.bar.setVisible(result is not None)
        self.copy.setEnabled(result is not None)
        if result is None:
            self.summary.setText(WAITING if self.store.document.sources else NOTHING_OPEN)
            return
        meta, (rows, columns) = result.meta, result.arrays["map"].shape
        self.bar.set_range(meta["lowest"], meta["highest"], colour_map="sequential")
        numbers = f"{meta['lowest']:.4g} to {meta['highest']:.4g}, mean {meta['mean']:.4g}"
        self.summary.setText(f"{columns:,} × {rows:,} numbers, {numbers}\n{UNIT}")

    def _changed(self, name: str, value: float | int | bool | str) -> None:
        title = next(p.title for p in ROWS if p.name == name)
        self.store.update(self.store.document.with_view(**{name: value}), title=title, merge=f"view.{name}")

    def _committed(self, name: str, value: float | int | bool | str) -> None:
        self._changed(name, value)
        self.store.settle()


PANEL = DepthPanel
