"""The Prototypes panel: a mask as the sum of prototypes that all objects share, term by term and pixel by pixel."""

from __future__ import annotations

from dataclasses import fields
from typing import ClassVar

import numpy as np

from models.detection.decision import Params as Detections
from models.inspection import Description
from models.params import Value
from models.requests import Request
from models.types import Result
from viewer import theme
from viewer.canvas.layers import Layer
from viewer.panels.base import PaintingSearchPanel
from viewer.presenters import prototypes
from viewer.presenters.instances import MASKS
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.slider import SliderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_grid import ChannelGrid
from viewer.widgets.tables.copy_table import Cells

INSPECTION = "prototypes"
OWN = ("box", "terms", "crop", "x", "y")
INVITATION = tr("How is a mask made of prototypes? Open a picture, and select a box.")
HINT = tr("Click a pixel to see what each prototype adds there.")
SUM_HELP = tr("How many prototypes are added, those that shape the mask most first; the picture shows the sum so far.")


class PrototypesPanel(PaintingSearchPanel):
    """The prototypes as thumbnails, their signed coefficients, the running sum, and a pixel taken apart."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -4
    settings_title: ClassVar[str] = tr("Mask")
    invites: ClassVar[str] = INVITATION
    waiting: ClassVar[str] = tr("The mask is being taken apart…")
    elsewhere: ClassVar[tuple[str, ...]] = tuple(
        [each.name for each in fields(Detections)] + [name for name in OWN if name != "crop"]
    )

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.grid = ChannelGrid(tr("Prototypes"))
        self.grid.setMinimumHeight(132)
        self.grid.describe = self._line
        self.grid.hovered.connect(lambda place: self.readout.setText(self._line(place[0]) if place else HINT))
        self.readout = WrappedLabel(tr("Prototype under the pointer"), small=True)
        self.readout.setText(HINT)
        self.terms = SliderRow(tr("Running sum"), low=1, high=2, step=1, whole=True, help=SUM_HELP, key="terms")
        self.terms.reported.connect(lambda _, value, __: self._add_up(int(value)))
        self.table = Cells(tr("Terms"), (tr("Prototype"), tr("Weight"), tr("IoU so far"), tr("At the pixel")))
        self.table.setMinimumHeight(150)
        self.arrange((self.terms, self.settings, self.grid, self.readout, self.table), command=INSPECTION)
        self.settings.set_open(True)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the terms of the selected box, else of the best one, while the panel is in view."""
        if INSPECTION not in document.view.inside or description is None:
            return None
        own: dict[str, Value] = {k: v for k, v in document.values(INSPECTION).items() if k in OWN}
        own["box"] = document.selected if document.selected >= 0 else -1
        return request_plan.ask(INSPECTION, document, description, settings="detect", extra=own)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the prototypes and the terms."""
        if slot != self.id:
            return
        order = result.arrays.get("order", np.arange(len(result.arrays["maps"])))
        self.grid.show_tiles(prototypes.atlas(result, theme.heat_lut), order)
        self.table.take(prototypes.rows(result))
        self.terms.set_high(max(2, len(order)))
        self.terms.set_default(len(order))
        self.terms.set_value(result.meta["terms"] or len(order))
        super().show_result(slot, request, result)

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show what there is: without a box only the prototypes."""
        made = result is not None and "order" in result.arrays
        for part in (self.grid, self.readout):
            part.setVisible(result is not None)
        for part in (self.table, self.terms):
            part.setVisible(made)

    def layers(self, document: Document) -> list[Layer]:
        """Return the sum so far, while the panel is in view."""
        if self._answer is None or INSPECTION not in document.view.inside:
            return []
        values = document.values(INSPECTION)
        x, y = (float(values.get(name, -1)) for name in ("x", "y"))
        return prototypes.layers(self._answer[1], place=(x, y) if min(x, y) >= 0 else None)

    def restyle(self, layers: list[Layer], document: Document) -> list[Layer]:
        """Leave out the filled masks, which would lie over the sum."""
        if self._answer is None or INSPECTION not in document.view.inside:
            return layers
        return [layer for layer in layers if layer.id != MASKS]

    def clicked(self, place: tuple[float, float]) -> bool:
        """Take the pixel apart; the click also selects a box as ever."""
        if INSPECTION in self.store.document.view.inside:
            document = self.store.document.with_value(INSPECTION, x=round(place[0], 1), y=round(place[1], 1))
            self.store.update(document, title=tr("Pixel"), merge=f"{INSPECTION}.pixel")
        return False

    def _add_up(self, count: int) -> None:
        whole = self._answer is not None and count >= len(self._answer[1].arrays["maps"])
        document = self.store.document.with_value(INSPECTION, terms=None if whole else count)
        self.store.update(document, title=tr("Running sum"), merge=f"{INSPECTION}.terms")

    def _line(self, row: int) -> str:
        return prototypes.describe(self._answer[1], row) if self._answer is not None else ""


PANEL = PrototypesPanel
