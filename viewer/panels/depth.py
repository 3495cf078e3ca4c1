"""The Depth panel: the map of distances over the picture, its range, and the value under the pointer."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.types import Failure, Result
from viewer.canvas.layers import Heat, Layer
from viewer.panels.base import GAP, Panel
from viewer.presenters import heatmap
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.controls.form import Form

INSPECTION = "depth"
ROWS = (
    Parameter("masks", "Depth", "bool", True, help="Paint the distance of each pixel."),
    Parameter("mask_opacity", "Depth opacity", "float", 0.5, help="How much of the picture the distances cover."),
)
NOTHING_OPEN = "Open a picture to begin."
WAITING = "Waiting for the answer…"
UNITS = {"metres": "m", "nearness": ""}
WORDS = {
    "metres": "Distances from {lowest} m to {highest} m, {mean} m on average",
    "nearness": "Nearness without a unit, larger is nearer: from {lowest} to {highest}, {mean} on average",
    "": "From {lowest} to {highest}, {mean} on average, in a unit that no file states",
}


class DepthPanel(Panel):
    """A colour bar, the range in words, the value under the pointer, and the switches of the layer."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -6

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.summary.setAccessibleName("About the depth")
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = ColourBar()
        self.bar.setAccessibleName("Colours of the depth")
        self.here = QLabel()
        self.here.setAccessibleName("Depth under the pointer")
        self.form = Form(ROWS)
        self.form.reset.hide()
        self.form.set_named("At first")
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for part in (self.summary, self.bar, self.here, self.form):
            column.addWidget(part)
        column.addStretch(1)
        self._request: Request | None = None
        self._result: Result | None = None
        self._layer: Heat | None = None
        self.form.changed.connect(self._changed)
        self.form.committed.connect(self._committed)
        self._tell()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the depth of every pixel."""
        return request_plan.ask(INSPECTION, document, description) if description is not None else None

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the switches; drop another model's map."""
        if self._request is not None and self._request.model != document.model:
            self.forget()
        self.form.set_values({p.name: getattr(document.view, p.name) for p in ROWS})
        self.form.set_applicable({"mask_opacity": "" if document.view.masks else "Depth is not painted."})
        self._tell()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Paint the map and say its range."""
        if slot != self.id:
            return
        self._request, self._result, self._layer = request, result, None
        self._tell()
        self.layers_changed.emit()

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Show that there is no result; keep the previous one."""
        if slot == self.id and self._result is None:
            self.summary.setText("Cancelled. F5 asks again." if failure.cancelled else failure.text)

    def forget(self) -> None:
        """Drop the map of the previous picture."""
        self._request = self._result = self._layer = None
        self._tell()

    def layers(self, document: Document) -> list[Layer]:
        """Return the layer of the map, the same object until something changes."""
        if self._result is None or not document.view.masks:
            return []
        if self._layer is None or self._layer.opacity != document.view.mask_opacity:
            meta, values = self._result.meta, self._result.arrays["map"]
            more = {"opacity": document.view.mask_opacity, "own": values}
            self._layer = Heat(INSPECTION, values, meta["extent"], meta["lowest"], meta["highest"], **more)
        return [self._layer]

    def pointer(self, place: tuple[float, float] | None) -> None:
        """Say the value under the pointer."""
        text = ""
        if self._result is not None and place is not None:
            value = heatmap.value_at(self._result.arrays["map"], self._result.meta["extent"], *place)
            unit = UNITS.get(self._result.meta.get("quantity", ""), "")
            text = "" if value is None else f"Here {heatmap.number(value)} {unit}".strip()
        self.here.setText(text)

    def _tell(self) -> None:
        if self._result is None:
            self.summary.setText(WAITING if self.store.document.sources else NOTHING_OPEN)
            self.here.clear()
            return
        meta = self._result.meta
        numbers = {name: heatmap.number(meta[name]) for name in ("lowest", "highest", "mean")}
        self.summary.setText(WORDS[meta.get("quantity", "")].format(**numbers))
        self.bar.set_range(meta["lowest"], meta["highest"])

    def _changed(self, name: str, value: float | int | bool | str) -> None:
        title = next(p.title for p in ROWS if p.name == name)
        self.store.update(self.store.document.with_view(**{name: value}), title=title, merge=f"view.{name}")

    def _committed(self, name: str, value: float | int | bool | str) -> None:
        self._changed(name, value)
        self.store.settle()
