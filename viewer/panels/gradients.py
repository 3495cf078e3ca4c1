"""The Gradients panel: gradients and weights by layer for two losses, and what autograd does, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer.engine_texts import shown
from viewer.panels.base import GAP, SearchPanel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.layer_curves import LayerCurve, LayerCurves
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.tables.copy_table import Cells

INSPECTION = "gradients"
SIDE_PX = 248
INVITATION = tr(
    "How large is the gradient in each layer, do two losses pull in the same direction, and what does backward() do to "
    ".grad? Open a picture to see it for this network, which is never changed."
)
STEPS = (tr("Call"), ".grad")
NO_VECTOR = tr("This loss is computed from no vector of scores.")
NO_BATCH = tr("This model is not run on batches here, so nothing is accumulated.")


class GradientsPanel(SearchPanel):
    """The losses and findings at the left, sizes and cosines by layer, and tabs with what autograd does."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the batch")
    invites: ClassVar[str] = INVITATION
    waiting: ClassVar[str] = tr("The gradients are being computed… Escape stops it.")
    folders: ClassVar[tuple[str, ...]] = ("folder",)
    elsewhere: ClassVar[tuple[str, ...]] = ("loss", "other", "box", "truth")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.rows = {
            "folder": FolderRow(
                tr("Batch"),
                empty=tr("Beside the picture"),
                help_text=tr("The folder of the batch's other pictures"),
                clears=True,
            )
        }
        self.loss, self.other = _picker(tr("Loss")), _picker(tr("Second loss"))
        self.notes = WrappedLabel(tr("About the losses"), small=True)
        self.sizes = LayerCurves(tr("Size by layer"), logarithmic=True)
        self.angles = LayerCurves(tr("Cosine by layer: below 0 is a conflict"), logarithmic=False)
        self.angles.link(self.sizes)
        self.step = 0
        self.back, self.next = QPushButton(tr("Back")), QPushButton(tr("Next step"))
        self.told = WrappedLabel(tr("What the step does"))
        self.steps = Cells(tr("Steps of backward"), STEPS)
        self.vector = WrappedLabel(tr("Vector output"))
        self.rows_of_vector = Cells("Jᵀv", ("v", tr("What Jᵀv is"), tr("Length")))
        self.batch = WrappedLabel(tr("Accumulation"))
        self.tape = Cells(tr("Tape"), (tr("Node"), tr("Layer"), tr("Keeps")))
        self.tape_about = WrappedLabel(tr("About the tape"))
        self.program = _picker(tr("Program"))
        self.code = QPlainTextEdit()
        self.code.setReadOnly(True)
        self.code.setAccessibleName(tr("Program to copy"))
        self.code.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.tabs = QTabWidget()
        self._lay_out()
        self.loss.activated.connect(lambda: self._choose("loss", self.loss))
        self.other.activated.connect(lambda: self._choose("other", self.other))
        self.back.clicked.connect(lambda: self._go(self.step - 1))
        self.next.clicked.connect(lambda: self._go(self.step + 1))
        self.steps.currentItemChanged.connect(lambda now, _: self._go(self.steps.indexOfTopLevelItem(now)))
        self.program.currentIndexChanged.connect(lambda at: self.code.setPlainText(self.program.itemData(at) or ""))
        self.tabs.currentChanged.connect(lambda _: self._draw())
        self.rows["folder"].wanted.connect(lambda: self.command_wanted.emit("gradients-folder"))
        self.rows["folder"].cleared.connect(lambda: self._set("folder", None))
        self.show_answer(None, False)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the gradients while the panel is in view."""
        if INSPECTION not in document.view.inside or description is None:
            return None
        offer = description.offers.get(INSPECTION)
        truth = document.truth.path if document.truth is not None else ""
        extra = {"truth": truth} if truth and offer is not None and "truth" not in offer.greyed else {}
        return request_plan.explain(INSPECTION, document, description, extra=extra)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the gradients."""
        if slot != self.id:
            return
        meta = result.meta
        for box, chosen in ((self.loss, meta["loss"]), (self.other, meta["other"])):
            with QSignalBlocker(box):
                box.clear()
                for row, (name, title, help_text) in enumerate(meta["losses"]):
                    box.addItem(shown(title), name)
                    box.setItemData(row, shown(help_text), Qt.ItemDataRole.ToolTipRole)
                box.setCurrentIndex(box.findData(chosen))
            box.setToolTip(box.currentText())
        at = self.program.currentIndex()
        self.program.clear()
        for title, code in meta["code"]:
            self.program.addItem(shown(title), code)
        self.program.setCurrentIndex(max(at, 0))
        steps = meta["stepper"]
        self.steps.take([(f"{n}. {each['code']}", _times(each)) for n, each in enumerate(steps, 1)])
        self.vector.setText(_vector_words(meta["vector"]))
        rows = meta["vector"].get("rows", ())
        self.rows_of_vector.take([(row["v"], row["says"], f"{row['length']:.4g}") for row in rows])
        self.rows_of_vector.setVisible(bool(rows))
        self.batch.setText("\n\n".join(meta.get("accumulation", ())) or NO_BATCH)
        tape, count = meta["tape"], meta["tape_nodes"]
        self.tape.take([(row["node"], row["layer"], row["saved"]) for row in tape])
        self.tape_about.setText(
            tr(
                "{shown:,} of {count:,} nodes in the order of backward(). Each keeps tensors for the way back.",
                shown=len(tape),
                count=count,
            )
        )
        self.step = min(self.step, len(steps) - 1)
        super().show_result(slot, request, result)
        self._go(self.step)

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the charts, faded unless they answer the present request."""
        for part in (self.loss, self.other, self.tabs, self.sizes, self.angles, self.notes):
            part.setVisible(result is not None)
        for name in ("loss", "other"):
            self._labels[name].setVisible(result is not None)
        for chart in (self.sizes, self.angles):
            chart.set_faded(not fresh)
        if result is not None:
            meta = result.meta
            helps = {name: help_text for name, _, help_text in meta["losses"]}
            values = zip(meta["titles"], meta["values"], (meta["loss"], meta["other"]), strict=True)
            told = [
                f"{letter}: {title} = {value:.4g}. {helps[name]}"
                for letter, (title, value, name) in zip("AB", values, strict=True)
            ]
            self.notes.setText("\n".join([*told, *meta["notes"]]))
        self._draw()

    def _draw(self) -> None:
        if self._answer is None:
            return
        meta, arrays = self._answer[1].meta, self._answer[1].arrays
        sizes = [
            LayerCurve(tr("Gradient of A"), arrays["first"], 0),
            LayerCurve(tr("Gradient of B"), arrays["second"], 1),
            LayerCurve(tr("Gradient of A + B"), arrays["both"], 2),
            LayerCurve(tr("Weights"), arrays["weights"], 3),
        ]
        if self.tabs.currentIndex() == 0 and 0 <= self.step < len(arrays["steps"]):
            row = arrays["steps"][self.step]
            sizes = [
                LayerCurve(tr(".grad, step {number}", number=self.step + 1), np.where(row < 0, np.nan, row), 4),
                *sizes,
            ]
        self.sizes.set_curves(meta["layers"], sizes)
        reached = (arrays["first"] > 0) & (arrays["second"] > 0)
        angles = [LayerCurve(tr("A and B"), np.where(reached, arrays["cosine"], np.nan), 0)]
        if meta["accumulated"]:
            there = arrays["first"] > 0
            more = (
                (tr("Batches, evaluation"), "evaluation"),
                (tr("Batches, training"), "training"),
                (tr("The two modes"), "modes"),
            )
            angles += [
                LayerCurve(title, np.where(there, arrays[name], np.nan), rank)
                for rank, (title, name) in enumerate(more, 1)
            ]
        self.angles.set_curves(meta["layers"], angles)

    def _go(self, step: int) -> None:
        if self._answer is None:
            return
        steps: Sequence[dict[str, Any]] = self._answer[1].meta["stepper"]
        self.step = max(0, min(step, len(steps) - 1))
        each = steps[self.step]
        held = _times(each) if each["none"] else tr("{times}, g being the gradient", times=_times(each))
        parts = (each["says"], f".grad: {held}.", each["error"])
        self.told.setText("\n".join(part for part in parts if part))
        self.back.setEnabled(self.step > 0)
        self.next.setEnabled(self.step < len(steps) - 1)
        item = self.steps.topLevelItem(self.step)
        if item is not None:
            with QSignalBlocker(self.steps):
                self.steps.setCurrentItem(item)
        self._draw()

    def _choose(self, name: str, box: QComboBox) -> None:
        self._set(name, box.currentData())

    def _lay_out(self) -> None:
        self._labels = {name: QLabel(title) for name, title in (("loss", tr("Loss A")), ("other", tr("Loss B")))}
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for name, box in (("loss", self.loss), ("other", self.other)):
            column.addWidget(self._labels[name])
            column.addWidget(box)  # under its name: the name of a class needs the whole width
        for part in (self.words, self.notes, self.rows["folder"], self.settings):
            column.addWidget(part)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setAccessibleName(tr("Losses and findings"))
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(side)
        scroll.setMinimumWidth(SIDE_PX)
        for title, parts in (
            (tr("Backward twice"), (self._buttons(), self.told, self.steps)),
            (tr("Vector output"), (self.vector, self.rows_of_vector)),
            (tr("Batches"), (self.batch,)),
            (tr("Tape"), (self.tape_about, self.tape)),
            (tr("Code"), (self.program, self.code)),
        ):
            self.tabs.addTab(_page(parts), title)
        self.tabs.setAccessibleName(tr("What autograd does"))
        self.tabs.setDocumentMode(True)
        self.tabs.setUsesScrollButtons(True)
        charts = QVBoxLayout()
        charts.setSpacing(0)
        charts.addWidget(self.sizes, 3)
        charts.addWidget(self.angles, 2)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, GAP, 0)
        whole.setSpacing(GAP)
        whole.addWidget(scroll, 2)
        whole.addLayout(charts, 4)
        whole.addWidget(self.tabs, 3)

    def _buttons(self) -> QWidget:
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        for button in (self.back, self.next):
            button.setAutoDefault(False)
            row.addWidget(button)
        row.addStretch(1)
        return line


def _times(step: dict[str, Any]) -> str:
    return "None" if step["none"] else f"{step['times']:.3g} × g"


def _vector_words(vector: dict[str, Any]) -> str:
    if not vector:
        return NO_VECTOR
    if not vector["error"]:
        return tr("The network gives a single number: backward() needs no v.")
    said = [
        tr("scores.backward() raises: {error}", error=vector["error"]),
        tr(
            "There are {count} scores, so the gradient would be a matrix J, one row for each score. backward() "
            "multiplies it by a vector v instead: scores.backward(v) gives Jᵀv, the gradient of v · scores.",
            count=vector["count"],
        ),
    ]
    if vector["difference"] >= 0:
        said.append(
            tr(
                "With v = p − e it is the gradient of the cross-entropy itself: they are {apart:.1e} apart, relative.",
                apart=vector["difference"],
            )
        )
    return "\n".join(said)


def _picker(name: str) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.currentTextChanged.connect(box.setToolTip)  # where the dock is too narrow for it
    return box


def _page(parts: Sequence[QWidget]) -> QWidget:
    page = QWidget()
    column = QVBoxLayout(page)
    column.setContentsMargins(0, GAP, 0, GAP)
    column.setSpacing(GAP)
    for part in parts:
        column.addWidget(part, 1 if isinstance(part, Cells | QPlainTextEdit) else 0)
    if not any(isinstance(part, Cells | QPlainTextEdit) for part in parts):
        column.addStretch(1)
    return page


PANEL = GradientsPanel
