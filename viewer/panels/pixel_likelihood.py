"""The Likelihood panel: the bits of each pixel over the picture, and their sum in nats and bits a value."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Heat, Layer
from viewer.engine_texts import shown
from viewer.panels.base import GAP, FormPanel, view_form
from viewer.presenters import heatmap, likelihood
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_view import copy_button
from viewer.widgets.tables.fact_card import Card

INSPECTION = "pixel_likelihood"
PAINTED = Parameter(
    "mask_opacity", tr("Map opacity"), "float", 0.5, help=tr("How much of the picture the bits of each pixel cover.")
)
NOTHING_OPEN = tr("Open a picture to see how likely the network finds each of its pixels.")
WAITING = tr("Waiting for the answer…")


class LikelihoodPanel(FormPanel):
    """Which map is shown, the sums, and what the model expected at the pixel under the pointer."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -6
    settings_title: ClassVar[str] = tr("Settings of the likelihood")
    words_title: ClassVar[str] = tr("About the likelihood")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.bar = ColourBar()
        self.bar.setAccessibleName(tr("Colours of the bits"))
        self.here = WrappedLabel(tr("Pixel under the pointer"))
        self.facts = Card(tr("Likelihood"))
        self.copy = copy_button(tr("Copy the numbers"), lambda: self.facts.text)
        self.painted = view_form(store, (PAINTED,))
        self.painted.name_of(self.entry.title)
        self.settings.set_open(True)
        self._request: Request | None = None
        self._result: Result | None = None
        self._layer: Heat | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for part in (self.words, self.settings, self.bar, self.here, self.facts):
            column.addWidget(part)
        column.addWidget(self.copy, alignment=Qt.AlignmentFlag.AlignRight)
        column.addWidget(self.painted)
        column.addStretch(1)
        self._update_text()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the likelihood of the picture."""
        return request_plan.ask(INSPECTION, document, description) if description is not None else None

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings; drop another model's map."""
        if self._request is not None and self._request.model != document.model:
            self.forget()
        super().refresh(document, description)
        self.painted.set_values({PAINTED.name: document.view.mask_opacity})
        self._update_text()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Paint the map and say the sums."""
        if slot != self.id:
            return
        self._request, self._result, self._layer = request, result, None
        self._update_text()
        self.layers_changed.emit()

    def forget(self) -> None:
        """Drop the map of the previous picture."""
        self._request = self._result = self._layer = None
        self._update_text()

    def layers(self, document: Document) -> list[Layer]:
        """Return the layer of the map, the same object until something changes."""
        if self._result is None:
            return []
        if self._layer is None or self._layer.opacity != document.view.mask_opacity:
            meta, values = self._result.meta, self._result.arrays["map"]
            more = {"opacity": document.view.mask_opacity, "own": values}
            self._layer = Heat("likelihood", values, meta["extent"], 0.0, float(values.max()), **more)
        return [self._layer]

    def pointer(self, place: tuple[float, float] | None) -> None:
        """Say what the model expected at the pixel under the pointer, and what is there."""
        at = None if self._result is None or place is None else likelihood.pixel_at(self._result, place)
        self.here.setText("" if at is None or self._result is None else likelihood.expectation(self._result, at))

    @property
    def text(self) -> str:
        """Return the numbers as text, "" for none."""
        return self.facts.text if self._result is not None else ""

    def _update_text(self) -> None:
        there = self._result is not None
        for part in (self.bar, self.facts, self.copy):
            part.setVisible(there)
        if self._result is None:
            self.words.setText(WAITING if self.store.document.sources else NOTHING_OPEN)
            self.here.clear()
            return
        note = str(self._result.meta["note"])
        self.words.setText(shown(note))
        self.words.setVisible(bool(note))
        self.bar.set_range(0, float(heatmap.number(float(self._result.arrays["map"].max()))))
        self.facts.set_facts(likelihood.facts(self._result))


PANEL = LikelihoodPanel
