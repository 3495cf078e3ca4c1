"""The Detection panel: thresholds of every stage after the network, classes with counts, and display options."""

from __future__ import annotations

from dataclasses import replace
from textwrap import shorten
from typing import Any, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from models import model_name
from models.detection.classes import class_groups, class_scores, write_scores
from models.inspection import Description, Offer
from models.requests import Request
from models.types import Failure, Refusal, Result
from viewer import theme
from viewer.canvas.layers import Layer
from viewer.panels.base import GAP, Panel
from viewer.presenters import detections
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.class_list import Classes
from viewer.widgets.controls.fields import TextRow
from viewer.widgets.controls.form import Form

INSPECTION = "detect"
APART = ("hidden", "class_scores")
ORDERS, MOST_ORDERS = "orders", 50  # of classes, by model, as the user dragged them
COMPARED = "compare"
SECTIONS = {
    tr("Suppression"): ("method", "sigma", "agnostic", "groups"),
    tr("Region proposals"): ("rpn_score", "rpn_iou", "rpn_top_n"),
}
MOST_ADVICE = 160  # characters
WAITING = tr("Waiting for the answer…")
NOTHING_OPEN = tr("Open a picture to begin.")


class DetectionPanel(Panel):
    """The form of the detect inspection, the class list, and the boxes on the picture."""

    id: ClassVar[str] = INSPECTION

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.summary = QLabel(WAITING)
        self.summary.setWordWrap(True)
        self.summary.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.summary.setMinimumHeight(2 * self.summary.fontMetrics().lineSpacing())
        self.summary.setAccessibleName(tr("Summary"))
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.classes = Classes()
        self.classes.shown.connect(self._class_shown)
        self.classes.limited.connect(self._class_limited)
        self.classes.settled.connect(store.settle)
        self.classes.reordered.connect(self._reordered)
        self.form: Form | None = None
        self._offer: Offer | None = None
        self._result: Result | None = None
        self._names: tuple[str, ...] = ()
        self._model = ""
        self._memory: dict[str, Any] = {}
        self._compared = False

        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(GAP, GAP, GAP, GAP)
        self._column.setSpacing(GAP)
        self._column.addWidget(self.summary)
        self._column.addWidget(self.classes, 1)
        self._scroll = self.fill(inside, tr("Detection settings"))
        theme.changes().connect(self.classes.viewport().update)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the detections of the current picture."""
        return request_plan.detect(document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the model's own ranges and the user's changes."""
        if document.pinned is None:
            self._compared = False
        if not document.sources:
            self.summary.setText(NOTHING_OPEN)
        offer = description.offers.get(INSPECTION) if description else None
        if offer is None or description is None:
            return
        model = model_name.split(document.model)[0]
        if (description.classes, model) != (self._names, self._model):
            self._names, self._model, self._offer = description.classes, model, None
            self.classes.list(self._names)
            self._order()
        if offer != self._offer:
            self._build(offer)
        values = {**offer.defaults, **request_plan.given(document, INSPECTION, description)}
        if self.form is not None:
            self.form.set_values(values)
        floor = next((p.low for p in offer.parameters if p.name == "score"), 0.0)
        score = float(values.get("score", floor))
        self.classes.follow(_hidden(document), self._scores(document), score=score, floor=floor)
        self.classes.count(self._result.meta["counts"] if self._result is not None else {})

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the counts and store the boxes."""
        if slot == COMPARED:
            self._compared = True
        if slot != INSPECTION:
            return
        self._result = result
        shown, total, cut = len(result.arrays["boxes"]), result.meta["candidates"], result.meta["cut"]
        more = [tr("{proposals:,} proposals", proposals=result.meta["proposals"])] if result.meta["proposals"] else []
        more += [tr("{cut:,} more cut by the maximum", cut=cut)] if cut else []
        self.summary.setText(
            tr(
                "{shown:,} of {total:,} candidates shown\n{more}", shown=shown, total=total, more=" · ".join(more)
            ).strip()
        )
        self.classes.count(result.meta["counts"])
        self.layers_changed.emit()

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Show that there are no detections; keep the previous ones."""
        if slot == INSPECTION and self._result is None:
            self.summary.setText(tr("Cancelled. F5 asks again.") if failure.cancelled else failure.text)

    def forget(self) -> None:
        """Drop the boxes of the previous picture."""
        self._result, self._compared = None, False
        self.summary.setText(WAITING)

    def layers(self, document: Document) -> list[Layer]:
        """Paint the boxes."""
        if self._result is None or not document.view.boxes:
            return []
        if document.pinned is not None and document.view.compare != "a" and self._compared:
            return []  # the comparison panel paints them
        more = {"labels": document.view.labels, "selected": document.selected}
        return detections.detection_layers(self._result, **more, points=False)  # the panel of key points paints them

    def _build(self, offer: Offer) -> None:
        if self.form is not None:
            self._column.removeWidget(self.form)
            self.form.deleteLater()
        self._offer = offer
        # The titles include the units; repeated in the entries they would leave no room for the sliders.
        shown = [replace(p, unit="") for p in offer.parameters if p.name not in APART]
        self.form = Form(shown, sections=SECTIONS)
        self.form.set_defaults(offer.defaults)
        self.form.set_applicable({p.name: offer.greyed.get(p.name, "") for p in offer.parameters})
        self.form.changed.connect(self._changed)
        self.form.committed.connect(self._committed)
        self.form.reset_requested.connect(self._reset)
        self.form.folded.connect(self._folded)
        groups = self.form.rows["groups"]
        assert isinstance(groups, TextRow)
        groups.set_check(self._wrong_groups, words=self._names[1:], between="+;")
        self._unfold()
        self._column.insertWidget(1, self.form)
        bar = self._scroll.verticalScrollBar().sizeHint().width()
        self._scroll.setMinimumWidth(self.form.least_width() + 2 * GAP + bar)

    def recall(self, memory: dict[str, Any]) -> None:
        """Fold the sections as they were when the program last ran."""
        self._memory = memory
        self._unfold()
        self._order()

    def _unfold(self) -> None:
        for title, section in self.form.sections.items() if self.form is not None else ():
            section.set_open(self._memory.get(title) is True)

    def _order(self) -> None:
        """Put the classes into the order in which the user dragged them, for this model if its names are the same."""
        orders = self._memory.get(ORDERS)
        order = orders.get(self._model) if isinstance(orders, dict) else None
        if isinstance(order, list) and {*order} == {item.text(0) for item in self.classes.items()}:
            self.classes.reorder(order)

    def _reordered(self, names: list[str]) -> None:
        orders = self._memory.get(ORDERS)
        kept = {**orders} if isinstance(orders, dict) else {}
        kept.pop(self._model, None)
        self._memory[ORDERS] = dict([*kept.items(), (self._model, names)][-MOST_ORDERS:])

    def _folded(self, title: str, opened: bool) -> None:
        self._memory[title] = opened

    def _wrong_groups(self, text: str) -> str:
        try:
            class_groups(text, self._names)
        except Refusal as refusal:
            return f"{refusal} {shorten(refusal.advice, MOST_ADVICE, placeholder='…')}"
        return ""

    def _scores(self, document: Document) -> dict[str, float]:
        """Return the scores of the classes that have their own, by name."""
        text = str(document.values(INSPECTION).get("class_scores", ""))
        try:
            return {self._names[label]: score for label, score in sorted(class_scores(text, self._names).items())}
        except Refusal:
            return {}

    def _changed(self, name: str, value: float | int | bool | str) -> None:
        offer = self._offer
        if offer is None:
            return
        title = next((p.title for p in offer.parameters if p.name == name), name)
        own = offer.defaults.get(name)
        document = self.store.document.with_value(INSPECTION, **{name: None if value == own else value})
        self.store.update(document, title=title, merge=f"{INSPECTION}.{name}")

    def _committed(self, name: str, value: float | int | bool | str) -> None:
        self._changed(name, value)
        self.store.settle()

    def _reset(self) -> None:
        self.store.update(self.store.document.with_own(INSPECTION), title=tr("Reset detection"))

    def _class_shown(self, name: str, shown: bool) -> None:
        hidden = _hidden(self.store.document) - {name} | (set() if shown else {name})
        ordered = ",".join(n for n in self._names if n in hidden)
        document = self.store.document.with_value(INSPECTION, hidden=ordered or None)
        self.store.update(
            document, title=tr("{what} class {name}", what=tr("Show") if shown else tr("Hide"), name=name)
        )

    def _class_limited(self, name: str, score: float | None) -> None:
        """Give a class its own score, or remove it (None); "" stands for every class."""
        scores = self._scores(self.store.document) if name else {}
        scores.pop(name, None)
        if score is not None:
            scores[name] = score
        ordered = write_scores({n: scores[n] for n in self._names if n in scores})
        document = self.store.document.with_value(INSPECTION, class_scores=ordered or None)
        title = tr("Score of class {name}", name=name) if name else tr("Scores of classes")
        self.store.update(document, title=title, merge=f"{INSPECTION}.class_scores.{name}")


def _hidden(document: Document) -> set[str]:
    return {name for name in str(document.values(INSPECTION).get("hidden", "")).split(",") if name}


PANEL = DetectionPanel
