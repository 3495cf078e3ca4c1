"""The Classification figures panel: accuracy, confusion, calibration, curves of a data set, and the worst mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from models.evaluation import class_report
from models.inspection import Description
from models.requests import Request
from models.types import Result, Source
from viewer.canvas.mosaic import tinted
from viewer.panels.base import GAP, SearchPanel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.class_curves import ClassCurve, ClassCurves, ReliabilityChart
from viewer.widgets.charts.class_matrix import ClassMatrix
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_grid import ChannelGrid
from viewer.widgets.tables.copy_table import Cells

INSPECTION = "classification_figures"
SIDE_PX = 256
INVITATION = tr(
    "How often is the classifier right, where is it wrong, and how far can its confidence be trusted? Choose a data "
    "set with labels: a folder with a folder for each class."
)
TITLES = (tr("Class"), tr("Pictures"), tr("Recall"), tr("Precision"), "F1", "AUC", "AP")
POINT = tr("Click a cell of the confusion matrix to see its pictures.")


class ClassificationFiguresPanel(SearchPanel):
    """The data set and what was found at the left, charts in tabs, and the pictures behind them."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Pictures that are listed")
    waiting: ClassVar[str] = tr("The pictures are being looked at…")
    folders: ClassVar[tuple[str, ...]] = ("folder",)
    elsewhere: ClassVar[tuple[str, ...]] = ("actual", "predicted", "collect")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.rows = {
            "folder": FolderRow(
                tr("Data set"), empty=tr("None chosen"), help_text=tr("A folder for each class"), clears=True
            )
        }
        self.numbers = WrappedLabel(tr("Numbers of the data set"))
        self.left_out = WrappedLabel(tr("What is left out"), small=True)
        self.matrix = ClassMatrix(tr("Confusion of classes"))
        self.reliability = ReliabilityChart(tr("Reliability diagram"))
        wrong, right = tr("False positive rate"), tr("True positive rate")
        self.roc = ClassCurves(tr("ROC"), across=wrong, up=right, chance=True)
        recall, precision = tr("Recall"), tr("Precision")
        self.curves = ClassCurves(tr("Precision and recall"), across=recall, up=precision, chance=False)
        self.table = Cells(tr("Figures by class"), TITLES)
        self.about = WrappedLabel(tr("Which pictures are listed"))
        self.every = QPushButton(tr("Worst mistakes of all"))
        self.every.setAutoDefault(False)
        self.grid = ChannelGrid(tr("Pictures behind the numbers"))
        self.grid.describe = self._line
        self.grid.path_of = self._path
        self.readout = WrappedLabel(tr("Picture under the pointer, with its answer"), small=True)
        self.tabs = QTabWidget()
        self._lay_out()
        self.matrix.picked.connect(self._pick_cell)
        self.every.clicked.connect(lambda: self._list("", ""))
        self.grid.hovered.connect(lambda place: self.readout.setText(self._line(place[0]) if place else POINT))
        self.grid.picked.connect(lambda row: self.readout.setText(self._line(row) or POINT))
        self.rows["folder"].wanted.connect(lambda: self.command_wanted.emit(f"{INSPECTION}-folder"))
        self.rows["folder"].cleared.connect(lambda: self._set("folder", None))
        self.show_answer(None, False)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the figures of the chosen data set, else of the open one, while the panel is in view."""
        folder = str(document.values(INSPECTION).get("folder", ""))
        source = Source.file(folder) if folder else document.data_set
        if INSPECTION not in document.view.inside or source is None or description is None:
            return None
        return request_plan.ask(INSPECTION, document, description, source=source)

    def invitation(self) -> str:
        """Return what to choose."""
        return INVITATION

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the figures, faded unless they answer the present request."""
        for part in (self.tabs, self.numbers, self.left_out, self.grid, self.readout, self.about, self.every):
            part.setVisible(result is not None)
        for chart in (self.matrix, self.reliability, self.roc, self.curves):
            chart.set_faded(not fresh)
        if result is None:
            return
        meta, arrays = result.meta, result.arrays
        self.numbers.setText(_numbers(result))
        notes = [*meta["problems"], *meta["notes"]]
        self.left_out.setText("\n".join(notes[:6]))
        self.left_out.setToolTip("\n".join(notes))
        self.matrix.set_counts(class_report.shown(result), arrays["confusion"])
        self.reliability.set_bins(arrays["bin_confidence"], arrays["bin_accuracy"], arrays["bin_count"])
        self.roc.set_curves(_curves(result, "roc_start", "fpr", "tpr"))
        self.curves.set_curves(_curves(result, "pr_start", "recall_points", "precision_points"))
        rows = class_report.class_rows(result)
        self.table.take([(name, f"{count:,}", *map(_cell, rest)) for name, count, *rest in rows])
        self.grid.show_tiles(tinted(arrays["thumbnails"]), np.arange(len(arrays["thumbnails"])))
        chosen = self.store.document.values(INSPECTION)
        actual, predicted = str(chosen.get("actual", "")), str(chosen.get("predicted", ""))
        count = len(arrays["listed"])
        self.about.setText(
            tr("{count:,} listed: {actual} taken for {predicted}", count=count, actual=actual, predicted=predicted)
            if actual and predicted
            else tr("{count:,} listed: the surest mistakes first", count=count)
        )
        self.every.setVisible(bool(actual or predicted))
        self.readout.setText(POINT)

    def _pick_cell(self, row: int, column: int) -> None:
        if self._answer is not None:
            names = class_report.shown(self._answer[1])
            self._list(names[row], names[column])

    def _list(self, actual: str, predicted: str) -> None:
        document = self.store.document.with_value(INSPECTION, actual=actual or None, predicted=predicted or None)
        self.store.update(document, title=tr("Pictures of a cell"))

    def _path(self, row: int) -> str:
        meta = self._answer[1].meta if self._answer is not None else {"listed_paths": (), "root": ""}
        return str(Path(meta["root"], meta["listed_paths"][row])) if row < len(meta["listed_paths"]) else ""

    def _line(self, row: int) -> str:
        if self._answer is None or not 0 <= row < len(self._answer[1].meta["listed_paths"]):
            return ""
        meta, arrays = self._answer[1].meta, self._answer[1].arrays
        return tr(
            "{path}: {label} taken for {taken} at {sure:.1%}",
            path=meta["listed_paths"][row],
            label=meta["classes"][int(arrays["listed_labels"][row])],
            taken=meta["classes"][int(arrays["listed_predictions"][row])],
            sure=float(arrays["listed_confidence"][row]),
        )

    def _lay_out(self) -> None:
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for part in (self.rows["folder"], self.words, self.numbers, self.left_out, self.settings):
            column.addWidget(part)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setAccessibleName(tr("Data set and numbers"))
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(side)
        scroll.setMinimumWidth(SIDE_PX)
        for title, part in (
            (tr("Confusion"), self.matrix),
            (tr("Calibration"), self.reliability),
            (tr("ROC"), self.roc),
            (tr("Precision and recall"), self.curves),
            (tr("Classes"), self.table),
        ):
            self.tabs.addTab(part, title)
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName(tr("Charts of the data set"))
        head = QHBoxLayout()
        head.addWidget(self.about, 1)
        head.addWidget(self.every)
        pictures = QVBoxLayout()
        pictures.setSpacing(GAP // 2)
        pictures.addLayout(head)
        pictures.addWidget(self.grid, 1)
        pictures.addWidget(self.readout)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, GAP, GAP, GAP)
        whole.setSpacing(GAP)
        whole.addWidget(scroll, 2)
        whole.addWidget(self.tabs, 4)
        whole.addLayout(pictures, 3)


