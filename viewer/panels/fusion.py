"""The Panoptic fusion panel: which candidates become segments, who won a pixel and why, and PQ by ground truth."""

from __future__ import annotations

from dataclasses import fields
from typing import ClassVar

from PySide6.QtWidgets import QPushButton

from models.detection.decision import Params as Detections
from models.inspection import Description
from models.params import Value
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Layer
from viewer.panels.base import PaintingSearchPanel
from viewer.presenters import fusion
from viewer.presenters.detections import DETECTIONS, REMOVED
from viewer.presenters.instances import MASKS
from viewer.presenters.segmentation import LAYER as CLASSES
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.tables.copy_table import Cells

INSPECTION = "fusion"
OWN = ("rule", "overlap", "area", "stuff", "x", "y")
INVITATION = tr("How do masks of things and classes of pixels become segments? Open a picture.")
HINT = tr("Click a pixel to see what every candidate puts into the pile there, and who wins.")
HIDDEN = (CLASSES, MASKS, DETECTIONS, REMOVED, "links")
ROW_PX, LEAST_PX, MOST_PX = 22, 64, 190


class FusionPanel(PaintingSearchPanel):
    """The finding in words, tables of candidates, of the pile at a pixel and of PQ, and the settings."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -3
    settings_title: ClassVar[str] = tr("Fusion")
    invites: ClassVar[str] = INVITATION
    waiting: ClassVar[str] = tr("The segments are being fused…")
    elsewhere: ClassVar[tuple[str, ...]] = (*(each.name for each in fields(Detections)), "truth", "x", "y")
    shares_titles: ClassVar[bool] = True
    live: ClassVar[bool] = True

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.candidates = Cells(tr("Candidates"), (tr("Candidate"), tr("Score"), tr("Outcome")))
        self.pile = Cells(tr("Pile at the pixel"), (tr("Candidate"), tr("Logit"), tr("Outcome")))
        self.hint = WrappedLabel(tr("How to explain a pixel"), small=True)
        self.hint.setText(HINT)
        titles = (tr("Class"), "PQ", "SQ", "RQ", tr("Hits"), tr("Wrong"), tr("Missed"))
        self.quality = Cells(tr("Panoptic quality"), titles)
        self.open = QPushButton(tr("Open ground truth…"))
        self.open.setAccessibleName(tr("Open ground truth with panoptic segments"))
        self.open.setToolTip(tr("A JSON file in COCO's panoptic format, with its PNG files beside it"))
        self.open.setAutoDefault(False)
        self.open.clicked.connect(lambda: self.command_wanted.emit("open-truth"))
        self.arrange((self.settings, self.candidates, self.hint, self.pile, self.quality, self.open))
        self.settings.set_open(True)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the segments at the detections' settings while the panel is in view."""
        if INSPECTION not in document.view.inside or description is None:
            return None
        own: dict[str, Value] = {k: v for k, v in document.values(INSPECTION).items() if k in OWN}
        if document.truth is not None:
            own["truth"] = document.truth.path
        return request_plan.ask(INSPECTION, document, description, settings="detect", extra=own)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings, and the button that opens ground truth where there is none."""
        super().refresh(document, description)
        self.open.setVisible(document.truth is None)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Fill the tables."""
        if slot != self.id:
            return
        tables = {
            self.candidates: fusion.candidates(result),
            self.pile: fusion.pile(result),
            self.quality: fusion.quality(result),
        }
        for table, rows in tables.items():
            table.take(rows)
            table.setFixedHeight(max(LEAST_PX, min(MOST_PX, (len(rows) + 1) * ROW_PX + 8)))
        super().show_result(slot, request, result)

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the tables that have something to say."""
        self.candidates.setVisible(result is not None)
        self.hint.setVisible(result is not None and "pixel" not in result.arrays)
        self.pile.setVisible(result is not None and "pixel" in result.arrays)
        self.quality.setVisible(result is not None and "pq" in result.arrays)

    def layers(self, document: Document) -> list[Layer]:
        """Return the segments, while the panel is in view."""
        if self._answer is None or INSPECTION not in document.view.inside:
            return []
        values = document.values(INSPECTION)
        x, y = (float(values.get(name, -1)) for name in ("x", "y"))
        return fusion.layers(self._answer[1], place=(x, y) if min(x, y) >= 0 else None)

    def restyle(self, layers: list[Layer], document: Document) -> list[Layer]:
        """Leave out the classes, masks and boxes that the segments were made of."""
        if self._answer is None or INSPECTION not in document.view.inside:
            return layers
        return [layer for layer in layers if layer.id not in HIDDEN]

    def clicked(self, place: tuple[float, float]) -> bool:
        """Explain the pixel."""
        if INSPECTION not in self.store.document.view.inside:
            return False
        document = self.store.document.with_value(INSPECTION, x=round(place[0], 1), y=round(place[1], 1))
        self.store.update(document, title=tr("Pixel"), merge=f"{INSPECTION}.pixel")
        return True


PANEL = FusionPanel
