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
from viewer.widgets.charts import figure_data
from viewer.widgets.charts.bar_chart import BarChart
from viewer.widgets.charts.confusion_matrix import MatrixChart
from viewer.widgets.charts.precision_recall import CurveChart
from viewer.widgets.tables.figure_table import FigureTable

STALE_AFTER_MS = 300
LEAST_IOU = 0.1
SIDE_PX = 248
AGAIN = "It began again with a new engine: {:,} pictures had been measured."
NO_TRUTH = "Open ground truth first (Ctrl+T)."
OFFER = "The model runs once on every picture of the ground truth; after that all figures follow the sliders."
NUMBERS = {
    "map": (
        "mAP",
        "Mean average precision over IoU 0.50 to 0.95, as COCO defines it, of the detections above the score",
    ),
    "map50": ("mAP at 0.5", "Mean average precision at IoU 0.50"),
    "map75": ("mAP at 0.75", "Mean average precision at IoU 0.75"),
    "all_precision": ("Precision", "The share of the detections that are correct, at the current settings"),
    "all_recall": ("Recall", "The share of the objects that are found, at the current settings"),
    "all_f1": ("F1", "The harmonic mean of precision and recall"),
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
        self.run = QPushButton("Evaluate the data set")
        self.run.clicked.connect(self._run)
        self.put_away = QToolButton()
        self.put_away.setText("Clear")
        self.put_away.setToolTip("No longer follow the sliders, which leaves the engine to the picture")
        self.put_away.setAccessibleName("Put the figures away")
        self.put_away.clicked.connect(lambda: self._set("off", "Put the figures away"))
        self.progress = QProgressBar()
        self.progress.setAccessibleName("Pictures measured")
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.state = _text("State of the evaluation")
        self.state.setWordWrap(True)
        self.values = {name: _text(title) for name, (title, _) in NUMBERS.items()}
        self.best = _text("Best F1")
        self.scope = _text("Pictures that the figures are of")
        self.use = QToolButton()
        self.use.setText("Use")
        self.use.setAccessibleName("Use the score with the best F1")
        self.use.setToolTip("Set the score to the one with the best F1")
        self.use.clicked.connect(self._use_best)
        self.curves = CurveChart("Precision over recall")
        self.matrix = MatrixChart("Confusion matrix")
        self.funnel = BarChart("Recall funnel")
        self.errors = BarChart("Error types")
        self.group = QComboBox()
        self.group.setAccessibleName("Objects in the funnel")
        self.group.setToolTip("Which objects the funnel is about; sizes are COCO's: 32 and 96 pixels squared")
        self.group.currentIndexChanged.connect(self._draw_funnel)
        self.table = FigureTable()
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.copy = _tool("Copy", "Copy all figures as text", self._copy)
        self.export = _tool("Export…", "Save all figures as JSON, or the curves as CSV", self._ask_export)
        self._had = 0  # pictures that had been measured before the engine had to start again
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
        self.run.setText("Stop" if busy else "Go on" if mode == "hold" else "Evaluate the data set")
        self.run.setVisible(not (mode == "collect" and complete))
        self.put_away.setVisible(mode != "off")
        self.progress.setVisible(busy)
        self._tell(document)
        self._compare()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the figures."""
        if slot != self.id or (self.shown is not None and not result.meta["pictures"]):
            return
        if self.shown is not None and self.shown[0] == request:
            had, has = self.shown[1].meta["collected"], result.meta["collected"]
            self._had = had if has < had else self._had if has < self._had else 0
        else:
            self._had = 0
        before, self._failed = self.shown[1].meta["complete"] if self.shown else False, (None, "")
        self.shown = request, result
        self._show()
        if result.meta["complete"] != before:
            self.refresh(self.store.document, None)
        self._tell(self.store.document)
        self._compare()

    def show_failure(self, slot: str, failure: Failure) -> None:
        """Show why there are no figures."""
        if slot == self.id:
            self._failed = self._wanted, failure.text
            self._tell(self.store.document)

    # internals

    def _show(self) -> None:
        """Pass the figures to numbers and charts."""
        answer = self.shown
        if answer is None:
            for label in (*self.values.values(), self.best):
                label.setText("–")
            self._tell_scope("")
            self.use.setEnabled(False)
            self.curves.set_lines(())
            self.errors.set_bars(())
            self.funnel.set_bars(())
            self.table.take([])
            return
        _, result = answer
        self._tell_scope(figure_data.scope(result))
        for name, label in self.values.items():
            value = result.meta[name]
            label.setText(f"{value:.3f}" if value >= 0 else "–")
        f1, score = float(result.arrays["best_f1"][0]), float(result.arrays["best_score"][0])
        self.best.setText(f"{f1:.3f} at score {score:.2f}")
        self.use.setEnabled(f1 > 0)
        self.curves.set_lines(figure_data.lines(result))
        self.matrix.set_counts([*report.names(result), report.BACKGROUND], result.arrays["confusion"])
        self.errors.set_bars(figure_data.error_bars(result))
        self.table.take(report.class_rows(result), result.arrays["labels"].tolist())
        self._list_groups(result)
        self._draw_funnel()

    def _tell(self, document: Document) -> None:
        """Show how far the collection is and what was left out."""
        reason = request_plan.beyond(document)
        if document.truth is None:
            self.state.setText(NO_TRUTH)
        elif document.view.figures != "off" and reason:
            self.state.setText(reason)
        elif self._wanted is not None and self._failed[0] == self._wanted:
            self.state.setText(self._failed[1])
        elif self.shown is None:
            self.state.setText(OFFER if document.view.figures == "off" else "The ground truth is being read…")
        else:
            text, details = figure_data.state(self.shown[1])
            if self._had:
                text = f"{text} {AGAIN.format(self._had)}"
            self.state.setText(text)
            self.state.setToolTip(details)
            meta = self.shown[1].meta
            self.progress.setRange(0, max(1, meta["of"]))
            self.progress.setValue(meta["collected"] + meta["failed"])

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
        self._set("hold" if collecting else "collect", "Stop the evaluation" if collecting else "Evaluate the data set")

    def _set(self, mode: str, title: str) -> None:
        self.store.update(self.store.document.with_view(figures=mode), title=title)

    def _use_best(self) -> None:
        if self.shown is not None:
            # A score below the model's own floor would show the same detections as the floor itself.
            score = max(self._least_score, round(float(self.shown[1].arrays["best_score"][0]), 4))
            self.store.update(self.store.document.with_value("detect", score=score), title="Score with the best F1")

    def _copy(self) -> None:
        if self.shown is not None:
            QGuiApplication.clipboard().setText(f"{self.scope.text()}\n\n{report.as_text(self.shown[1])}")

    def _tell_scope(self, text: str) -> None:
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

    def _lay_out(self) -> None:
        self.tabs.addTab(_pair(self.curves, self.matrix), "Curves and confusion")
        funnel = _below(_titled("Found within reach", self.group), self.funnel)
        errors = _below(_titled("What fixing each error would gain"), self.errors)
        self.tabs.addTab(_pair(funnel, errors), "Funnel and errors")
        self.tabs.addTab(self.table, "Classes")
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
        best.addWidget(_small("Best F1"))
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
