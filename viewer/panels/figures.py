"""The Figures panel: mAP, curves, confusion matrix, stage funnel and error types of a data set."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from models.evaluation import report
from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer.panels.base import GAP, Panel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr, trn
from viewer.widgets.charts import figure_data
from viewer.widgets.charts.bar_chart import BarChart
from viewer.widgets.charts.confusion_matrix import MatrixChart
from viewer.widgets.charts.precision_recall import CurveChart
from viewer.widgets.tables.cell_pictures import CellPictures
from viewer.widgets.tables.figure_table import FigureTable

STALE_AFTER_MS = 300
LEAST_IOU = 0.1
SIDE_PX = 248
NO_TRUTH = tr("Open ground truth first (Ctrl+T).")
OFFER = tr("The model runs once on every picture of the ground truth; after that all figures follow the sliders.")
CELL = ("cell_row", "cell_column")
NOT_YET = tr("The curves appear once the data set is evaluated.")
NUMBERS = {
    "map": (
        "mAP",
        tr("Mean average precision over IoU 0.50 to 0.95, as COCO defines it, of the detections above the score"),
    ),
    "map50": (tr("mAP at 0.5"), tr("Mean average precision at IoU 0.50")),
    "map75": (tr("mAP at 0.75"), tr("Mean average precision at IoU 0.75")),
    "all_precision": (tr("Precision"), tr("The share of the detections that are correct, at the current settings")),
    "all_recall": (tr("Recall"), tr("The share of the objects that are found, at the current settings")),
    "all_f1": ("F1", tr("The harmonic mean of precision and recall")),
}


class FiguresPanel(Panel):
    """A button, numbers, and charts in tabs. Results stay, faded, when the settings change after them."""

    id: ClassVar[str] = "figures"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.shown: tuple[Request, Result] | None = None
        self._wanted: Request | None = None
        self._failed: tuple[Request | None, str] = None, ""
        self._least_score = 0.0
        self.run = QPushButton(tr("Evaluate the data set"))
        self.run.clicked.connect(self._run)
        self.put_away = QToolButton()
        self.put_away.setText(tr("Clear"))
        self.put_away.setToolTip(tr("Stop following the sliders, so that the engine is free for the picture"))
        self.put_away.setAccessibleName(tr("Clear the figures"))
        self.put_away.clicked.connect(lambda: self._set("off", tr("Clear the figures")))
        self.progress = QProgressBar()
        self.progress.setAccessibleName(tr("Pictures measured"))
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.state = _text(tr("State of the evaluation"))
        self.state.setWordWrap(True)
        self.values = {name: _text(title) for name, (title, _) in NUMBERS.items()}
        self.best = _text(tr("Best F1"))
        self.scope = _text(tr("Pictures included in the figures"))
        self.use = QToolButton()
        self.use.setText(tr("Use"))
        self.use.setAccessibleName(tr("Use the score with the best F1"))
        self.use.setToolTip(tr("Set the score to the one with the best F1"))
        self.use.clicked.connect(self._use_best)
        self.curves = CurveChart(tr("Precision over recall"))
        self.matrix = MatrixChart(tr("Confusion matrix"))
        self.matrix.picked.connect(self._pick_cell)
        self.behind = CellPictures()
        self.behind.opened.connect(self.open_wanted)
        self.funnel = BarChart(tr("Recall funnel"))
        self.errors = BarChart(tr("Error types"))
        self.group = QComboBox()
        self.group.setAccessibleName(tr("Objects in the funnel"))
        self.group.setToolTip(tr("Which objects the funnel is about; sizes are COCO's: 32 and 96 pixels squared"))
        self.group.currentIndexChanged.connect(self._draw_funnel)
        self.table = FigureTable()
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.copy = _tool(tr("Copy"), tr("Copy all figures as text"), self._copy)
        self.export = _tool(tr("Export…"), tr("Save all figures as JSON, or the curves as CSV"), self._ask_export)
        self._measured_before = 0  # pictures that had been measured before the engine had to start again
        self._lay_out()
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(STALE_AFTER_MS)
        self._late.timeout.connect(lambda: self._fade(True))
        self.refresh(store.document, None)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the figures once the user asked for them, with the detection settings and the truth's IoU."""
        mode, truth = document.view.figures, document.truth
        if mode == "off" or truth is None or request_plan.beyond(document):
            return None
        extra = {"match_iou": max(LEAST_IOU, document.view.truth_iou), "collect": mode == "collect"}
        extra |= {name: value for name, value in document.values("figures").items() if name in CELL}
        request = request_plan.ask("figures", document, description, settings="detect", extra=extra, source=truth)
        if request is None:
            return None
        # "suppressed" changes what is drawn and not what is found: without it the request, and its result, stay the
        # same.
        values = {name: value for name, value in request.params if name != "suppressed"}
        return Request.make(request.inspection, request.model, request.source, values)

    def _ask_export(self) -> None:
        self.command_wanted.emit("export-figures")

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show what can be done, and check whether the figures belong to the current settings."""
        self._wanted = self.wants(document, description)
        offer = description.offers.get("detect") if description else None
        if offer is not None:
            self._least_score = next((p.low for p in offer.parameters if p.name == "score"), 0.0)
        mode = document.view.figures
        if self.shown is not None and document.truth != self.shown[0].source:
            self.shown = None
            self._show()
        complete = self.shown is not None and bool(self.shown[1].meta["complete"])
        self.run.setEnabled(document.truth is not None)
        busy = mode == "collect" and not complete
        self.run.setText(tr("Stop") if busy else tr("Go on") if mode == "hold" else tr("Evaluate the data set"))
        self.run.setVisible(not (mode == "collect" and complete))
        self.put_away.setVisible(mode != "off")
        self.progress.setVisible(busy)
        self._update_text(document)
        self._compare()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the figures."""
        if slot != self.id or (self.shown is not None and not result.meta["pictures"]):
            return
        if self.shown is not None and self.shown[0] == request:
            had, has = self.shown[1].meta["collected"], result.meta["collected"]
            self._measured_before = had if has < had else self._measured_before if has < self._measured_before else 0
        else:
            self._measured_before = 0
        before, self._failed = self.shown[1].meta["complete"] if self.shown else False, (None, "")
        self.shown = request, result
        self._show()
        if result.meta["complete"] != before:
            self.refresh(self.store.document, None)
        self._update_text(self.store.document)
        self._compare()

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Show why there are no figures."""
        if slot == self.id:
            self._failed = self._wanted, failure.text
            self._update_text(self.store.document)

    # internals

    def _show(self) -> None:
        """Pass the figures to numbers and charts."""
        answer = self.shown
        if answer is None:
            for label in (*self.values.values(), self.best):
                label.setText("–")
            self._show_scope("")
            self.use.setEnabled(False)
            self.curves.set_lines((), missing=NOT_YET)
            self.errors.set_bars(())
            self.funnel.set_bars(())
            self.table.take([])
            self.behind.show_pictures("", ())
            return
        _, result = answer
        self._show_scope(figure_data.scope(result))
        for name, label in self.values.items():
            value = result.meta[name]
            label.setText(f"{value:.3f}" if value >= 0 else "–")
        f1, score = float(result.arrays["best_f1"][0]), float(result.arrays["best_score"][0])
        self.best.setText(tr("{f1:.3f} at score {score:.2f}", f1=f1, score=score))
        self.use.setEnabled(f1 > 0)
        self.curves.set_lines(figure_data.lines(result))
        self.matrix.set_counts([*report.names(result), report.BACKGROUND], result.arrays["confusion"])
        self._list_pictures(result)
        self.errors.set_bars(figure_data.error_bars(result))
        self.table.take(report.class_rows(result), result.arrays["labels"].tolist())
        self._list_groups(result)
        self._draw_funnel()

    def _update_text(self, document: Document) -> None:
        """Show how far the collection is and what was left out."""
        reason = request_plan.beyond(document)
        if document.truth is None:
            self.state.setText(NO_TRUTH)
        elif document.view.figures != "off" and reason:
            self.state.setText(reason)
        elif self._wanted is not None and self._failed[0] == self._wanted:
            self.state.setText(self._failed[1])
        elif self.shown is None:
            self.state.setText(OFFER if document.view.figures == "off" else tr("The ground truth is being read…"))
        else:
            text, details = figure_data.state(self.shown[1])
            text = " · ".join(filter(None, (text, self._replaced())))
            self.state.setText(text)
            self.state.setToolTip(details)
            meta = self.shown[1].meta
            self.progress.setRange(0, max(1, meta["of"]))
            self.progress.setValue(meta["collected"] + meta["failed"])

    def _replaced(self) -> str:
        """Return what a new engine went on from, or that it began again, "" if it is the first."""
        meta = self.shown[1].meta if self.shown is not None else {}
        resumed = int(meta.get("resumed", 0))
        if resumed and not meta["complete"]:
            return trn(
                "A new engine goes on from the {n:,} picture that had been measured.",
                "A new engine goes on from the {n:,} pictures that had been measured.",
                resumed,
            )
        if not resumed and self._measured_before:
            return trn(
                "A new engine began again: {n:,} picture had been measured.",
                "A new engine began again: {n:,} pictures had been measured.",
                self._measured_before,
            )
        return ""

    def _compare(self) -> None:
        """Fade figures of other settings, after a delay so that they do not flicker while a slider moves."""
        fresh = self.shown is None or self._wanted is None or self.shown[0] == self._wanted
        off = self.shown is not None and self._wanted is None
        if fresh:
            self._late.stop()
            self._fade(off)
        elif not self._late.isActive():
            self._late.start()

    def _fade(self, faded: bool) -> None:
        for chart in (self.curves, self.matrix, self.funnel, self.errors):
            chart.set_faded(faded)
        for part in (*self.values.values(), self.best, self.table):
            part.setEnabled(not faded)

    def _run(self) -> None:
        mode = self.store.document.view.figures
        collecting = mode == "collect"
        self._set(
            "hold" if collecting else "collect",
            tr("Stop the evaluation") if collecting else tr("Evaluate the data set"),
        )

    def _set(self, mode: str, title: str) -> None:
        self.store.update(self.store.document.with_view(figures=mode), title=title)

    def _use_best(self) -> None:
        if self.shown is not None:
            # A score below the model's own floor would show the same detections as the floor itself.
            score = max(self._least_score, round(float(self.shown[1].arrays["best_score"][0]), 4))
            self.store.update(self.store.document.with_value("detect", score=score), title=tr("Score with the best F1"))

    def _copy(self) -> None:
        if self.shown is not None:
            QGuiApplication.clipboard().setText(f"{self.scope.text()}\n\n{report.as_text(self.shown[1])}")

    def _show_scope(self, text: str) -> None:
        """Say above the numbers of which pictures they are."""
        self.scope.setText(text)
        self.scope.setVisible(bool(text))

    def _list_groups(self, result: Result) -> None:
        names = [name for name, _, _ in report.funnel_rows(result)]
        if names == [self.group.itemData(row) for row in range(self.group.count())]:
            return
        kept = max(0, self.group.currentIndex())
        self.group.blockSignals(True)
        self.group.clear()
        for name in names:
            self.group.addItem(figure_data.GROUP_TITLES.get(name, name), name)
        self.group.setCurrentIndex(kept if kept < len(names) else 0)
        self.group.blockSignals(False)

    def _draw_funnel(self) -> None:
        if self.shown is not None:
            self.funnel.set_bars(figure_data.funnel_bars(self.shown[1], max(0, self.group.currentIndex())))

    def _pick_cell(self, row: int, column: int) -> None:
        """List the pictures behind a cell, and bring the list to the front."""
        values = dict(zip(CELL, (row, column), strict=True))
        self.store.update(self.store.document.with_value("figures", **values), title=tr("Pictures of a cell"))
        self.tabs.setCurrentWidget(self.behind)

    def _list_pictures(self, result: Result) -> None:
        row, column = result.meta["cell"]
        count = len(result.arrays["confusion"])
        about = self.matrix.told(row, column) if 0 <= row < count and 0 <= column < count else ""
        self.behind.show_pictures(about, result.meta["cell_pictures"])

    def _lay_out(self) -> None:
        self.tabs.addTab(_pair(self.curves, self.matrix), tr("Curves and confusion"))
        funnel = _below(_titled(tr("Found within reach"), self.group), self.funnel)
        errors = _below(_titled(tr("What fixing each error would gain")), self.errors)
        self.tabs.addTab(_pair(funnel, errors), tr("Funnel and errors"))
        self.tabs.addTab(self.table, tr("Classes"))
        self.tabs.addTab(self.behind, tr("Pictures of a cell"))
        corner = QWidget()
        line = QHBoxLayout(corner)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.copy)
        line.addWidget(self.export)
        self.tabs.setCornerWidget(corner)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(GAP, GAP, GAP, GAP)
        outer.setSpacing(2 * GAP)
        outer.addWidget(self._side())
        outer.addWidget(self.tabs, 1)
        self._show()

    def _side(self) -> QWidget:
        """Return the column of button, numbers and state."""
        top = QHBoxLayout()
        top.setSpacing(GAP)
        top.addWidget(self.run, 1)
        top.addWidget(self.put_away, 0, Qt.AlignmentFlag.AlignRight)
        grid = QGridLayout()
        grid.setHorizontalSpacing(GAP)
        grid.setVerticalSpacing(2)
        for number, (name, (title, help_text)) in enumerate(NUMBERS.items()):
            label = _small(title)
            label.setToolTip(help_text)
            row, column = number % 3, number // 3 * 2
            grid.addWidget(label, row, column)
            grid.addWidget(self.values[name], row, column + 1)
            self.values[name].setToolTip(help_text)
        best = QHBoxLayout()
        best.setSpacing(GAP)
        best.addWidget(_small(tr("Best F1")))
        best.addWidget(self.best, 1)
        best.addWidget(self.use)
        side = QWidget()
        side.setFixedWidth(SIDE_PX)
        left = QVBoxLayout(side)
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(GAP // 2)
        left.addLayout(top)
        left.addWidget(self.scope)
        for part in (grid, best):
            left.addLayout(part)
        left.addWidget(self.progress)
        left.addWidget(self.state)
        left.addStretch(1)
        return side


def _text(name: str) -> QLabel:
    label = QLabel("–")
    label.setAccessibleName(name)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _small(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("small", True)
    return label


def _tool(text: str, help_text: str, call: Any) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(help_text)
    button.setAutoRaise(True)
    button.clicked.connect(call)
    return button


def _titled(text: str, *more: QWidget) -> QWidget:
    head = QWidget()
    line = QHBoxLayout(head)
    line.setContentsMargins(0, 0, 0, 0)
    label = _small(text)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    line.addWidget(label, 1)
    for widget in more:
        line.addWidget(widget)
    return head


def _below(head: QWidget, chart: QWidget) -> QWidget:
    both = QWidget()
    column = QVBoxLayout(both)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(GAP // 2)
    column.addWidget(head)
    column.addWidget(chart, 1)
    return both


def _pair(one: QWidget, other: QWidget) -> QWidget:
    both = QWidget()
    line = QHBoxLayout(both)
    line.setContentsMargins(0, GAP, 0, 0)
    line.setSpacing(2 * GAP)
    line.addWidget(one, 1)
    line.addWidget(other, 1)
    return both


PANEL = FiguresPanel
