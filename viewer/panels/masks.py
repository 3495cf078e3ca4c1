"""The Masks panel: whether and how the instance masks of the shown detections are painted, and their numbers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Layer, Rings
from viewer.panels.base import GAP, Panel
from viewer.presenters import instances
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.lookup import row_of
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.controls.form import Form

INSPECTION = "masks"
ROWS = (
    Parameter("masks", "Masks", "bool", True, help="Fill the shape of each shown detection in its class's colour."),
    Parameter("mask_opacity", "Mask opacity", "float", 0.5, help="How much of the picture a mask covers."),
    Parameter("mask_outlines", "Outlines", "bool", True, help="Draw a mask's edge, where its probability is one half."),
    Parameter("mask_values", "Probabilities", "bool", False, help="Show what the selected mask was made from."),
)
NONE_SELECTED = "Select a box to read its mask."


class MaskPanel(Panel):
    """Switches of the mask layer, and the numbers of the selected mask."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -5

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.form = Form(ROWS)
        self.form.reset.hide()
        self.form.set_named("At first")
        self.form.changed.connect(self._changed)
        self.form.committed.connect(self._committed)
        self.bar = ColourBar()
        self.bar.setAccessibleName("Colours of a mask's probabilities")
        self.bar.set_range(0.0, 1.0)
        self.text = QLabel()
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setWordWrap(True)
        self.text.setAccessibleName("About the selected mask")
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for part in (self.text, self.form, self.bar):
            column.addWidget(part)
        column.addStretch(1)
        self.fill(inside, "Mask settings")
        self._model = ""
        self._result: Result | None = None
        self._rings: Rings | None = None
        self._shown: np.ndarray | None = None

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the masks of the shown detections while they are painted."""
        view = document.view
        if description is None or not (view.masks or view.mask_values):
            return None
        return request_plan.ask(INSPECTION, document, description, settings="detect")

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the switches, or why there is nothing to switch."""
        reason = self.lacking(description) if description else ""
        self.form.set_values({p.name: getattr(document.view, p.name) for p in ROWS})
        usable = "" if document.view.masks else "Masks are off."
        self.form.set_applicable({"mask_opacity": usable, "mask_outlines": usable})
        self.bar.setVisible(document.view.mask_values and not reason)
        self.text.setText(reason or self._numbers(document))

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Store the masks, and the ids of the detections shown; the masks of other detections are not painted."""
        if slot == "detect":
            self._shown = result.arrays["ids"]
        elif slot == self.id:
            self._model, self._result, self._rings = request.model, result, instances.rings_of(result)
            self.text.setText(self._numbers(self.store.document))
            self.layers_changed.emit()

    def forget(self) -> None:
        """Drop the masks of the previous picture."""
        self._result = self._rings = self._shown = None

    def layers(self, document: Document) -> list[Layer]:
        """Paint the masks, and the probabilities of the selected one."""
        result, rings, view = self._result, self._rings, document.view
        if result is None or rings is None or self._model != document.model:
            return []
        layers: list[Layer] = []
        if view.masks:
            ids = result.arrays["ids"]
            rows = np.flatnonzero(np.isin(ids, ids if self._shown is None else self._shown))
            layers.append(
                instances.mask_layer(result, rings, rows, opacity=view.mask_opacity, outlined=view.mask_outlines)
            )
        row = row_of(result, document.selected)
        if view.mask_values and row >= 0:
            layers.append(instances.mask_values(result, row))
        return layers

    def _numbers(self, document: Document) -> str:
        result, rings = self._result, self._rings
        if result is None or rings is None or not len(result.arrays["ids"]):
            return ""
        masks, boxes = result.arrays["masks"], result.arrays["boxes"]
        lines = [f"{len(masks):,} masks of {masks.shape[2]} × {masks.shape[1]} cells"]
        row = row_of(result, document.selected)
        if row < 0:
            return "\n".join([*lines, NONE_SELECTED])
        area = instances.area(rings, row)
        width, height = (float(v) for v in boxes[row, 2:] - boxes[row, :2])
        part = area / max(width * height, 1e-6)
        values = masks[row]
        lines.append(f"Selected: {area:,.0f} pixels, {100 * part:.0f} % of its box")
        lines.append(f"Probabilities from {values.min():.2f} to {values.max():.2f}, {values.mean():.2f} on average")
        return "\n".join(lines)

    def _changed(self, name: str, value: float | int | bool | str) -> None:
        title = next(p.title for p in ROWS if p.name == name)
        self.store.update(self.store.document.with_view(**{name: value}), title=title, merge=f"view.{name}")

    def _committed(self, name: str, value: float | int | bool | str) -> None:
        self._changed(name, value)
        self.store.settle()


PANEL = MaskPanel
