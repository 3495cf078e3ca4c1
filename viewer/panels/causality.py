"""The Causality panel: which pixels a pixel's distribution depends on, and whether any uses what comes after it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from models.inspection import Description
from models.likelihood import dependency_cones
from models.requests import Request
from models.types import Result
from viewer import theme
from viewer.canvas.mosaic import signed
from viewer.engine_texts import shown
from viewer.panels.base import GAP, FormPanel
from viewer.presenters import likelihood
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_grid import ChannelGrid
from viewer.widgets.pictures.pixel_picture import PixelPicture

INSPECTION = "causality"
CONE_PX = 112
WAITING = tr("Waiting for the answer…")
LEGEND = tr(
    "White is the pixel that is asked about; click another. Blue is used past, the brighter the more; grey is past "
    "that is not used, yellow the part of it within reach, which is the blind spot; red would be a leak."
)


class CausalityPanel(FormPanel):
    """The measured dependence, the cones of PixelRNN beside it, the verdict, and a NADE's receptive fields."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the audit")
    words_title: ClassVar[str] = tr("Verdict")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.picture = PixelPicture(tr("What the pixel depends on"))
        self.counts = WrappedLabel(tr("Counts"))
        self.legend = WrappedLabel(tr("Colours"))
        self.legend.setText(LEGEND)
        self.legend.setProperty("small", True)
        self.cones = {name: PixelPicture(title, side_px=CONE_PX) for name, title in TITLES.items()}
        self.about_fields = WrappedLabel(tr("About the receptive fields"))
        self.about_fields.setText(tr("Hidden units: the weights from each pixel, the strongest first."))
        self.fields = ChannelGrid(tr("Receptive fields of the hidden units"))
        self.fields.describe = lambda row: tr("Hidden unit {row}", row=row + 1)
        self.fields.setMinimumHeight(120)
        self._result: Result | None = None
        self._arrange()
        self.picture.picked.connect(self._ask)
        theme.changes().connect(self._show)
        self._show()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the audit while the panel is in view."""
        return request_plan.in_view(request_plan.about, INSPECTION, document, description)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the dependence and the verdict."""
        if slot == self.id:
            self._result = result
            self._show()

    def _arrange(self) -> None:
        inside = QWidget()
        column, beside = QVBoxLayout(inside), QHBoxLayout()
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for name, cone in self.cones.items():
            part = QVBoxLayout()
            title = WrappedLabel(tr("Kind of layer"))
            title.setText(TITLES[name])
            title.setProperty("small", True)
            part.addWidget(cone, 1)
            part.addWidget(title)
            beside.addLayout(part, 1)
        for widget in (self.words, self.picture, self.counts, self.legend):
            column.addWidget(widget)
        column.addLayout(beside)
        for widget in (self.about_fields, self.fields, self.settings):
            column.addWidget(widget)
        column.addStretch(1)
        self.fill(inside, tr("Causality"))

    def _show(self) -> None:
        result = self._result
        fields = result is not None and "fields" in result.arrays
        self.about_fields.setVisible(fields)
        self.fields.setVisible(fields)
        if result is None:
            self.words.setText(WAITING)
            return
        meta = result.meta
        self.words.setText(shown(str(meta["text"])))
        self.picture.show_pixels(likelihood.dependence(result))
        self.picture.set_mark((meta["row"], meta["column"]))
        self.counts.setText(
            tr(
                "Row {row}, column {column}: {used:,} of {past:,} values before it are used, {future:,} of the others. "
                "Blind spot: {blind:,} values, {share:.1%} of its reach.",
                row=meta["row"],
                column=meta["column"],
                used=meta["used_past"],
                past=meta["of_past"],
                future=meta["used_future"],
                blind=meta["blind"],
                share=meta["blind_share"],
            )
        )
        for name, cone in self.cones.items():
            cone.show_pixels(likelihood.cone(result, name))
        if fields:
            found = result.arrays["fields"]
            scale = np.maximum(np.abs(found).max((1, 2)), 1e-30)
            self.fields.show_tiles(signed(found, scale, theme.heat_lut("diverging")), np.arange(len(found)))

    def _ask(self, row: int, column: int) -> None:
        document = self.store.document.with_value(INSPECTION, row=row, column=column)
        self.store.update(document, title=tr("Ask about a pixel"), merge=INSPECTION)


TITLES = {
    dependency_cones.ROW_LSTM: tr("Row LSTM, one layer"),
    dependency_cones.DIAGONAL_BILSTM: tr("Diagonal BiLSTM, one layer"),
}
PANEL = CausalityPanel
