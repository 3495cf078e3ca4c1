"""The Proof panel: deletion and insertion curves of the current map against chance, and the map of random weights."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Float, Result, Source
from viewer.panels.base import GAP, Levels, Panel
from viewer.presenters import faithfulness, heatmap
from viewer.presenters.map_tiles import ends_of
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wanted
from viewer.translation import tr
from viewer.widgets.charts.colour_bar import ColourBar
from viewer.widgets.charts.proof_curves import Curve, ShareChart
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.map_grid import MapGrid, Tile

SIDE_PX = 232
NO_METHOD = tr(
    "Choose a method of attribution: this puts its map to the proof, beside chance and beside random weights."
)
CAUTION = tr(
    "Curves measure what the network does with pixels taken away, which are pictures it never saw. They show whether "
    "the map says more about this network than chance does, not whether the network is right."
)


class ProofPanel(Panel):
    """A summary in words, two charts, and the map beside the one of a network with random weights."""

    id: ClassVar[str] = "proof"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.shown: tuple[Request, Result] | None = None
        self._wanted: Request | None = None
        self._failed: tuple[Request | None, str] = None, ""
        self._delta: tuple[str, float | None] = "", None
        self._levels: dict[Source, Levels] = {}
        self._asked: Source | None = None
        self.empty = WrappedLabel(tr("About the proof"), NO_METHOD)
        self.verdict, self.details = WrappedLabel(tr("Verdict")), WrappedLabel(tr("What was found out"))
        self.state = WrappedLabel(tr("State of the proof"))
        self.caution = WrappedLabel(tr("Caution"), CAUTION)
        for label in (self.state, self.caution):
            label.setProperty("small", True)
        self.deletion = ShareChart(tr("Deletion: the lower the better"), tr("Share taken away, strongest first"))
        self.insertion = ShareChart(tr("Insertion: the higher the better"), tr("Share put in, strongest first"))
        self.insertion.link(self.deletion)
        self.grid, self.bar = MapGrid(tr("The map and its twin")), ColourBar()
        self.bar_text = WrappedLabel(tr("About the scale"), tr("1 is the end of each map's own scale"))
        self.bar_text.setProperty("small", True)
        self.copy = _tool(tr("Copy"), tr("Copy every number as text"), self._copy)
        self.export = _tool(tr("Export…"), tr("Save the curves as CSV, or everything as JSON"), self._ask_export)
        self._lay_out()
        self.refresh(store.document, None)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Wanted:
        """Request the proof of the current map, only while the panel is in view because it takes long."""
        request = faithfulness.wanted(document, description) if document.view.proof else None
        return {faithfulness.SLOT: request} if request is not None else {}

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_view(proof=in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Drop the proof if it is not about the current map."""
        self._wanted = faithfulness.wanted(document, description) if document.view.proof else None
        if not document.view.proof:
            return
        if self.shown is not None and self._wanted is not None and self.shown[0].subject != self._wanted.subject:
            self.shown = None
        self._show()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Store the proof as far as it is computed, and the completeness error of the map itself."""
        if slot == faithfulness.SLOT:
            self.shown, self._failed = (request, result), (None, "")
            self._show()
        elif result.meta.get("kind") == "attribution" and request.inspection == self.store.document.method:
            self._delta = request.inspection, result.meta["delta"]
            self._show()

    def show_failure(self, slot: str, failure: Failure) -> bool:
        """Show why there is no proof."""
        if slot != faithfulness.SLOT:
            return False
        self._failed, self.shown = (self._wanted, failure.text), None
        self._show()
        return True

    def show_pixels(self, source: Source, levels: Levels) -> None:
        """Take the picture to paint the maps over."""
        self._levels = {source: levels}
        self._show()

    def forget(self) -> None:
        """Drop the proof of the previous picture's map."""
        self.shown, self._delta = None, ("", None)

    @property
    def ready(self) -> bool:
        """Return whether there are curves to export."""
        return self.shown is not None and "deletion" in self.shown[1].arrays

    @property
    def delta(self) -> float | None:
        """Return the completeness error of the current map, None if its method does not promise completeness."""
        return self._delta[1] if self._delta[0] == self.store.document.method else None

    @property
    def text(self) -> str:
        """Return all numbers as text, "" for none."""
        return faithfulness.as_text(self.shown[1], delta=self.delta) if self.shown is not None else ""

    # internals

    def _show(self) -> None:
        document = self.store.document
        if not document.view.proof:
            return
        failed = self._failed[1] if self._wanted is not None and self._failed[0] == self._wanted else ""
        self._pages.setCurrentIndex(int(self.shown is not None))
        there = self.ready
        self.copy.setEnabled(self.shown is not None)
        self.export.setEnabled(there)
        if self.shown is None:
            waits = tr("Testing the map…") if self._wanted is not None else NO_METHOD
            self.empty.setText(failed or waits)
            return
        request, result = self.shown
        fresh = request == self._wanted
        said = faithfulness.sentences(result, delta=self.delta)
        self.verdict.setText(said[0] if said else tr("Not known yet."))
        self.details.setText("\n".join(said[1:]))
        self.details.setVisible(len(said) > 1)
        self.state.setText(
            faithfulness.progress(result)
            if fresh
            else tr("For the previous settings; the new proof is being computed.")
        )
        self.state.setVisible(bool(self.state.text()))
        for chart, name in ((self.deletion, "deletion"), (self.insertion, "insertion")):
            chart.set_faded(not fresh)
            low, high = faithfulness.bounds(result) if there else (0.0, 1.0)
            chart.set_curves(_curves(result, name) if there else (), low=low, high=high)
        self._show_maps(request, result)

    def _show_maps(self, request: Request, result: Result) -> None:
        """Show the map and its twin, each on its own scale, since their shapes are compared and not their sizes."""
        source, look = request.source, replace(self.store.document.look, scale=0.0)
        if source is not None and source != self._asked:
            self._asked = source
            self.pixels_wanted.emit(source)
        size = result.meta["size"]
        both = (tr("Map"), "map"), (tr("Random weights, one draw"), "twin")
        arrays = [(name, result.arrays.get(key)) for name, key in both]
        signs = [heatmap.signs_of(values, look) for _, values in arrays if values is not None]
        tiles = [self._tile(name, values, request, result) for name, values in arrays]
        self.grid.set_pictures({s: levels for s, levels in self._levels.items() if levels})
        self.grid.set_tiles([replace(tile, size=tuple(size)) for tile in tiles], across=1)
        negative, positive = (any(pair[at] for pair in signs) for at in (0, 1))
        low, high, colours = heatmap.scale_of(1.0, look, negative=negative, positive=positive)
        self.bar.set_range(low, high, colour_map=colours)

    def _tile(self, name: str, values: Float | None, request: Request, result: Result) -> Tile:
        tile = Tile(name, name, "", request.source)
        if values is None:
            return replace(tile, note="…", waits=True, tip=f"{name}: not computed yet")
        look, extent = replace(self.store.document.look, scale=0.0), tuple(result.meta["extent"])
        layer = heatmap.heat_layer(values, extent, look) if np.any(values) else None
        signed = bool((values < 0).any())
        foot, note = ends_of(heatmap.range_of(values, look)), heatmap.words(values, signed=signed)
        return replace(tile, heat=layer, values=values, extent=extent, foot=foot, note=note, tip=f"{name}: {foot}")

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text)

    def _ask_export(self) -> None:
        self.command_wanted.emit("export-proof")

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(GAP)
        head.addWidget(self.verdict, 1)
        head.addWidget(self.copy, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self.export, 0, Qt.AlignmentFlag.AlignTop)
        strong = self.verdict.font()
        strong.setBold(True)
        self.verdict.setFont(strong)
        side = _column(self.details, self.state, self.caution)
        side.layout().addStretch(1)  # type: ignore[union-attr]
        scroll = QScrollArea()
        scroll.setAccessibleName(tr("What was found out"))
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(side)
        scroll.setFixedWidth(SIDE_PX)
        maps = _column(self.grid, self.bar, self.bar_text)
        maps.layout().setStretch(0, 1)  # type: ignore[union-attr]
        parts = QHBoxLayout()
        parts.setSpacing(2 * GAP)
        parts.addWidget(scroll)
        parts.addWidget(self.deletion, 3)
        parts.addWidget(self.insertion, 3)
        parts.addWidget(maps, 3)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(GAP, GAP // 2, GAP, GAP)
        column.setSpacing(GAP)
        column.addLayout(head)
        column.addLayout(parts, 1)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.empty.setMargin(GAP)
        self._pages = QStackedWidget()
        self._pages.addWidget(self.empty)
        self._pages.addWidget(page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._pages)


def _curves(result: Result, name: str) -> list[Curve]:
    areas = result.meta[f"{name}_areas"]
    names = [faithfulness.name_of(who, int(result.meta.get("draws", 1))) for who in result.meta["maps"]]
    rows, share = zip(names, result.arrays[name], areas, strict=True), result.arrays["levels"]
    return [Curve(title, share, row, area, rank) for rank, (title, row, area) in enumerate(rows)]


def _column(*parts: QWidget) -> QWidget:
    whole = QWidget()
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(GAP // 2)
    for part in parts:
        column.addWidget(part)
    return whole


def _tool(text: str, help_text: str, call: object) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(help_text)
    button.setAutoRaise(True)
    button.clicked.connect(call)
    return button


PANEL = ProofPanel
