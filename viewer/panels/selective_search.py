"""The Selective search panel: regions that merge until few are left, and how many objects their boxes reach."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Layer
from viewer.panels.base import PaintingSearchPanel
from viewer.presenters import selective_search as presenter
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.loss_curves import LossCurves
from viewer.widgets.controls.fields import CheckRow
from viewer.widgets.controls.slider import SliderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel

INSPECTION = "selective_search"
INVITATION = tr("Open a picture: its superpixels merge into regions, which are proposals without a network.")


class SelectiveSearchPanel(PaintingSearchPanel):
    """A slider for the regions left, recall over the number of boxes beside the RPN's, and the settings."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -6
    settings_title: ClassVar[str] = tr("Superpixels and likeness")
    invites: ClassVar[str] = INVITATION
    waiting: ClassVar[str] = tr("Waiting for the answer…")
    elsewhere: ClassVar[tuple[str, ...]] = ("truth", "left")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.left: SliderRow | None = None
        self.boxes = CheckRow(tr("Boxes"), value=True, help=tr("Paint the boxes of the regions that are left."))
        self.regions = CheckRow(tr("Regions"), value=True, help=tr("Paint the regions that are left."))
        for row in (self.boxes, self.regions):
            row.changed.connect(lambda *_: self.layers_changed.emit())
            self.settings.add(row)
        self.chart = LossCurves(tr("Recall by the number of boxes"))
        self.about = WrappedLabel(tr("About the order"), small=True)
        self.about.setText(
            tr("Boxes count in the order of the hierarchy, the last merged first; the RPN's by objectness.")
        )
        self.arrange((self.chart, self.about, self.settings))
        self.settings.set_open(True)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the regions while the panel is in view."""
        return request_plan.in_view(request_plan.ask_with_truth, INSPECTION, document, description)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the regions."""
        super().show_result(slot, request, result)
        if slot == self.id:
            self._slide(int(result.meta["superpixels"]), int(result.meta["left"]))
            self.layers_changed.emit()

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the recall, faded unless it answers the present request."""
        known = result is not None and bool(result.meta["objects"])
        for part in (self.chart, self.about):
            part.setVisible(known)
        if self.left is not None:
            self.left.setVisible(result is not None)
        self.chart.set_faded(not fresh)
        if result is None or not known:
            return
        titles = (tr("Selective search"), tr("RPN"))
        curves = presenter.curves(result)
        places = np.log10(result.arrays["counts"].astype(np.float64))
        self.chart.show_curves(places, curves, titles[: len(curves)], bottom=tr("Boxes, as a power of ten"), most=1.0)

    def layers(self, document: Document) -> list[Layer]:
        """Return regions, boxes and objects, while the panel is in view."""
        if self._answer is None or INSPECTION not in document.view.inside:
            return []
        return presenter.layers(self._answer[1], boxes=bool(self.boxes.value), regions=bool(self.regions.value))

    def _slide(self, most: int, left: int) -> None:
        """Show the slider in the range that the superpixels give."""
        if self.left is None or self.left.high != max(most, 2):
            if self.left is not None:
                self.settings.inner.removeWidget(self.left)
                self.left.deleteLater()
            self.left = SliderRow(
                tr("Regions left"), low=1, high=max(most, 2), step=1, value=left, whole=True, unit="", key="left",
                help=tr("How far the regions are merged."),
            )  # fmt: skip
            self.left.reported.connect(self._left)
            self.settings.inner.insertWidget(0, self.left)
        self.left.set_value(left)

    def _left(self, name: str, value: object, final: bool) -> None:
        document = self.store.document.with_value(INSPECTION, left=int(float(str(value))))
        self.store.update(document, title=tr("Regions left"), merge=f"{INSPECTION}.left")
        if final:
            self.store.settle()


PANEL = SelectiveSearchPanel
