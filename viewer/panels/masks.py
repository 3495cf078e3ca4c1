"""The Masks panel: whether and how the instance masks of the shown detections are painted, and their numbers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Layer, Rings
from viewer.panels.base import GAP, PaintingPanel, view_form
from viewer.presenters import instances
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.lookup import row_of
from viewer.translation import tr, trn
from viewer.widgets.charts.colour_bar import ColourBar

INSPECTION = "masks"
ROWS = (
    Parameter(
        "masks", tr("Masks"), "bool", True, help=tr("Fill the shape of each shown detection in its class's colour.")
    ),
    Parameter("mask_opacity", tr("Mask opacity"), "float", 0.5, help=tr("How much of the picture a mask covers.")),
    Parameter(
        "mask_outlines", tr("Outlines"), "bool", True, help=tr("Draw a mask's edge, where its probability is one half.")
    ),
    Parameter("mask_values", tr("Probabilities"), "bool", False, help=tr("Show what the selected mask was made from.")),
)
NONE_SELECTED = tr("Select a box to read its mask.")


class MaskPanel(PaintingPanel):
    """Switches of the mask layer, and the numbers of the selected mask."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -5
    words_title: ClassVar[str] = tr("About the selected mask")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.form = view_form(store, ROWS)
        self.bar = ColourBar()
        self.bar.setAccessibleName(tr("Colours of a mask's probabilities"))
        self.bar.set_range(0.0, 1.0)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for part in (self.summary, self.form, self.bar):
            column.addWidget(part)
        column.addStretch(1)
        self.fill(inside, tr("Mask settings"))
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
        usable = "" if document.view.masks else tr("Masks are off.")
        self.form.set_applicable({"mask_opacity": usable, "mask_outlines": usable})
        self.bar.setVisible(document.view.mask_values and not reason)
        self.summary.setText(reason or self._numbers(document))

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Store the masks, and the ids of the detections shown; the masks of other detections are not painted."""
        if slot == "detect":
            self._shown = result.arrays["ids"]
        super().show_result(slot, request, result)

    def take(self) -> None:
        """Read the masks' numbers and outlines."""
        self._rings = instances.rings_of(self._result) if self._result is not None else None
        self.summary.setText(self._numbers(self.store.document))

    def forget(self) -> None:
        """Drop the masks of the previous picture."""
        self._shown = None
        super().forget()

    def layers(self, document: Document) -> list[Layer]:
        """Paint the masks, and the probabilities of the selected one."""
        result, rings, view = self._result, self._rings, document.view
        if result is None or rings is None or not self.is_of(document):
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
        lines = [
            trn(
                "{n:,} mask of {shape} × {shape_2} cells",
                "{n:,} masks of {shape} × {shape_2} cells",
                len(masks),
                shape=masks.shape[2],
                shape_2=masks.shape[1],
            )
        ]
        row = row_of(result, document.selected)
        if row < 0:
            return "\n".join([*lines, NONE_SELECTED])
        area = instances.area(rings, row)
        width, height = (float(v) for v in boxes[row, 2:] - boxes[row, :2])
        part = area / max(width * height, 1e-6)
        values = masks[row]
        lines.append(tr("Selected: {area:,.0f} pixels, {part:.0f} % of its box", area=area, part=100 * part))
        lines.append(
            tr(
                "Probabilities from {values:.2f} to {values_2:.2f}, {values_3:.2f} on average",
                values=values.min(),
                values_2=values.max(),
                values_3=values.mean(),
            )
        )
        return "\n".join(lines)


PANEL = MaskPanel
