"""The Heat-map detection panel: which cells of a heat map become boxes, which are silenced, and which corners pair."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtWidgets import QCheckBox

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Layer
from viewer.panels.base import PaintingSearchPanel
from viewer.presenters import peaks
from viewer.presenters.detections import DETECTIONS, REMOVED
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.tables.copy_table import Cells

INSPECTION = "peaks"
INVITATION = tr("Which cells of the heat map become boxes, and which are silenced? Open a picture.")
CENTRES_KEY = tr(
    "A ring is a peak, the line ends at its centre after the offset, faint dots were silenced. The radius is that of "
    "the Gaussian drawn around such an object in training, in cells, by CornerNet's published formula and the "
    "corrected one."
)
CORNERS_KEY = tr(
    "Dots are upper left corners, rings lower right ones; like colours mean like embeddings. Choose a pair to see it."
)
MOST_ROWS = 200


class PeaksPanel(PaintingSearchPanel):
    """The finding in words, a table of the peaks or pairs, and the settings, none of which runs the network."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -4
    settings_title: ClassVar[str] = tr("Peaks")
    invites: ClassVar[str] = INVITATION
    waiting: ClassVar[str] = tr("The peaks are being looked for…")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.heat = QCheckBox(tr("Heat map over the picture"))
        self.heat.setChecked(True)
        self.heat.toggled.connect(lambda _: self.layers_changed.emit())
        self.table = Cells(tr("Peaks"), ("", "", "", ""))
        self.table.setMinimumHeight(150)
        self.table.currentItemChanged.connect(lambda now, _: self._mark(self.table.indexOfTopLevelItem(now)))
        self.key = WrappedLabel(tr("What is painted"), small=True)
        self.row = -1
        self.arrange((self.settings, self.heat, self.table, self.key), command=INSPECTION)
        self.settings.set_open(True)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the peaks while the panel is in view."""
        return request_plan.in_view(request_plan.ask, INSPECTION, document, description)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """List the peaks, or the pairs."""
        if slot != self.id:
            return
        self.row = -1
        self.table.setHeaderLabels(list(peaks.titles(result)))
        self.table.take(peaks.rows(result)[:MOST_ROWS])
        self.key.setText(CORNERS_KEY if result.meta["what"] == peaks.CORNERS else CENTRES_KEY)
        super().show_result(slot, request, result)

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the table if there is something in it."""
        for part in (self.table, self.key, self.heat):
            part.setVisible(result is not None)

    def forget(self) -> None:
        """Drop the peaks of the previous picture."""
        self.row = -1
        super().forget()

    def layers(self, document: Document) -> list[Layer]:
        """Return map, peaks and boxes, while the panel is in view."""
        if self._answer is None or INSPECTION not in document.view.inside:
            return []
        return peaks.layers(self._answer[1], row=self.row, heat=self.heat.isChecked())

    def restyle(self, layers: list[Layer], document: Document) -> list[Layer]:
        """Leave out the detections, which would lie over the boxes of the peaks."""
        if self._answer is None or INSPECTION not in document.view.inside:
            return layers
        return [layer for layer in layers if layer.id not in (DETECTIONS, REMOVED, "links")]

    def _mark(self, row: int) -> None:
        self.row = row
        self.layers_changed.emit()


PANEL = PeaksPanel
