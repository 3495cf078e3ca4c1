"""The Depth panel: the map of distances over the picture, its range, and the value under the pointer."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtWidgets import QLabel, QVBoxLayout

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from viewer.canvas.layers import Heat, Layer
from viewer.panels.base import GAP, PaintingPanel, view_form
from viewer.presenters import heatmap
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.colour_bar import ColourBar

INSPECTION = "depth"
ROWS = (
    Parameter("masks", tr("Depth"), "bool", True, help=tr("Paint the distance of each pixel.")),
    Parameter(
        "mask_opacity", tr("Depth opacity"), "float", 0.5, help=tr("How much of the picture the distances cover.")
    ),
)
NOTHING_OPEN = tr("Open a picture to begin.")
WAITING = tr("Waiting for the answer…")
UNITS = {"metres": "m", "nearness": ""}
WORDS = {
    "metres": tr("Distances from {lowest} m to {highest} m, {mean} m on average"),
    "nearness": tr("Nearness without a unit, larger is nearer: from {lowest} to {highest}, {mean} on average"),
    "": tr("From {lowest} to {highest}, {mean} on average, in a unit that no file states"),
}


class DepthPanel(PaintingPanel):
    """A colour bar, the range in words, the value under the pointer, and the switches of the layer."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -6
    words_title: ClassVar[str] = tr("About the depth")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.bar = ColourBar()
        self.bar.setAccessibleName(tr("Colours of the depth"))
        self.here = QLabel()
        self.here.setAccessibleName(tr("Depth under the pointer"))
        self.form = view_form(store, ROWS)
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for part in (self.summary, self.bar, self.here, self.form):
            column.addWidget(part)
        column.addStretch(1)
        self._layer: Heat | None = None
        self._update_text()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the depth of every pixel."""
        return request_plan.ask(INSPECTION, document, description) if description is not None else None

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the switches; drop another model's map."""
        if self._request is not None and self._request.model != document.model:
            self.forget()
        self.form.set_values({p.name: getattr(document.view, p.name) for p in ROWS})
        self.form.set_applicable({"mask_opacity": "" if document.view.masks else tr("Depth is not painted.")})
        self._update_text()

    def take(self) -> None:
        """Show the map and say its range."""
        self._layer = None
        self._update_text()

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
            text = "" if value is None else tr("Here {value} {unit}", value=heatmap.number(value), unit=unit).strip()
        self.here.setText(text)

    def _update_text(self) -> None:
        if self._result is None:
            self.summary.setText(WAITING if self.store.document.sources else NOTHING_OPEN)
            self.here.clear()
            return
        meta = self._result.meta
        numbers = {name: heatmap.number(meta[name]) for name in ("lowest", "highest", "mean")}
        self.summary.setText(WORDS[meta.get("quantity", "")].format(**numbers))
        self.bar.set_range(meta["lowest"], meta["highest"])
