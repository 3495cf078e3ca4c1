"""The Gates panel: the factors of squeeze-and-excitation, ECA, CBAM and global context, by channel, place and class."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Layer
from viewer.panels.base import GAP, PaintingSearchPanel
from viewer.presenters import heatmap
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.layer_curves import LayerCurve, LayerCurves
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.tables.copy_table import Cells

INSPECTION = "gates"
EVERY = "*"
MOST_CURVES = 5
INVITATION = tr(
    "Does the network weigh its channels and places by what it sees (squeeze-and-excitation, ECA, CBAM, global "
    "context)? Open a picture: it and others of its folder are passed."
)
OVER_PICTURE = tr("The factors of the places lie over the picture. They are a gate, not an explanation.")
BY_CHANNEL = tr("Channels in the order of their factor, a curve for each of the most frequent classes.")
TITLES = (tr("Gate"), tr("Block"), tr("Mean"), tr("Spread"))


class GatesPanel(PaintingSearchPanel):
    """The finding in words, a table of the gates, the factors of the chosen one, and buttons that switch gates off."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Pictures that are passed")
    invites: ClassVar[str] = INVITATION
    waiting: ClassVar[str] = tr("The gates are being watched… Escape stops it.")
    folders: ClassVar[tuple[str, ...]] = ("folder",)
    elsewhere: ClassVar[tuple[str, ...]] = ("gate", "off", "box")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.rows = {
            "folder": FolderRow(
                tr("Pictures"), empty=tr("Beside the picture"), help_text=tr("A folder for each class"), clears=True
            )
        }
        self.table = Cells(tr("Gates"), TITLES)
        self.table.setMinimumHeight(120)
        self.table.currentItemChanged.connect(lambda now, _: self._choose(self.table.indexOfTopLevelItem(now)))
        self.chart = LayerCurves(tr("Factor by channel"), logarithmic=False)
        self.chart.setMinimumHeight(150)
        self.about = WrappedLabel(tr("About the factors"), small=True)
        self.one, self.every, self.on = (
            QPushButton(title) for title in (tr("Switch it off"), tr("All off"), tr("All on"))
        )
        buttons = QWidget()
        line = QHBoxLayout(buttons)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(GAP)
        for button, off in ((self.one, ""), (self.every, EVERY), (self.on, None)):
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, off=off: self._switch(off))
            line.addWidget(button)
        line.addStretch(1)
        self.buttons = buttons
        self.arrange((self.table, self.chart, self.about, buttons, self.settings), command=INSPECTION)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the gates while the panel is in view."""
        return request_plan.in_view(request_plan.explain, INSPECTION, document, description)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """List the gates."""
        if slot != self.id:
            return
        meta, arrays = result.meta, result.arrays
        rows = [
            (gate["id"], gate["family"], f"{arrays['mean'][row]:.3g}", f"{arrays['spread'][row]:.2g}")
            for row, gate in enumerate(meta["gates"])
        ]
        with QSignalBlocker(self.table):
            self.table.take(rows)
            at = next(row for row, gate in enumerate(meta["gates"]) if gate["id"] == meta["gate"])
            if (item := self.table.topLevelItem(at)) is not None:
                self.table.setCurrentItem(item)
        super().show_result(slot, request, result)

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the gates, faded unless they answer the present request."""
        channels = result is not None and "by_class" in result.arrays
        for part in (self.table, self.about, self.buttons):
            part.setVisible(result is not None)
        self.chart.setVisible(channels)
        self.chart.set_faded(not fresh)
        self.on.setEnabled(bool(self.store.document.values(INSPECTION).get("off")))
        if result is None:
            return
        self.about.setText(BY_CHANNEL if channels else OVER_PICTURE)
        if channels:
            values = result.arrays["by_class"]
            order = np.argsort(-values.mean(0), kind="stable")
            names = [tr("Channel {channel}", channel=channel) for channel in order.tolist()]
            counted = zip(result.meta["names"], result.meta["counts"], strict=True)
            titles = [f"{name} ({count:,})" for name, count in counted]
            curves = [LayerCurve(title, values[row][order], row) for row, title in enumerate(titles[:MOST_CURVES])]
            self.chart.set_curves(names, curves)

    def layers(self, document: Document) -> list[Layer]:
        """Return the factors of the places over the picture, while the panel is in view."""
        if self._answer is None or INSPECTION not in document.view.inside or "map" not in self._answer[1].arrays:
            return []
        result = self._answer[1]
        return [heatmap.heat_layer(result.arrays["map"], result.meta["extent"], document.look)]

    def _choose(self, row: int) -> None:
        if self._answer is not None and 0 <= row < len(self._answer[1].meta["gates"]):
            self._set("gate", self._answer[1].meta["gates"][row]["id"])

    def _switch(self, off: str | None) -> None:
        if self._answer is not None:
            self._set("off", self._answer[1].meta["gate"] if off == "" else off)


PANEL = GatesPanel
