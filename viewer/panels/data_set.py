"""The Data set panel: all pictures of a data set, with what the model says of each, to sort, filter and open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Int, Pixels, Result, Source
from viewer import theme
from viewer.engine_texts import shown
from viewer.panels.base import GAP, STOPPED, Panel
from viewer.presenters import data_set_rows
from viewer.presenters.data_set_rows import ANY, Choice
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wanted, given
from viewer.translation import tr, trn
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.thumbnail_grid import ThumbnailGrid

LIST, PASS = "data_set.pictures", "data_set.embed"
CONTROLS_PX = 288
INVITATION = tr(
    "Choose a folder of pictures, a table with paths and labels, or ground truth. A dropped folder does too."
)
LISTING = tr("Listing the pictures…")
SHOWN = {
    "all": tr("All pictures"),
    "right": tr("Right"),
    "wrong": tr("Wrong"),
    "failed": tr("Failed"),
    "unlabelled": tr("Without label"),
}
ORDERS = {
    "name": tr("As listed"),
    "label": tr("Class"),
    "prediction": tr("Prediction"),
    "confidence": tr("Most confident first"),
    "doubt": tr("Least confident first"),
    "wrong": tr("Worst mistakes first"),
    "largest": tr("Largest first"),
}


class DataSetPanel(Panel):
    """The set in words, a pass of the model over it, filters, and a grid of thumbnails."""

    id: ClassVar[str] = "data_set"

    thumbnail_wanted = Signal(object)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.row = FolderRow(
            tr("Data set"), empty=tr("None chosen"), help_text=tr("The pictures that the model goes over"), clears=True
        )
        self.words = WrappedLabel(tr("What the data set holds"))
        self.ask_model = QPushButton(tr("Ask the model about all"))
        self.ask_model.setCheckable(True)
        self.ask_model.setToolTip(tr("Go over every picture: its prediction, and its vector for neighbours"))
        self.progress = WrappedLabel(tr("How far the model is"), small=True)
        self.label, self.prediction, self.state, self.sorting = QComboBox(), QComboBox(), QComboBox(), QComboBox()
        self.text = QLineEdit()
        self.text.setPlaceholderText(tr("Part of the name"))
        self.text.setAccessibleName(tr("Part of the name"))
        self.grid = ThumbnailGrid(tr("Pictures of the data set"))
        self.grid.describe, self.grid.mark = self._line, self._mark
        self.readout = WrappedLabel(tr("Picture that is selected"), small=True)
        self._listed: Result | None = None
        self._passed: Result | None = None
        self._failed = ""
        self._choice = Choice()
        self._alone: Int = np.zeros(0, np.int64)
        self.whole = QPushButton(tr("List all pictures again"))
        self.whole.setToolTip(tr("Listed are those selected on the map"))
        self.whole.clicked.connect(lambda: self.list_alone(np.zeros(0, np.int64)))
        self._lay_out()
        self._fill(self.state, SHOWN.items())
        self._fill(self.sorting, ORDERS.items())
        self.row.wanted.connect(lambda: self.command_wanted.emit("open-data-set"))
        self.row.cleared.connect(lambda: self.command_wanted.emit("close-data-set"))
        self.ask_model.clicked.connect(self._ask)
        self.text.textChanged.connect(lambda _: self._choose())
        for box in (self.label, self.prediction, self.state, self.sorting):
            box.activated.connect(lambda _: self._choose())
        self.grid.picked.connect(lambda row: self.readout.setText(self._line(row)))
        self.grid.picked.connect(self._open)
        self.grid.thumbnail_wanted.connect(lambda path: self.thumbnail_wanted.emit(Source.file(path)))

    @staticmethod
    def wants(document: Document, description: Description | None) -> Wanted:
        """Request the list of pictures while the panel is in view, and the pass over them once it was asked for."""
        if "data_set" not in document.view.inside or document.data_set is None:
            return {}
        wanted = {LIST: Request.make("pictures", document.model, document.data_set)}
        offer = description.offers.get("embed") if description else None
        if offer is not None and not offer.reason and document.values("embed").get("collect"):
            values = given(document, "embed", description)
            wanted[PASS] = Request.make("embed", document.model, document.data_set, values)
        return wanted

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show which data set is open, and whether the model can go over it."""
        path = document.data_set.path if document.data_set is not None else ""
        self.row.show_path(path)
        offer = description.offers.get("embed") if description else None
        reason = shown(offer.reason) if offer is not None else ""
        self.ask_model.setEnabled(bool(path) and not reason)
        self.ask_model.setChecked(bool(document.values("embed").get("collect")))
        if reason:
            self.ask_model.setToolTip(reason)
        if not path:
            self._listed = self._passed = None
            self._alone = np.zeros(0, np.int64)
        self._show()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Take the list of pictures, or what the model said of those looked at so far."""
        if slot not in (LIST, PASS) or request.source != self.store.document.data_set:
            return
        self._failed = ""
        if slot == LIST:
            first = self._listed is None
            fresh = self._listed is None or self._listed.meta["digest"] != result.meta["digest"]
            self._listed = result
            if fresh:
                self._passed = None
                self._alone = self._alone if first else np.zeros(0, np.int64)
                self._fill_classes()
        else:
            self._passed = result
            self._fill_predictions()
        self._show()

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel why there is none; keep the last one."""
        if slot not in (LIST, PASS):
            return None
        self._failed = STOPPED if failure.cancelled else failure.text
        self._show()
        return True

    def list_alone(self, rows: Int) -> None:
        """List only some pictures, by their rows, such as those selected on the map; none means all."""
        self._alone = rows
        self._show()

    def set_thumbnail(self, source: Source, pixels: Pixels | None) -> None:
        """Take a thumbnail."""
        self.grid.set_thumbnail(source.path, pixels)

    def _lay_out(self) -> None:
        controls = QWidget()
        filters = QGridLayout()
        filters.setSpacing(GAP)
        titles = (tr("Class"), tr("Prediction"), tr("Show"), tr("Order"))
        boxes = (self.label, self.prediction, self.state, self.sorting)
        for line, (title, box) in enumerate(zip(titles, boxes, strict=True)):
            box.setAccessibleName(title)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            filters.addWidget(QLabel(title), line, 0)
            filters.addWidget(box, line, 1)
        filters.addWidget(self.text, len(boxes), 0, 1, 2)
        filters.setColumnStretch(1, 1)
        column = QVBoxLayout(controls)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for part in (self.row, self.words, self.whole, self.ask_model, self.progress):
            column.addWidget(part)
        column.addLayout(filters)
        column.addWidget(self.readout)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setAccessibleName(tr("Controls of the data set"))
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFixedWidth(CONTROLS_PX)
        scroll.setWidget(controls)
        across = QHBoxLayout(self)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(0)
        across.addWidget(scroll)
        across.addWidget(self.grid, 1)

    def _ask(self, on: bool) -> None:
        document = self.store.document.with_value("embed", collect=True if on else None)
        self.store.update(document, title=tr("Ask the model about a data set"))

    def _open(self, row: int) -> None:
        if self._listed is not None and 0 <= row < len(self._listed.meta["paths"]):
            self.open_wanted.emit(self._listed.meta["paths"][row])

    def _choose(self) -> None:
        self._choice = Choice(
            label=_chosen(self.label, ANY),
            prediction=_chosen(self.prediction, ANY),
            shown=str(self.state.currentData()),
            text=self.text.text().strip(),
            order=str(self.sorting.currentData()),
        )
        self._list()

    def _fill_classes(self) -> None:
        assert self._listed is not None
        names, counts = self._listed.meta["classes_of_set"], self._listed.meta["counts"]
        rows = [(ANY, tr("Every class")), *((row, f"{name} ({counts[row]:,})") for row, name in enumerate(names))]
        if (self._listed.arrays["label"] < 0).any():
            rows.append((-1, tr("No class")))
        self._fill(self.label, rows)
        self._fill(self.prediction, [(ANY, tr("Every prediction"))])
        self._choose()

    def _fill_predictions(self) -> None:
        assert self._passed is not None
        classes = self._passed.meta["classes"]
        found = np.unique(self._passed.arrays["prediction"])
        names = [(int(row), classes[row]) for row in found.tolist() if 0 <= row < len(classes)]
        kept = _chosen(self.prediction, ANY)
        self._fill(self.prediction, [(ANY, tr("Every prediction")), *names])
        self.prediction.setCurrentIndex(max(0, self.prediction.findData(kept)))

    @staticmethod
    def _fill(box: QComboBox, rows: Sequence[tuple[object, str]] | object) -> None:
        kept = box.currentData()
        box.clear()
        for value, title in rows:  # type: ignore[attr-defined]
            box.addItem(title, value)
        box.setCurrentIndex(max(0, box.findData(kept)))

    def _list(self) -> None:
        if self._listed is None:
            self.grid.show_rows((), np.zeros(0, np.int64))
            return
        meta = self._listed.meta
        columns = self._passed.arrays if self._passed is not None else {}
        order = data_set_rows.rows(self._choice, self._listed.arrays["label"], meta["shown"], columns)
        if len(self._alone):
            order = order[np.isin(order, self._alone)]
        self.grid.show_rows(meta["paths"], order)

    def _show(self) -> None:
        self._list()
        self.whole.setVisible(bool(len(self._alone)))
        document = self.store.document
        for part in (self.label, self.prediction, self.state, self.sorting, self.text):
            part.setEnabled(self._listed is not None)
        self.progress.setText(self._pass_words())
        self.progress.setVisible(bool(self.progress.text()))
        if self._failed:
            self.words.setText(self._failed)
        elif self._listed is not None:
            self.words.setText(self._set_words(self._listed))
            self.words.setToolTip("\n".join(shown(str(note)) for note in self._listed.meta["set_notes"][:20]))
        else:
            self.words.setText(LISTING if document.data_set is not None else INVITATION)

    def _set_words(self, listed: Result) -> str:
        count, listed_count = len(listed.meta["paths"]), len(self.grid.order)
        classes, notes = len(listed.meta["classes_of_set"]), len(listed.meta["set_notes"])
        parts = [trn("{n:,} picture", "{n:,} pictures", count)]
        if listed_count != count:
            parts.append(tr("{shown:,} shown", shown=listed_count))
        if classes:
            parts.append(trn("{n:,} class", "{n:,} classes", classes))
        if notes:
            parts.append(trn("{n:,} note", "{n:,} notes", notes))
        return ", ".join(parts)

    def _pass_words(self) -> str:
        if self._passed is None:
            return ""
        meta = self._passed.meta
        lines = [tr("Looked at {done:,} of {of:,}", done=meta["collected"] + meta["failed"], of=meta["of"])]
        if meta["failed"]:
            lines.append(tr("{failed:,} failed", failed=meta["failed"]))
        if meta["accuracy"] >= 0:
            lines.append(
                tr("{accuracy:.1%} of {judged:,} labelled right", accuracy=meta["accuracy"], judged=meta["judged"])
            )
        if size := meta["pruned_bytes"]:
            lines.append(tr("{size:,.0f} MB of what was kept longest were removed", size=size / 1e6))
        return ", ".join(lines)

    def _line(self, row: int) -> str:
        if self._listed is None or not 0 <= row < len(self._listed.meta["shown"]):
            return ""
        meta, label = self._listed.meta, int(self._listed.arrays["label"][row])
        parts = [meta["shown"][row]]
        if label >= 0:
            parts.append(tr("label {label}", label=meta["classes_of_set"][label]))
        if self._passed is not None and self._passed.meta["digest"] == meta["digest"]:
            columns, classes = self._passed.arrays, self._passed.meta["classes"]
            prediction = int(columns["prediction"][row])
            if 0 <= prediction < len(classes):
                sure = float(columns["confidence"][row])
                parts.append(tr("taken for {name}, {sure:.0%}", name=classes[prediction], sure=sure))
            if columns["state"][row] == data_set_rows.FAILED:
                parts.append(self._problem(meta["shown"][row]))
        return ", ".join(parts)

    def _problem(self, name: str) -> str:
        assert self._passed is not None
        begin = f"{name}: "
        found = (line for line in self._passed.meta["problems"] if line.startswith(begin))
        return shown(next(found, begin + tr("failed")).removeprefix(begin))

    def _mark(self, row: int) -> QColor | None:
        if self._passed is None or self._listed is None or len(self._passed.arrays["right"]) <= row:
            return None
        colours = theme.colours()
        if self._passed.arrays["state"][row] == data_set_rows.FAILED:
            return colours.warning
        return {1: colours.success, 0: colours.error}.get(int(self._passed.arrays["right"][row]))


def _chosen(box: QComboBox, without: int) -> int:
    found = box.currentData()
    return without if found is None else int(found)


PANEL = DataSetPanel