def _numbers(result: Result) -> str:
    """Return the numbers of the whole data set, a line each."""
    meta = result.meta
    named = (
        (tr("Best answer right (top 1)"), "top1"),
        (tr("Among the best five (top 5)"), "top5"),
        (tr("Mean recall of the classes"), "balanced"),
        (tr("Mean F1"), "macro_f1"),
        (tr("Mean area under the ROC"), "macro_auc"),
        (tr("Calibration error (ECE)"), "ece"),
        (tr("Log loss"), "log_loss"),
        (tr("Brier score"), "brier"),
    )
    lines = [f"{title}: {_cell(meta[name] if meta[name] >= 0 else None)}" for title, name in named]
    if meta["partial"]:
        lines.insert(0, tr("{done:,} of {count:,} pictures so far", done=meta["collected"], count=meta["of"]))
    return "\n".join(lines)


def _curves(result: Result, start: str, x: str, y: str) -> list[ClassCurve]:
    starts, arrays = result.arrays[start].tolist(), result.arrays
    names = [(tr("All classes"), -1)]
    names += list(zip(class_report.names(result), arrays["labels"].tolist(), strict=True))
    return [
        ClassCurve(name, label, arrays[x][starts[row] : starts[row + 1]], arrays[y][starts[row] : starts[row + 1]])
        for row, (name, label) in enumerate(names)
    ]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


PANEL = ClassificationFiguresPanel
