"""The Loss workbench panel: losses of two boxes to drag, focal loss on the picture's anchors, and label smoothing."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QComboBox

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer.engine_texts import shown
from viewer.panels.base import STOPPED, SearchPanel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wants
from viewer.translation import tr
from viewer.widgets.charts.loss_curves import LossCurves
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.section import Section
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.box_pair_editor import BoxPairEditor
from viewer.widgets.tables.copy_table import Cells

INSPECTION, FOCAL = "box_losses", "focal_loss"
BOXES = ("predicted", "truth")
CURVES_MOST = 4.0
NO_FOCAL = tr("Open a picture with a detector of torchvision's kind: its real anchors are weighed here.")
GROUPS = (tr("Easy negatives"), tr("Hard negatives"), tr("Positives"))
BOTTOMS = {
    "approach": tr("0 predicted, 1 true"),
    "slide": tr("Centre, in pixels from the true one"),
    "grow": tr("Times its size"),
}


class BoxLossesPanel(SearchPanel):
    """Two boxes with arrows, their losses and curves; then focal loss by group; then the two smoothed targets."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Curves and label smoothing")
    waiting: ClassVar[str] = tr("Waiting for the answer…")
    elsewhere: ClassVar[tuple[str, ...]] = BOXES

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.editor = BoxPairEditor(tr("Predicted and true box"))
        self.editor.moved.connect(self._moved)
        self.which = QComboBox()
        self.which.setAccessibleName(tr("Loss whose gradient is shown"))
        self.which.currentIndexChanged.connect(lambda _: self._redraw())
        self.table = Cells(tr("Losses of the two boxes"), (tr("Loss"), tr("Value"), tr("Gradient")))
        self.table.setFixedHeight(172)
        self.curves = LossCurves(tr("Losses along the path"))
        self.smoothing = Cells(tr("Smoothed targets"), (tr("Target"), tr("Right class"), tr("Others")))
        self.smoothing.setFixedHeight(74)
        self.focal = Section(tr("Focal loss on this picture"))
        self.said = WrappedLabel(tr("About focal loss"))
        self.groups = Cells(tr("Who contributes how much"), (tr("Anchors"), tr("Number"), tr("CE"), tr("Focal")))
        self.groups.setFixedHeight(96)
        self.term = LossCurves(tr("Loss of one term"), height_px=150)
        self.focal_form: Form | None = None
        for part in (self.said, self.groups, self.term):
            self.focal.add(part)
        self._focal: Result | None = None
        self._focal_wanted: Request | None = None
        self._focal_failed = ""
        self.arrange((self.editor, self.which, self.table, self.curves, self.settings, self.smoothing, self.focal))
        self.settings.set_open(True)
        self.focal.set_open(True)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the losses of the two boxes while the panel is in view; they need no picture."""
        return request_plan.in_view(request_plan.about, INSPECTION, document, description)

    @staticmethod
    def wants_focal(document: Document, description: Description | None) -> Request | None:
        """Request what the picture's anchors contribute while the panel is in view."""
        if INSPECTION not in document.view.inside or description is None:
            return None
        return request_plan.ask_with_truth(FOCAL, document, description)

    @classmethod
    def slots(cls) -> list[tuple[str, Wants]]:
        """Return the slots of the boxes and of the anchors."""
        return [(cls.id, cls.wants), (FOCAL, cls.wants_focal)]

    def invitation(self) -> str:
        """Return nothing: the boxes are there without a picture."""
        return ""

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings of both parts."""
        super().refresh(document, description)
        offer = description.offers.get(FOCAL) if description else None
        if offer is not None and not offer.reason:
            if self.focal_form is None:
                self.focal_form = Form([p for p in offer.parameters if p.name != "truth"])
                self.focal_form.changed.connect(lambda name, value: self._set_focal(name, value, final=False))
                self.focal_form.committed.connect(lambda name, value: self._set_focal(name, value, final=True))
                self.focal_form.reset_requested.connect(self._reset_focal)
                self.focal.inner.insertWidget(0, self.focal_form)
            self.focal_form.set_values({**offer.defaults, **request_plan.given(document, FOCAL, description)})
        self._focal_wanted = self.wants_focal(document, description)
        self._show_focal()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Take the losses of the boxes, or those of the anchors."""
        if slot == FOCAL:
            self._focal, self._focal_failed = result, ""
            self._show_focal()
            return
        super().show_result(slot, request, result)

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel why there is no answer."""
        if slot == FOCAL:
            self._focal_failed = STOPPED if failure.cancelled else failure.text
            self._show_focal()
            return True
        return super().show_failure(slot, failure)

    def forget(self) -> None:
        """Drop what belongs to the previous picture; the two boxes stay."""
        self._focal, self._focal_failed = None, ""
        self._show_focal()

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show boxes, losses and curves."""
        for part in (self.editor, self.which, self.table, self.curves, self.smoothing):
            part.setVisible(result is not None)
        self.curves.set_faded(not fresh)
        if result is None:
            return
        titles = [str(title) for title in result.meta["titles"]]
        if self.which.count() != len(titles):
            with QSignalBlocker(self.which):
                self.which.clear()
                self.which.addItems([tr("Gradient of {title}", title=title) for title in titles])
                self.which.setCurrentIndex(len(titles) - 1)
        rows = [
            (title, f"{float(value):.4f}", f"{float(np.linalg.norm(slope)):.2g}")
            for title, value, slope in zip(titles, result.arrays["values"], result.arrays["gradients"], strict=True)
        ]
        self.table.take(rows)
        smooth = [(tr("torch, softmax"), "torch_target"), (tr("YOLO, independent"), "yolo_target")]
        columns = [(title, result.arrays[name]) for title, name in smooth]
        self.smoothing.take([(title, f"{float(v[0]):.4g}", f"{float(v[1]):.4g}") for title, v in columns])
        self._redraw()

    def _redraw(self) -> None:
        if self._answer is None:
            return
        arrays, meta = self._answer[1].arrays, self._answer[1].meta
        chosen = max(self.which.currentIndex(), 0)
        self.editor.show_boxes(arrays["predicted"], arrays["truth"], arrays["gradients"][chosen])
        mark = {"approach": 0.0, "grow": 1.0}.get(meta["path"])
        titles = [str(title) for title in meta["titles"]]
        self.curves.show_curves(
            arrays["places"],
            arrays["curves"],
            titles,
            bottom=BOTTOMS[meta["path"]],
            mark=mark,
            chosen=chosen,
            most=CURVES_MOST,
        )

    def _show_focal(self) -> None:
        result = self._focal
        for part in (self.groups, self.term):
            part.setVisible(result is not None)
        if self.focal_form is not None:
            self.focal_form.setVisible(self._focal_wanted is not None)
        if result is None:
            self.said.setText(self._focal_failed or (NO_FOCAL if self._focal_wanted is None else self.waiting))
            return
        self.said.setText(self._focal_failed or shown(str(result.meta["text"])))
        columns = zip(
            GROUPS,
            result.arrays["counts"].tolist(),
            result.arrays["entropy_share"].tolist(),
            result.arrays["focal_share"].tolist(),
            strict=True,
        )
        self.groups.take([(name, f"{count:,}", f"{one:.1%}", f"{other:.1%}") for name, count, one, other in columns])
        curves = np.stack([result.arrays["entropy_curve"], result.arrays["focal_curve"]])
        titles = (tr("Cross-entropy"), tr("Focal"))
        self.term.show_curves(
            result.arrays["chances"], curves, titles, bottom=tr("Probability of the right answer"), most=CURVES_MOST
        )

    def _moved(self, name: str, text: str, final: bool) -> None:
        document = self.store.document.with_value(INSPECTION, **{name: text})  # type: ignore[arg-type]
        self.store.update(document, title=tr("Move a box"), merge=f"{INSPECTION}.{name}")
        if final:
            self.store.settle()

    def _set_focal(self, name: str, value: object, *, final: bool) -> None:
        document = self.store.document.with_value(FOCAL, **{name: value})  # type: ignore[arg-type]
        self.store.update(document, title=tr("Focal loss"), merge=f"{FOCAL}.{name}")
        if final:
            self.store.settle()

    def _reset_focal(self) -> None:
        self.store.update(self.store.document.with_own(FOCAL), title=tr("Focal loss"))


PANEL = BoxLossesPanel
