"""The Ground truth panel: correct, wrong and missed detections on the current picture, at a given IoU."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtCore import QAbstractListModel, QItemSelection, QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QListView,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from models.inspection import Description
from models.requests import Request
from models.truth.types import Annotated, Truth
from models.types import Result
from viewer import theme
from viewer.canvas.layers import MISSED, WRONG, Layer
from viewer.context_menu.subject import KNOWN
from viewer.panels.base import GAP, Panel
from viewer.presenters import ground_truth
from viewer.presenters.ground_truth import Outcome
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.slider import SliderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel

NOTHING_OPEN = tr(
    "Open ground truth (COCO, Pascal VOC or YOLO) to see what is correct, wrong and missed. "
    "It can also be dropped on the window."
)
KINDS = {
    "correct": (tr("Correct"), tr("Detections that an object of their class overlaps by at least the IoU")),
    "wrong": (tr("Wrong"), tr("Detections of no object, of the wrong class, or of an object already found")),
    "missed": (tr("Missed"), tr("Objects of the ground truth that no detection was matched to")),
    "truth": (tr("All outlines"), tr("Every object of the ground truth, dashed")),
}
FEW_ROWS, ROW_PX = 4, 22
NAMED = 12
MOST_MAPPED = 40
Index = QModelIndex | QPersistentModelIndex


class Mistakes(QAbstractListModel):
    """The missed objects, then the wrong detections; text is formatted only for visible rows."""

    def __init__(self) -> None:
        super().__init__()
        self.outcome: Outcome | None = None
        self.missed: list[int] = []
        self.wrong: list[int] = []
        self._signs = [theme.swatch(theme.class_colour(role), dashed=role == MISSED) for role in (MISSED, WRONG)]

    def take(self, outcome: Outcome | None) -> None:
        """Replace the outcome."""
        self.beginResetModel()
        self.outcome = outcome
        self.missed = outcome.missed_rows.tolist() if outcome else []
        self.wrong = outcome.wrong_rows.tolist() if outcome else []
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return len(self.missed) + len(self.wrong) if parent is None or not parent.isValid() else 0

    def data(self, index: Index, role: int = 0) -> object:
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self.text(index.row())
        if role == Qt.ItemDataRole.DecorationRole:
            return self._signs[index.row() >= len(self.missed)]
        if role == KNOWN and self.outcome is not None:
            return self._known(self.outcome, index.row())
        return None

    def _known(self, outcome: Outcome, row: int) -> dict[str, object]:
        if row < len(self.missed):
            missed = self.missed[row]
            return {"box": tuple(outcome.annotated.boxes[missed].tolist()), "label": outcome.meant(missed)}
        return {"detection": int(outcome.result.arrays["ids"][self.wrong[row - len(self.missed)]])}

    def text(self, row: int) -> str:
        """Return the text of a row, as shown and copied."""
        assert self.outcome is not None
        if row < len(self.missed):
            text = self.outcome.miss(self.missed[row])
            return text[0].upper() + text[1:]
        found = self.wrong[row - len(self.missed)]
        return f"{self.outcome.name(found)}: {self.outcome.mistake(found)}"


class TruthPanel(Panel):
    """The comparison with the ground truth; selecting a missed object makes it the document's region."""

    id: ClassVar[str] = "truth"
    rank: ClassVar[int] = 10

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._truth: Truth | None = None
        self._result: Result | None = None
        self._outcome: Outcome | None = None
        self._compared: tuple[object, object, object] = (None, None, None)
        self._iou = 0.0
        self.data_set = WrappedLabel(tr("Data set"))
        self.left_out = QPushButton()
        self.left_out.setAccessibleName(tr("Left out"))
        self.left_out.setCheckable(True)
        self.left_out.setToolTip(tr("Which parts of the data set could not be used or were changed, and why"))
        self.left_out.toggled.connect(self._list_left_out)
        self.lines = QPlainTextEdit()
        self.lines.setReadOnly(True)
        self.lines.setAccessibleName(tr("What was left out"))
        self.lines.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.lines.setFixedHeight(6 * self.lines.fontMetrics().lineSpacing())
        self.lines.hide()
        self.counts = WrappedLabel(tr("Counts on this picture"))
        self.warning = WrappedLabel(tr("Classes that do not count"))
        self.line = QFrame()  # above it is the data set, below it this picture
        self.line.setFrameShape(QFrame.Shape.HLine)
        self.iou = SliderRow(
            tr("Match IoU"),
            value=0.5,
            help=tr("A detection is correct if it overlaps an object of its class by at least this."),
        )
        self.iou.changed.connect(self._set_iou)
        self.iou.committed.connect(lambda value: self._set_iou(value, final=True))
        self.kinds = {kind: QCheckBox(title) for kind, (title, _) in KINDS.items()}
        self.mistakes = Mistakes()
        self.list = _List()
        self.list.setModel(self.mistakes)
        self.list.setAccessibleName(tr("Missed and wrong"))
        self.list.selectionModel().selectionChanged.connect(self._chosen)
        self._lay_out()

    def show_truth(self, truth: Truth | None) -> None:
        """Use this ground truth; None if none is open."""
        self._truth = truth
        self.lines.setPlainText("\n".join(truth.notes) if truth else "")
        self.left_out.setChecked(False)
        self._compare(self.store.document)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Compare new detections."""
        if slot == "detect":
            self._result = result
            self._compare(self.store.document)

    def forget(self) -> None:
        """Drop the detections of the previous picture."""
        self._result = None
        self._compare(self.store.document)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings, and compare again if the IoU changed."""
        self.iou.set_value(document.view.truth_iou)
        for kind, box in self.kinds.items():
            box.setChecked(kind in document.view.truth_shown)
        self._compare(document)
        self._follow(document)

    def layers(self, document: Document) -> list[Layer]:
        """Paint the missed objects, and the outlines of all objects if enabled."""
        outcome = self._shown(document)
        if outcome is None:
            return []
        view = document.view
        return ground_truth.layers(outcome, view.truth_shown, labels=view.labels, region=document.region)

    def restyle(self, layers: list[Layer], document: Document) -> list[Layer]:
        """Colour the detections by outcome."""
        outcome = self._shown(document)
        return layers if outcome is None else ground_truth.restyled(outcome, layers, document.view.truth_shown)

    def picked(self, layer: str, row: int) -> bool:
        """Select the missed object that was clicked."""
        if layer != ground_truth.MISSES or self._outcome is None:
            return False
        self._ask_about(int(self._outcome.missed_rows[row]))
        return True

    def _shown(self, document: Document) -> Outcome | None:
        view = document.view
        other = document.pinned is not None and view.compare == "b"  # then the boxes on screen are not those compared
        return self._outcome if view.outcomes and view.boxes and not other else None

    def _annotated(self, document: Document) -> Annotated | None:
        return self._truth.of(document.source.path) if self._truth is not None and document.source else None

    def _compare(self, document: Document) -> None:
        """Match again if truth, picture, detections or IoU changed."""
        annotated, iou = self._annotated(document), document.view.truth_iou
        compared = (self._truth, self._result, annotated)
        if iou == self._iou and all(new is old for new, old in zip(compared, self._compared, strict=True)):
            return
        self._compared, self._iou = compared, iou
        self._outcome = None
        if self._truth is not None and self._result is not None and annotated is not None:
            self._outcome = ground_truth.compare(self._result, self._truth, annotated, iou=iou)
        self.mistakes.take(self._outcome)
        self._update_text(annotated)
        self._follow(document)
        self.layers_changed.emit()

    def _update_text(self, annotated: Annotated | None) -> None:
        truth, outcome = self._truth, self._outcome
        for part in (self.line, self.counts, self.iou, self.list, *self.kinds.values()):
            part.setVisible(truth is not None)
        self.left_out.setVisible(truth is not None and bool(truth.notes))
        if truth is None:
            self.data_set.setText(NOTHING_OPEN)
            self.warning.setVisible(False)
            return
        clipped = (
            tr("\n{clipped:,} boxes were cut at the edge of their picture.", clipped=truth.clipped)
            if truth.clipped
            else ""
        )
        self.data_set.setText(f"{truth.name} · {truth.kind}\n{_counted(truth)}{clipped}")
        self.left_out.setText(tr("{omitted:,} left out", omitted=truth.omitted) if truth.omitted else tr("Remarks"))
        for kind, number in (("correct", "right"), ("wrong", "wrong"), ("missed", "missed")):
            count = f" ({getattr(outcome, number):,})" if outcome else ""
            self.kinds[kind].setText(KINDS[kind][0] + count)
        if outcome is not None:
            right, matches = outcome.right, outcome.matches
            precision = tr(
                "precision {part} ({right:,} of {right_2:,})",
                part=_part(matches.precision),
                right=right,
                right_2=right + outcome.wrong,
            )
            recall = tr(
                "recall {part} ({right:,} of {right_2:,})",
                part=_part(matches.recall),
                right=right,
                right_2=right + outcome.missed,
            )
            self.counts.setText(tr("This picture alone: {precision} · {recall}", precision=precision, recall=recall))
        elif annotated is None:
            self.counts.setText(tr("This picture is not in the ground truth."))
        self.data_set.setToolTip("\n".join(_mapped(outcome)) if outcome else "")
        warnings = _warnings(outcome) if outcome else []
        self.warning.setText("\n".join(warnings))
        self.warning.setVisible(bool(warnings))

    def _follow(self, document: Document) -> None:
        """Select the row of the selected box or of the region."""
        outcome, wanted = self._outcome, -1
        if outcome is not None and document.selected >= 0:
            rows = np.flatnonzero(outcome.result.arrays["ids"][self.mistakes.wrong] == document.selected)
            wanted = len(self.mistakes.missed) + int(rows[0]) if len(rows) else -1
        elif outcome is not None:
            wanted = ground_truth.region_row(outcome.annotated.boxes[self.mistakes.missed], document.region)
        model = self.list.selectionModel()
        if [index.row() for index in model.selectedRows()] == ([wanted] if wanted >= 0 else []):
            return
        model.blockSignals(True)
        self.list.clearSelection()
        if wanted >= 0:
            self.list.setCurrentIndex(self.mistakes.index(wanted))
        model.blockSignals(False)
        self.list.viewport().update()

    def _chosen(self, selection: QItemSelection) -> None:
        rows = [index.row() for index in selection.indexes()]
        if not rows or self._outcome is None:
            return
        row, missed = rows[0], self.mistakes.missed
        if row < len(missed):
            self._ask_about(missed[row])
        else:
            found = self.mistakes.wrong[row - len(missed)]
            ids = self._outcome.result.arrays["ids"]
            self.store.update(self.store.document.with_region(None).with_selected(int(ids[found])))

    def _ask_about(self, row: int) -> None:
        """Make a missed object the document's region, so that other panels explain it."""
        assert self._outcome is not None
        x0, y0, x1, y1 = self._outcome.annotated.boxes[row].tolist()
        document = self.store.document.with_selected(-1).with_region((x0, y0, x1, y1), self._outcome.meant(row))
        self.store.update(document, title=tr("Choose a missed object"), merge="missed")

    def _set_iou(self, value: object, *, final: bool = False) -> None:
        assert isinstance(value, float)
        self.store.update(self.store.document.with_view(truth_iou=value), title=tr("Match IoU"), merge="truth_iou")
        if final:
            self.store.settle()

    def _list_left_out(self, shown: bool) -> None:
        self.lines.setVisible(shown)

    def _toggle(self) -> None:
        shown = tuple(kind for kind, box in self.kinds.items() if box.isChecked())
        self.store.update(
            self.store.document.with_view(truth_shown=shown), title=tr("What to draw of the ground truth")
        )

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        grid = QGridLayout()
        grid.setHorizontalSpacing(GAP)
        grid.setVerticalSpacing(GAP // 2)
        for number, (kind, box) in enumerate(self.kinds.items()):
            box.setToolTip(KINDS[kind][1])
            box.setIcon(theme.swatch(theme.class_colour(ground_truth.KINDS[kind]), dashed=kind in ("missed", "truth")))
            box.clicked.connect(self._toggle)
            grid.addWidget(box, number // 2, number % 2)
        head = QHBoxLayout()
        head.addWidget(self.data_set, 1)
        head.addWidget(self.left_out, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(head)
        for part in (self.lines, self.line, self.warning, self.counts, self.iou):
            column.addWidget(part)
        column.addLayout(grid)
        column.addWidget(self.list, 1)
        self.fill(inside, tr("Ground truth settings"))
        self._update_text(None)


class _List(QListView):
    """A list of rows that can be selected and copied."""

    def __init__(self) -> None:
        super().__init__()
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def sizeHint(self) -> QSize:
        """Return room for a few rows; the layout gives it more if there is any."""
        return QSize(super().sizeHint().width(), FEW_ROWS * ROW_PX)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy the selected row on Ctrl+C."""
        if event.matches(QKeySequence.StandardKey.Copy) and self.currentIndex().isValid():
            QGuiApplication.clipboard().setText(str(self.currentIndex().data()))
        else:
            super().keyPressEvent(event)


def _counted(truth: Truth) -> str:
    return tr("{pictures:,} pictures, {boxes:,} boxes", pictures=len(truth.pictures), boxes=truth.boxes)


def _part(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"


def _warnings(outcome: Outcome) -> list[str]:
    """Return warnings: classes excluded because the other side lacks them, and a picture of another size."""
    truth, classes = outcome.truth, outcome.result.meta["classes"]
    ids = truth.label_ids(classes)
    unknown = [truth.classes[row] for row in np.flatnonzero(truth.objects).tolist() if ids[row] < 0]
    found = []
    if unknown:
        found.append(tr("The model does not know {listed}: not counted.", listed=_listed(unknown)))
    size, stated = tuple(outcome.result.meta["size"]), outcome.annotated.size
    if min(stated) > 0 and size != stated:
        found.append(
            tr(
                "The ground truth is for {stated} × {stated_2} pixels; the picture has {size} × {size_2}.",
                stated=stated[0],
                stated_2=stated[1],
                size=size[0],
                size_2=size[1],
            )
        )
    return found


def _mapped(outcome: Outcome) -> list[str]:
    """Return a line for each class of the ground truth with the model class it is matched to."""
    classes, truth = outcome.result.meta["classes"], outcome.truth
    ids = truth.label_ids(classes).tolist()
    pairs = zip(truth.classes[:MOST_MAPPED], ids, strict=False)
    lines = [f"{name} → {classes[label] if label >= 0 else tr('not known to the model')}" for name, label in pairs]
    more = len(truth.classes) - len(lines)
    return lines + ([tr("and {more:,} more", more=more)] if more else [])


def _listed(names: list[str]) -> str:
    more = tr(" and {names:,} more", names=len(names) - NAMED) if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


PANEL = TruthPanel
