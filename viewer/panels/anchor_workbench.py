"""The Anchor workbench panel: which anchors match which object in training, and how well other anchors would fit."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from models.detection.anchor_design import Design, parse
from models.inspection import Description, Offer
from models.requests import Request
from models.truth.types import Truth
from models.types import Result
from viewer import theme
from viewer.canvas.layers import MISSED, TRUTH, Layer
from viewer.panels.base import GAP, Panel
from viewer.presenters import anchor_matches
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wants
from viewer.translation import tr
from viewer.widgets.charts.histogram import IoUHistogram
from viewer.widgets.controls.anchor_design_form import DesignFields
from viewer.widgets.controls.fields import CheckRow
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.wrapped_label import WrappedLabel

MATCH, COVERAGE = "match", "coverage"
FORM = ("fg", "bg", "low_quality", "matched", "forced", "ignored")
NO_TRUTH = tr(
    "Open ground truth (COCO, Pascal VOC or YOLO) to see which anchors would learn which object, and which object none "
    "fits. It needs no trained weights."
)
OFF = tr("Switch on to match the anchors with the ground truth.")
WAITING = tr("Waiting for the answer…")
ROW_PX = 22
MOST_ROWS = 7


class WorkbenchPanel(Panel):
    """Thresholds, counts per level, the objects, an editor for the anchor design, and its coverage of the data set."""

    id: ClassVar[str] = "workbench"
    rank: ClassVar[int] = -5

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._truth: Truth | None = None
        self._offer: Offer | None = None
        self._result: Result | None = None
        self._covered: Result | None = None
        self._chosen = -1
        self.form: Form | None = None
        self.about = WrappedLabel(tr("What the workbench shows"), wide=True)
        self.open = QPushButton(tr("Open ground truth…"))
        self.open.setAccessibleName(tr("Open ground truth for the anchors"))
        self.open.clicked.connect(lambda: self.command_wanted.emit("open-truth"))
        self.on = CheckRow(tr("Match anchors"), help=tr("Show on the picture which anchors would learn which object."))
        self.on.changed.connect(self._switch)
        self.levels = _table(tr("Anchors per level"), ("", tr("Matched"), tr("Forced"), tr("Ignored"), tr("Backgr.")))
        self.levels.setToolTip(tr("Matched, forced, ignored and background anchors. Choose a level to see it alone"))
        self.levels.itemSelectionChanged.connect(self._level_chosen)
        self.objects = _table(
            tr("Objects and the anchors that fit them"), (tr("Object"), tr("Size"), tr("Best IoU"), tr("Anchors"))
        )
        self.objects.setToolTip(tr("Choose an object to see its anchors alone"))
        self.objects.itemSelectionChanged.connect(self._object_chosen)
        self.design = DesignFields()
        self.design.changed.connect(self._redesign)
        self.coverage = WrappedLabel(tr("Coverage of the data set"), wide=True)
        self.bars = IoUHistogram(tr("Objects of the data set by the IoU of their best anchor"))
        self.suggest = QPushButton(tr("Suggest by k-means"))
        self.suggest.setToolTip(tr("Find scales and ratios from the shapes of the data set's objects"))
        self.suggest.clicked.connect(self._suggest)
        self.use = QPushButton(tr("Use the suggestion"))
        self.use.clicked.connect(self._use)
        self.details = WrappedLabel(tr("Coverage by size and class"), wide=True)
        self._titles = [
            _title(text) for text in (tr("Levels"), tr("Objects on this picture"), tr("Anchors"), tr("Whole data set"))
        ]
        self._lay_out()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the matching of anchors and objects on the current picture."""
        return request_plan.match(document, description)

    @classmethod
    def slots(cls) -> list[tuple[str, Wants]]:
        """Return the slots of the matching and of the data set's coverage."""
        return [(cls.id, cls.wants), (COVERAGE, request_plan.coverage)]

    def show_truth(self, truth: Truth | None) -> None:
        """Use this ground truth; None if none is open."""
        self._truth, self._covered = truth, None
        self._show()

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the current settings, in the model's own ranges."""
        offer = description.offers.get(MATCH) if description else None
        if offer is not None and offer != self._offer and not offer.reason:
            self._build(offer)
        if self.form is not None and self._offer is not None:
            self.form.set_values({**self._offer.defaults, **request_plan.given(document, MATCH, description)})
        self.on.set_value(document.view.anchors == MATCH)
        self._mark_level()
        self._show()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the numbers and store the boxes."""
        if slot == COVERAGE:
            self._covered = result
        elif slot == self.id:
            self._result = result
            self._chosen = self._chosen if self._chosen < len(result.arrays["covered"]) else -1
            self._list_levels(result)
            self._list_objects(result)
            self.layers_changed.emit()
        else:
            return
        self._show()

    def forget(self) -> None:
        """Drop the anchors of the previous picture."""
        self._result, self._chosen = None, -1

    def layers(self, document: Document) -> list[Layer]:
        """Paint the anchors and the objects."""
        view = document.view
        if self._result is None or view.anchors != MATCH or document.truth is None:
            return []
        return anchor_matches.layers(self._result, level=view.anchor_level, chosen=self._chosen, labels=view.labels)

    def restyle(self, layers: list[Layer], document: Document) -> list[Layer]:
        """Hide the labels of detections while anchors are matched, so that those of the objects can be read."""
        return layers if document.view.anchors != MATCH else anchor_matches.without_other_labels(layers)

    def picked(self, layer: str, row: int) -> bool:
        """Select the clicked object and show its anchors alone; a second click shows all again."""
        if layer != anchor_matches.OBJECTS:
            return False
        item = self.objects.topLevelItem(row)
        if row == self._chosen or item is None:
            self.objects.clearSelection()
        else:
            self.objects.setCurrentItem(item)
        return True

    def _show(self) -> None:
        """Show the parts that have something to show."""
        document = self.store.document
        opened, on = document.truth is not None, document.view.anchors == MATCH
        result = self._result if opened and on else None
        self.open.setVisible(not opened)
        self.on.setVisible(opened)
        self.about.setText(
            anchor_matches.summary(result) if result else NO_TRUTH if not opened else WAITING if on else OFF
        )
        for part in (self._titles[0], self.levels, self._titles[2], self.design):
            part.setVisible(result is not None)
        for part in (self._titles[1], self.objects):
            part.setVisible(result is not None and result.meta["annotated"])
        if self.form is not None:
            self.form.setVisible(opened and on)
        if result is not None:
            meta = result.meta
            self.design.show_design(meta["scales"], meta["ratios"], own=_own(result))
        self._show_coverage(self._covered if opened and on else None)

    def _show_coverage(self, covered: Result | None) -> None:
        for part in (self._titles[3], self.coverage, self.bars, self.suggest, self.details):
            part.setVisible(covered is not None)
        suggested = covered is not None and "suggested_scales" in covered.meta
        self.use.setVisible(suggested)
        if covered is None:
            return
        arrays, meta = covered.arrays, covered.meta
        self.coverage.setText(anchor_matches.coverage_text(covered))
        other = arrays["suggested_histogram"].tolist() if suggested else ()
        self.bars.show_counts(arrays["histogram"].tolist(), mark=meta["fg"], other=other)
        self.suggest.setVisible(not suggested)
        self.use.setEnabled(suggested and (meta["suggested_scales"], meta["suggested_ratios"]) != _texts(covered))
        self.details.setText(anchor_matches.parts_text(covered))

    def _build(self, offer: Offer) -> None:
        if self.form is not None:
            self._column.removeWidget(self.form)
            self.form.deleteLater()
        self._offer = offer
        self.form = Form([replace(p, unit="") for p in offer.parameters if p.name in FORM])
        self.form.set_defaults(offer.defaults)
        self.form.set_applicable({p.name: offer.greyed.get(p.name, "") for p in offer.parameters})
        self.form.changed.connect(self._changed)
        self.form.committed.connect(self._committed)
        self.form.reset_requested.connect(self._reset)
        self._column.insertWidget(3, self.form)

    def _changed(self, name: str, value: float | int | bool | str) -> None:
        if self._offer is None:
            return
        values = {**self._offer.defaults, **self.store.document.values(MATCH), name: value}
        changed = {name: value}
        if "bg" in self._offer.defaults and float(values["bg"]) > float(values["fg"]):
            changed["bg" if name == "fg" else "fg"] = value  # background <= foreground
        own = self._offer.defaults
        document = self.store.document.with_value(
            MATCH, **{n: None if v == own.get(n) else v for n, v in changed.items()}
        )
        title = next(p.title for p in self._offer.parameters if p.name == name)
        self.store.update(document, title=title, merge=f"{MATCH}.{name}")

    def _committed(self, name: str, value: float | int | bool | str) -> None:
        self._changed(name, value)
        self.store.settle()

    def _reset(self) -> None:
        own: dict[str, None] = dict.fromkeys(FORM)
        self.store.update(self.store.document.with_value(MATCH, **own), title=tr("Reset anchor matching"))

    def _switch(self, on: object) -> None:
        document = self.store.document.with_view(anchors=MATCH if on else "off", anchor_at=None)
        self.store.update(document, title=tr("Match anchors"))

    def _redesign(self, scales: str, ratios: str) -> None:
        document = self.store.document.with_value(MATCH, scales=scales or None, ratios=ratios or None)
        self.store.update(document, title=tr("Scales and ratios of the anchors"))

    def _suggest(self) -> None:
        self.store.update(self.store.document.with_value(COVERAGE, suggest=True), title=tr("Suggest anchors"))

    def _use(self) -> None:
        if self._covered is not None:
            meta = self._covered.meta
            self._redesign(meta["suggested_scales"], meta["suggested_ratios"])

    def _mark_level(self) -> None:
        """Highlight the row of the only level shown; none if all levels are shown."""
        self.levels.blockSignals(True)
        level = self.store.document.view.anchor_level
        item = self.levels.topLevelItem(level + 1) if level >= 0 else None
        if item is None:
            self.levels.clearSelection()
        else:
            self.levels.setCurrentItem(item)
        self.levels.blockSignals(False)

    def _level_chosen(self) -> None:
        rows = [self.levels.indexOfTopLevelItem(item) for item in self.levels.selectedItems()]
        level = rows[0] - 1 if rows else -1
        self.store.update(self.store.document.with_view(anchor_level=level), title=tr("Pyramid level"))

    def _object_chosen(self) -> None:
        rows = [item.data(0, Qt.ItemDataRole.UserRole) for item in self.objects.selectedItems()]
        chosen = rows[0] if rows else -1
        if chosen != self._chosen:
            self._chosen = chosen
            self.layers_changed.emit()

    def _list_levels(self, result: Result) -> None:
        counts = result.arrays["counts"]
        grid = zip(result.meta["grid"], result.meta["per_cell"], strict=True)
        tips = [tr("Every level"), *(tr("{w} × {h} cells × {a} anchors", w=w, h=h, a=a) for (h, w), a in grid)]
        lines = [(tr("All"), counts.sum(axis=0)), *((str(i), line) for i, line in enumerate(counts))]
        _fill(self.levels, [(name, *(f"{n:,}" for n in line)) for name, line in lines], tips=tips)
        self.levels.blockSignals(True)
        whole = self.levels.topLevelItem(0)
        assert whole is not None
        for column, state in enumerate(anchor_matches.STATES, 1):
            whole.setIcon(column, theme.swatch(theme.class_colour(anchor_matches.ROLES[state])))
        self.levels.blockSignals(False)
        self._mark_level()

    def _list_objects(self, result: Result) -> None:
        arrays, lines = result.arrays, []
        sides = arrays["truth_boxes"][:, 2:] - arrays["truth_boxes"][:, :2]
        for row, (w, h) in enumerate(sides.tolist()):
            best, learners = float(arrays["truth_best"][row]), int(arrays["truth_anchors"][row])
            lines.append((anchor_matches.name(result, row), f"{w:.0f} × {h:.0f}", f"{best:.2f}", f"{learners:,}"))
        _fill(self.objects, lines, chosen=self._chosen)
        for row, covered in enumerate(arrays["covered"].tolist()):
            item = self.objects.topLevelItem(row)
            if item is not None:
                item.setIcon(0, theme.swatch(theme.class_colour(TRUTH if covered else MISSED)))

    def _lay_out(self) -> None:
        inside = QWidget()
        self._column = column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        levels, objects, anchors, data_set = self._titles
        column.addWidget(self.on)
        column.addWidget(self.about)
        column.addWidget(self.open, 0, Qt.AlignmentFlag.AlignLeft)
        above = (levels, self.levels, objects, self.objects, anchors, self.design, data_set, self.coverage, self.bars)
        for part in above:
            column.addWidget(part)
        for button in (self.suggest, self.use):
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.details)
        column.addStretch(1)
        self.fill(inside, tr("Anchor workbench settings"))
        self._show()


def _own(result: Result) -> Design:
    """Return the model's own anchor design, as reported by the engine."""
    meta = result.meta
    count = len(meta["own_scales"].split(";")), len(meta["own_ratios"].split(";"))
    blank = Design(((1.0,),) * count[0], ((1.0,),) * count[1], meta["fractions"])
    return parse(blank, meta["own_scales"], meta["own_ratios"])


