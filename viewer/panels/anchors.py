"""The Anchors panel: anchors at a place, the density of all anchors, and those behind the selected detection."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QSizePolicy, QWidget

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Layer
from viewer.panels.base import GAP, Panel
from viewer.presenters import detections, lineage
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.colour_bar import ColourBar

MODES = {
    "off": (tr("Off"), ""),
    "here": (
        tr("At a place"),
        tr("Move over the picture to see the anchors there; click to pin the place, again to free it."),
    ),
    "density": (tr("Density of all"), tr("How many anchors cover each part of the picture.")),
    "all": (tr("All"), tr("Every anchor as a box, one colour for each pyramid level.")),
    "lineage": (tr("Behind the selection"), tr("Click a detection: the anchor and proposal it came from.")),
    "match": (tr("Matched to ground truth"), tr("The anchor workbench shows which anchors would learn which object.")),
}
LEVELLED = ("here", "density", "all", "match")
NOTHING = ""


class AnchorPanel(Panel):
    """Controls for what is shown and on which pyramid level, with the numbers of what is shown."""

    id: ClassVar[str] = "anchors"
    rank: ClassVar[int] = -10

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.mode = QComboBox()
        self.mode.setAccessibleName(tr("Show anchors"))
        for key, (title, help_text) in MODES.items():
            self.mode.addItem(title, key)
            self.mode.setItemData(self.mode.count() - 1, help_text, Qt.ItemDataRole.ToolTipRole)
        self.level = QComboBox()
        self.level.setAccessibleName(tr("Pyramid level"))
        self.level.addItem(tr("All levels"), -1)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setAccessibleName(tr("About the anchors shown"))
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        inside = QWidget()
        form = QFormLayout(inside)
        form.setContentsMargins(GAP, GAP, GAP, GAP)
        form.setSpacing(GAP)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(tr("Show"), self.mode)
        form.addRow(tr("Level"), self.level)
        self.bar = ColourBar()
        form.addRow(self.bar)
        form.addRow(self.text)
        self.fill(inside, tr("Anchor settings"))
        self.mode.activated.connect(self._choose_mode)
        self.level.activated.connect(self._choose_level)
        self._anchors: Result | None = None
        self._lineage: Result | None = None
        self._hover: tuple[float, float] | None = None

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the anchors while any are shown."""
        return request_plan.anchors(document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show mode and level; disable them with the reason for a model without anchors."""
        reason = self.lacking(description) if description else ""
        self.mode.setEnabled(not reason)
        self.level.setEnabled(not reason and document.view.anchors in LEVELLED)
        self.mode.setToolTip(reason)
        self.mode.setCurrentIndex(list(MODES).index(document.view.anchors))
        index = self.level.findData(document.view.anchor_level)
        self.level.setCurrentIndex(max(index, 0))
        self._update_text(document, reason)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Store the anchors; also the lineage, for one of the modes, which the lineage panel paints."""
        if slot == "lineage":
            self._lineage = result
        elif slot == self.id:
            self._anchors = result
            self._list_levels(result)
            self.layers_changed.emit()
        self._update_text(self.store.document, "")

    def forget(self) -> None:
        """Drop the anchors of the previous picture or model."""
        self._anchors = self._lineage = self._hover = None

    def layers(self, document: Document) -> list[Layer]:
        """Paint according to the mode."""
        view = document.view
        match view.anchors:
            case "here" if self._anchors is not None:
                return detections.anchor_layers(self._anchors, self._place(document), level=view.anchor_level)
            case "density" if self._anchors is not None:
                return [detections.density_layer(self._anchors, level=view.anchor_level)]
            case "all" if self._anchors is not None:
                return [detections.all_anchors_layer(self._anchors, level=view.anchor_level)]
        return []

    def pointer(self, place: tuple[float, float] | None) -> None:
        """Follow the pointer unless a place is pinned."""
        if self.store.document.view.anchors == "here" and place != self._hover:
            self._hover = place
            self._update_text(self.store.document, "")
            self.layers_changed.emit()

    def clicked(self, place: tuple[float, float]) -> bool:
        """Pin the place clicked, or release the pinned one."""
        view = self.store.document.view
        if view.anchors != "here":
            return False
        title = tr("Free the place") if view.anchor_at else tr("Pin the place")
        self.store.update(self.store.document.with_view(anchor_at=None if view.anchor_at else place), title=title)
        return True

    def _place(self, document: Document) -> tuple[float, float] | None:
        return document.view.anchor_at or self._hover

    def _choose_mode(self) -> None:
        mode = str(self.mode.currentData())
        document = self.store.document.with_view(anchors=mode, anchor_at=None)
        self.store.update(document, title=tr("Anchors: {modes}", modes=MODES[mode][0].lower()))

    def _choose_level(self) -> None:
        document = self.store.document.with_view(anchor_level=int(self.level.currentData()))
        self.store.update(document, title=tr("Pyramid level"))

    def _list_levels(self, result: Result) -> None:
        grid, per_cell = result.arrays["grid"], result.arrays["per_cell"]
        wanted = [(tr("All levels"), -1)]
        wanted += [
            (tr("Level {i}: {w} × {h} cells × {a}", i=i, w=w, h=h, a=a), i)
            for i, ((h, w), a) in enumerate(zip(grid.tolist(), per_cell.tolist(), strict=True))
        ]
        self.level.clear()
        for title, data in wanted:
            self.level.addItem(title, data)
        self.level.setCurrentIndex(max(self.level.findData(self.store.document.view.anchor_level), 0))

    def _update_text(self, document: Document, reason: str) -> None:
        density = document.view.anchors == "density" and self._anchors is not None
        self.bar.setVisible(density)
        if density and self._anchors is not None:
            heat = detections.density_layer(self._anchors, level=document.view.anchor_level)
            self.bar.set_range(heat.low, heat.high, colour_map=heat.colour_map)
        self.text.setText(reason or self._numbers(document) or MODES[document.view.anchors][1])

    def _numbers(self, document: Document) -> str:
        view, place = document.view, self._place(document)
        if view.anchors == "here" and self._anchors is not None and place is not None:
            rows = detections.anchors_at(self._anchors, *place, level=view.anchor_level)
            pinned = tr("pinned at") if view.anchor_at else "at"
            lines = [
                tr(
                    "{rows} anchors {pinned} x {place:.0f}, y {place_2:.0f}",
                    rows=len(rows),
                    pinned=pinned,
                    place=place[0],
                    place_2=place[1],
                )
            ]
            return "\n".join([*lines, *detections.anchor_sizes(self._anchors, rows)])
        if view.anchors == "density" and self._anchors is not None:
            values = detections.density_layer(self._anchors, level=view.anchor_level).values
            total = self._anchors.meta["anchors"]
            return tr(
                "{total:,} anchors; a place is covered by {values:.0f} to {values_2:.0f} of them.",
                total=total,
                values=values.min(),
                values_2=values.max(),
            )
        if view.anchors == "all" and self._anchors is not None:
            return tr(
                "{all_anchors_layer:,} anchors",
                all_anchors_layer=len(detections.all_anchors_layer(self._anchors, level=view.anchor_level)),
            )
        if view.anchors == "lineage" and self._lineage is not None and document.selected >= 0:
            return lineage.lineage_text(self._lineage)
        return NOTHING


PANEL = AnchorPanel
