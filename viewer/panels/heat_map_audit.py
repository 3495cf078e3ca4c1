"""The Heat-map audit panel: what decoding rules and frames cost in pixels, the points in doubt, and OKS."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QPushButton

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Layer
from viewer.panels.base import PaintingSearchPanel
from viewer.presenters import heat_map_audit as presenter
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.fields import CheckRow
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.tables.copy_table import Cells

INSPECTION = "heat_map_audit"
INVITATION = tr(
    "Open a picture whose key points are annotated, and the ground truth (COCO, or YOLO's poses): here is what each "
    "rule of decoding and each frame costs. Without ground truth the rules are only compared."
)
KEY = tr(
    "Mean error in pixels of the picture. The two columns on the right are for maps drawn at the annotated points, "
    "exactly or rounded to a cell, and found again. White rings are annotated; a point's row shows its heat map."
)
ROW_PX, LEAST_PX, MOST_PX = 22, 70, 190


class HeatMapAuditPanel(PaintingSearchPanel):
    """The finding in words, tables of rules, frames, stacks, figures and points, and the settings."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -4
    settings_title: ClassVar[str] = tr("Decoding")
    waiting: ClassVar[str] = tr("Waiting for the answer…")
    elsewhere: ClassVar[tuple[str, ...]] = ("truth", "region", "figure")
    shares_titles: ClassVar[bool] = True

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.open = QPushButton(tr("Open ground truth…"))
        self.open.setAccessibleName(tr("Open ground truth with key points"))
        self.open.setAutoDefault(False)
        self.open.clicked.connect(lambda: self.command_wanted.emit("open-truth"))
        self.rules = Cells(tr("Rules of decoding"), (tr("Rule"), tr("Error"), tr("Between"), tr("On cells")))
        self.frames = Cells(tr("Frames"), (tr("Frame"), tr("Error"), tr("Right"), tr("Down")))
        self.stacks = Cells(tr("Stacks"), (tr("Stack"), tr("Error"), tr("Mean peak")))
        self.figures = Cells(tr("Figures"), (tr("Figure"), tr("Points"), tr("Error"), tr("OKS")))
        self.figures.currentItemChanged.connect(
            lambda now, _: self._choose_figure(self.figures.indexOfTopLevelItem(now))
        )
        self.points = Cells(tr("Points of the figure"), (tr("Point"), tr("Error"), tr("Peak"), tr("Second")))
        self.points.currentItemChanged.connect(lambda now, _: self._mark(self.points.indexOfTopLevelItem(now)))
        self.heat = CheckRow(tr("Heat map"), value=True, help=tr("Paint the heat map of the chosen point."))
        self.heat.changed.connect(lambda *_: self.layers_changed.emit())
        self.key = WrappedLabel(tr("How to read the tables"))
        self.key.setProperty("small", True)
        self.key.setText(KEY)
        self.row = -1
        parts = (self.open, self.rules, self.key, self.frames, self.stacks, self.figures, self.points, self.heat)
        self.answered = parts[1:]
        self.arrange((*parts, self.settings))
        self.settings.set_open(True)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the audit while the panel is in view."""
        if document.truth is not None or document.region is None:
            return request_plan.in_view(request_plan.ask_with_truth, INSPECTION, document, description)
        offer = description.offers.get(INSPECTION) if description is not None else None
        taken = offer is not None and "region" not in offer.greyed
        extra = {"region": ",".join(f"{v:.1f}" for v in document.region)} if taken else {}
        return request_plan.in_view(request_plan.ask, INSPECTION, document, description, extra=extra)

    def invitation(self) -> str:
        """Return what the panel is for."""
        return INVITATION if self.store.document.source is None else ""

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings, and the button that opens ground truth where there is none."""
        super().refresh(document, description)
        self.open.setVisible(document.truth is None)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Fill the tables."""
        if slot != self.id:
            return
        tables = {
            self.rules: presenter.rules(result),
            self.frames: presenter.frames(result) if result.meta["has_truth"] else [],
            self.stacks: presenter.stacks(result),
            self.figures: presenter.figures(result),
            self.points: presenter.points(result),
        }
        for table, rows in tables.items():
            with QSignalBlocker(table):
                table.take(rows)
                table.setFixedHeight(max(LEAST_PX, min(MOST_PX, (len(rows) + 1) * ROW_PX + 8)))
        with QSignalBlocker(self.points):
            if (item := self.points.topLevelItem(self.row)) is not None:
                self.points.setCurrentItem(item)
        super().show_result(slot, request, result)

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the tables that have something to say."""
        for part in self.answered:
            part.setVisible(result is not None)
        if result is None:
            return
        self.frames.setVisible(bool(result.meta["has_truth"]))
        self.stacks.setVisible(len(result.arrays["stack_peak"]) > 1)
        self.figures.setVisible(len(result.arrays["oks"]) > 1)

    def forget(self) -> None:
        """Drop the audit of the previous picture."""
        self.row = -1
        super().forget()

    def layers(self, document: Document) -> list[Layer]:
        """Return found and annotated points, and the heat map of the chosen point, while the panel is in view."""
        if self._answer is None or INSPECTION not in document.view.inside:
            return []
        return presenter.layers(self._answer[1], point=self.row, heat=bool(self.heat.value))

    def restyle(self, layers: list[Layer], document: Document) -> list[Layer]:
        """Leave out the points of other panels, which would lie over those of the audit."""
        if self._answer is None or INSPECTION not in document.view.inside:
            return layers
        return [layer for layer in layers if layer.id not in ("landmarks", "landmark heat")]

    def _mark(self, row: int) -> None:
        self.row = row
        self.layers_changed.emit()

    def _choose_figure(self, row: int) -> None:
        if row >= 0:
            self._set("figure", row)


PANEL = HeatMapAuditPanel