def _texts(covered: Result) -> tuple[str, str]:
    return covered.meta["scales"], covered.meta["ratios"]


def _title(text: str) -> QLabel:
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    label.setContentsMargins(0, GAP, 0, 0)
    return label


def _table(name: str, titles: tuple[str, ...]) -> QTreeWidget:
    table = QTreeWidget()
    table.setAccessibleName(name)
    table.setColumnCount(len(titles))
    table.setHeaderLabels(list(titles))
    table.setRootIsDecorated(False)
    table.setUniformRowHeights(True)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setIconSize(QSize(theme.SWATCH_PX, theme.SWATCH_PX))
    table.header().setStretchLastSection(False)
    table.header().setMinimumSectionSize(24)
    table.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return table


def _fill(table: QTreeWidget, lines: list[tuple[str, ...]], *, chosen: int = -1, tips: list[str] | None = None) -> None:
    """Fill a table with rows of text, numbers right-aligned, keeping the scroll position."""
    table.blockSignals(True)
    place = table.verticalScrollBar().value()
    table.clear()
    for row, line in enumerate(lines):
        item = QTreeWidgetItem(list(line))
        item.setData(0, Qt.ItemDataRole.UserRole, row)
        for column in range(1, len(line)):
            item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight)
        if tips:
            item.setToolTip(0, tips[row])
        table.addTopLevelItem(item)
    item = table.topLevelItem(chosen)
    if item is not None:
        table.setCurrentItem(item)
    table.verticalScrollBar().setValue(place)
    table.setFixedHeight(table.header().sizeHint().height() + min(max(len(lines), 1), MOST_ROWS) * ROW_PX + 4)
    table.blockSignals(False)


PANEL = WorkbenchPanel
