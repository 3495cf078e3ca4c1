"""The Training sample panel: which boxes a detector would learn from, and what each of them costs."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Boxes, Layer
from viewer.panels.base import GAP, PaintingSearchPanel
from viewer.presenters import training_sample as presenter
from viewer.presenters.detections import DETECTIONS
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.threshold_histogram import ThresholdHistogram
from viewer.widgets.controls.fields import CheckRow
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.tables.copy_table import Cells

INSPECTION = "training_sample"
INVITATION = tr(
    "Open a picture with ground truth: here is which proposals or anchors would learn which object, which are drawn, "
    "and what each costs. Without ground truth the model's own detections stand for the objects."
)
MOST = 40
TABLE_PX = 170


class TrainingSamplePanel(PaintingSearchPanel):
    """The finding in words, the IoU histogram with two lines to drag, the costliest boxes, the objects, the rule."""

    id: ClassVar[str] = INSPECTION
    rank: ClassVar[int] = -4
    settings_title: ClassVar[str] = tr("Rule and quotas")
    invites: ClassVar[str] = INVITATION
    waiting: ClassVar[str] = tr("Waiting for the answer…")
    elsewhere: ClassVar[tuple[str, ...]] = ("truth",)
    shares_titles: ClassVar[bool] = True

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.open = QPushButton(tr("Open ground truth…"))
        self.open.setAccessibleName(tr("Open ground truth for the training sample"))
        self.open.clicked.connect(lambda: self.command_wanted.emit("open-truth"))
        self.again = QPushButton(tr("Draw again"))
        self.again.setToolTip(tr("Another seed: other boxes are drawn"))
        self.again.clicked.connect(self._draw_again)
        buttons = QWidget()
        line = QHBoxLayout(buttons)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(GAP)
        for button in (self.again, self.open):
            button.setAutoDefault(False)
            line.addWidget(button)
        line.addStretch(1)
        self.chart = ThresholdHistogram(tr("Boxes by their highest IoU"))
        self.chart.dragged.connect(self._dragged)
        self.about = WrappedLabel(tr("About the losses"), small=True)
        self.about.setText(tr("Each box with its part of the loss: hard negatives first, then positives."))
        titles = (tr("Learns"), tr("IoU"), tr("Class"), tr("Box"))
        self.table = Cells(tr("Boxes that take part"), titles)
        self.table.setFixedHeight(TABLE_PX)
        self.table.currentItemChanged.connect(lambda *_: self._choose())
        self.objects = Cells(tr("What each object costs"), (tr("Object"), tr("Positives"), tr("Loss")))
        self.objects.setFixedHeight(TABLE_PX * 2 // 3)
        self.positives = CheckRow(tr("Positives"), value=True, help=tr("Paint the positives that take part."))
        self.negatives = CheckRow(tr("Negatives"), value=True, help=tr("Paint the negatives that cost most."))
        for row in (self.positives, self.negatives):
            row.changed.connect(lambda *_: self.layers_changed.emit())
            self.settings.add(row)
        self.arrange((buttons, self.chart, self.settings, self.about, self.table, self.objects))
        self.settings.set_open(True)
        self.chosen = -1

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the sample while the panel is in view."""
        return request_plan.in_view(request_plan.ask_with_truth, INSPECTION, document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings, and the button that opens ground truth where there is none."""
        super().refresh(document, description)
        self.open.setVisible(document.truth is None)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """List the sample."""
        if slot != self.id:
            return
        self.chosen = -1
        with QSignalBlocker(self.table):
            self.table.take(presenter.rows(result, MOST))
            self.table.clearSelection()
        self.objects.take(presenter.object_rows(result))
        super().show_result(slot, request, result)

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show histogram and tables, faded unless they answer the present request."""
        for part in (self.chart, self.about, self.table, self.objects, self.again):
            part.setVisible(result is not None)
        self.chart.set_faded(not fresh)
        if result is None:
            return
        arrays, meta = result.arrays, result.meta
        self.again.setVisible(bool(meta["count"]))
        columns = (arrays[name] for name in ("histogram", "positives", "negatives"))
        self.chart.show_counts(*columns, fg=meta["fg"], bg=meta["bg"], movable=not meta["by_place"])

    def layers(self, document: Document) -> list[Layer]:
        """Return objects, positives and negatives, while the panel is in view."""
        if self._answer is None or INSPECTION not in document.view.inside:
            return []
        shown = {"positives": bool(self.positives.value), "negatives": bool(self.negatives.value)}
        return presenter.layers(self._answer[1], **shown, chosen=self.chosen)

    def restyle(self, layers: list[Layer], document: Document) -> list[Layer]:
        """Hide the labels of detections while the sample is shown, so that its own can be read."""
        if INSPECTION not in document.view.inside:
            return layers
        return [
            replace(layer, labelled=False) if isinstance(layer, Boxes) and layer.id == DETECTIONS else layer
            for layer in layers
        ]

    def picked(self, layer: str, row: int) -> bool:
        """Choose the row of a box that was clicked."""
        if self._answer is None or layer not in (presenter.POSITIVES, presenter.NEGATIVES):
            return False
        result = self._answer[1]
        mask = result.arrays["positive"] == (layer == presenter.POSITIVES)
        at = int(mask.nonzero()[0][row])
        listed = presenter.listed(result, MOST)
        if at in listed and (item := self.table.topLevelItem(listed.index(at))) is not None:
            self.table.setCurrentItem(item)
        return True

    def _choose(self) -> None:
        item = self.table.currentItem()
        row = self.table.indexOfTopLevelItem(item) if item is not None else -1
        listed = presenter.listed(self._answer[1], MOST) if self._answer is not None else []
        self.chosen = listed[row] if 0 <= row < len(listed) else -1
        self.layers_changed.emit()

    def _draw_again(self) -> None:
        seed = self.store.document.values(INSPECTION).get("seed", 0)
        self._set("seed", int(seed) + 1)

    def _dragged(self, name: str, value: float, final: bool) -> None:
        """Move a threshold, and the other with it where they would cross."""
        if self._answer is None:
            return
        meta = self._answer[1].meta
        fg, bg, floor = (float(meta[key]) for key in ("fg", "bg", "floor"))
        changed = {name: value}
        if name == "fg" and value < bg:
            changed["bg"] = value
        if name == "bg" and value > fg:
            changed["fg"] = value
        if min(changed.get("bg", bg), value) < floor:
            changed["floor"] = min(changed.get("bg", bg), value)
        document = self.store.document.with_value(INSPECTION, **changed)
        self.store.update(document, title=tr("Thresholds of the training sample"), merge=f"{INSPECTION}.{name}")
        if final:
            self.store.settle()


PANEL = TrainingSamplePanel
