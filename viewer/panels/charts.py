"""The Charts panel: parts of a surface, what of the picture each chart shows, iso-lines, textures, error by points."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QPushButton

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Layer
from viewer.panels.base import PaintingSearchPanel
from viewer.presenters import charts
from viewer.presenters.detections import DETECTIONS, REMOVED
from viewer.presenters.instances import MASKS
from viewer.presenters.segmentation import LAYER as CLASSES
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_grid import ChannelGrid
from viewer.widgets.tables.copy_table import Cells

INSPECTION = "charts"
INVITATION = tr("Which part of a surface does each pixel show, and where on it? Open a picture.")
HINT = tr("Point at the picture or at a chart to see where the other has that place. Rows of a chart are u, columns v.")
DROP = tr("A picture dropped on this panel becomes the texture.")
HIDDEN = (CLASSES, MASKS, DETECTIONS, REMOVED, "links")
VIEW = Parameter(
    "view",
    tr("Painted"),
    "choice",
    charts.PARTS,
    help=tr("What is painted over the picture."),
    choices=charts.VIEWS,
    titles=(tr("Parts"), tr("u, along"), tr("v, across"), tr("Texture")),
)


class ChartsPanel(PaintingSearchPanel):
    """The finding in words, the charts as tiles that show the picture unfolded, a table of parts, and the settings."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -3
    settings_title: ClassVar[str] = tr("Charts")
    invites: ClassVar[str] = INVITATION
    waiting: ClassVar[str] = tr("The charts are being read…")
    elsewhere: ClassVar[tuple[str, ...]] = ("truth", "file")
    shares_titles: ClassVar[bool] = True

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.setAcceptDrops(True)
        self.view = Form((VIEW,))
        self.view.reset.hide()
        for signal in (self.view.changed, self.view.committed):
            signal.connect(lambda *_: self.layers_changed.emit())
        self.grid = ChannelGrid(tr("Charts"))
        self.grid.setMinimumHeight(150)
        self.grid.describe = self._line
        self.grid.hovered.connect(self._over_chart)
        self.readout = WrappedLabel(tr("Place under the pointer"), small=True)
        self.readout.setText(HINT)
        self.drop = WrappedLabel(tr("How to lay on a texture"), small=True)
        self.drop.setText(DROP)
        titles = (tr("Part"), tr("Share"), tr("Points right"), tr("Error"))
        self.table = Cells(tr("Parts of the surface"), titles)
        self.table.setMinimumHeight(150)
        self.open = QPushButton(tr("Open ground truth…"))
        self.open.setAccessibleName(tr("Open ground truth with points of a surface"))
        self.open.setAutoDefault(False)
        self.open.clicked.connect(lambda: self.command_wanted.emit("open-truth"))
        self._at: tuple[float, float] | None = None
        self.arrange((self.view, self.grid, self.readout, self.settings, self.drop, self.table, self.open))
        self.settings.set_open(True)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the charts while the panel is in view."""
        return request_plan.in_view(request_plan.ask_with_truth, INSPECTION, document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings, and the button that opens ground truth where there is none."""
        super().refresh(document, description)
        self.open.setVisible(document.truth is None)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the charts and the parts."""
        if slot != self.id:
            return
        self._at = None
        self.grid.show_tiles(charts.atlas(result), np.arange(len(result.meta["part_names"])))
        self.table.take(charts.rows(result))
        super().show_result(slot, request, result)

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show what there is."""
        for part in (self.view, self.grid, self.readout, self.table, self.drop):
            part.setVisible(result is not None)

    def layers(self, document: Document) -> list[Layer]:
        """Return the view that was chosen, while the panel is in view."""
        if self._answer is None or INSPECTION not in document.view.inside:
            return []
        return charts.layers(self._answer[1], view=str(self.view.values[VIEW.name]), at=self._at)

    def restyle(self, layers: list[Layer], document: Document) -> list[Layer]:
        """Leave out what would lie over the charts."""
        if self._answer is None or INSPECTION not in document.view.inside:
            return layers
        return [layer for layer in layers if layer.id not in HIDDEN]

    def pointer(self, place: tuple[float, float] | None) -> None:
        """Mark on its chart the place under the pointer."""
        if self._answer is None or INSPECTION not in self.store.document.view.inside:
            return
        result = self._answer[1]
        found = charts.place_at(result, place) if place is not None else None
        self.readout.setText(charts.told(result, found) if found is not None else HINT)
        self.grid.show_tiles(charts.atlas(result, found), np.arange(len(result.meta["part_names"])))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files."""
        if _file(event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Make the dropped picture the texture."""
        if path := _file(event.mimeData().urls()):
            self.lay_on(path)
            event.acceptProposedAction()

    def lay_on(self, path: str) -> None:
        """Make a picture the texture."""
        document = self.store.document.with_value(INSPECTION, texture="picture", file=path)
        self.store.update(document, title=tr("Texture"))
        self.view.set_values({VIEW.name: charts.TEXTURE})
        self.layers_changed.emit()

    def _over_chart(self, place: tuple[int, float, float] | None) -> None:
        if self._answer is None:
            return
        result = self._answer[1]
        self._at = charts.nearest(result, (place[0], place[2], place[1])) if place else None
        self.readout.setText(charts.told(result, (place[0], place[2], place[1])) if place else HINT)
        self.layers_changed.emit()

    def _line(self, row: int) -> str:
        return str(self._answer[1].meta["part_names"][row]) if self._answer is not None else ""


def _file(urls: list[QUrl]) -> str:
    """Return the path of the first local file, "" for none."""
    return next((url.toLocalFile() for url in urls if url.isLocalFile()), "")


PANEL = ChartsPanel
