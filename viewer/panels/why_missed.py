"""The Why missed panel: the stages that an object in a drawn rectangle passed or failed, and fixes to try."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from models.cards import card
from models.inspection import Description
from models.params import Value
from models.requests import Request
from models.types import Result
from viewer import theme
from viewer.canvas.layers import Layer
from viewer.panels.base import GAP, Panel
from viewer.presenters import lineage
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.tables.stage_ladder import Ladder

EMPTY = tr(
    "Hold Shift and drag a rectangle around an object that was not found, or click a missed one of the ground truth."
)
NOTHING = tr("No change of one or two controls brings it back: the model itself does not see it.")
TAKEN = tr("If the ground truth still counts it as missed, that box fits another object better and was matched to it.")
ANY = tr("Any class")


class MissedPanel(Panel):
    """The verdict, the stages with their numbers, and buttons that change what lost the object."""

    id: ClassVar[str] = "missed"
    rank: ClassVar[int] = 5

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.verdict = WrappedLabel(tr("Verdict"), wide=True)
        font = self.verdict.font()
        font.setBold(True)
        self.verdict.setFont(font)
        self.remark = WrappedLabel(tr("Remark"), wide=True)
        self.remark.setProperty("small", True)
        self.classes = QComboBox()
        self.classes.setAccessibleName(tr("Class that was missed"))
        self.classes.setToolTip(tr("What should have been found in the rectangle"))
        self.classes.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.classes.setMinimumContentsLength(12)
        self.classes.addItem(ANY, "")
        self.classes.activated.connect(self._choose)
        self.copy, self.clear = QToolButton(), QPushButton(tr("Clear"))
        self.copy.setToolTip(tr("Copy everything as text"))
        self.copy.setAccessibleName(tr("Copy why it was missed"))
        self.copy.setAutoRaise(True)
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text))
        self.clear.setToolTip(tr("Clear the rectangle (Esc)"))
        self.clear.clicked.connect(self._clear)

        self.ladder = Ladder()
        self.advice = WrappedLabel(tr("What would bring it back"), wide=True)
        self.buttons: list[QPushButton] = []
        self.empty = QLabel(EMPTY)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setWordWrap(True)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self.empty)
        self._pages.addWidget(self._page())
        self._result: Result | None = None
        self._names: tuple[str, ...] = ()
        self._defaults: dict[str, Value] = {}
        theme.changes().connect(self._restyle)
        self._restyle()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the fate of the rectangle's object while the panel is in view."""
        if document.region is None or not document.view.missed or request_plan.beyond(document):
            return None
        known = description is None or document.region_label in description.classes
        corners = {name: float(v) for name, v in zip(("x0", "y0", "x1", "y1"), document.region, strict=True)}
        extra: dict[str, Value] = {**corners, "label": document.region_label if known else ""}
        return request_plan.ask("missed", document, description, settings="detect", extra=extra)

    def refresh(self, document: Document, description: Description | None) -> None:
        """List the model's classes; explain how to draw a rectangle if there is none."""
        if description is not None and description.classes != self._names:
            self._names = description.classes
            self.classes.clear()
            for title, name in [(ANY, ""), *((n, n) for n in (self._names[i] for i in card.label_ids(self._names)))]:
                self.classes.addItem(title, name)
        offer = description.offers.get("detect") if description else None
        self._defaults = offer.defaults if offer else {}
        self.classes.setCurrentIndex(max(self.classes.findData(document.region_label), 0))
        reason = (self.lacking(description) if description else "") or request_plan.beyond(document)
        self.empty.setText(reason or EMPTY)
        if document.region is None:
            self._result = None
        there = not reason and document.region is not None and self._result is not None
        self._pages.setCurrentIndex(int(there))

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the stages and the buttons."""
        if slot != self.id:
            return
        self._result = result
        self._update_text(result.meta["finding"])
        self._pages.setCurrentIndex(1)
        self.layers_changed.emit()

    def forget(self) -> None:
        """Drop the result of the previous picture."""
        self._result = None

    def layers(self, document: Document) -> list[Layer]:
        """Paint the rectangle and, while the panel is in view, the boxes related to it."""
        if document.region is None:
            return []
        explained = document.view.missed and not request_plan.beyond(document)
        return lineage.missed_layers(document.region, self._result if explained else None)

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_view(missed=in_view))

    @property
    def text(self) -> str:
        """Return all text of the panel, "" for none."""
        return lineage.missed_text(self._result) if self._result is not None else ""

    def _page(self) -> QWidget:
        """Return the page for a result."""
        head = QHBoxLayout()
        head.setSpacing(GAP)
        head.addWidget(self.verdict, 1)
        for widget in (self.classes, self.copy, self.clear):
            head.addWidget(widget, 0, Qt.AlignmentFlag.AlignTop)
        remedies = QWidget()
        self._remedies = QVBoxLayout(remedies)
        self._remedies.setContentsMargins(0, 0, 0, 0)
        self._remedies.setSpacing(GAP // 2)
        self._remedies.addWidget(self.advice)
        self._remedies.addStretch(1)
        body = QHBoxLayout()
        body.setSpacing(2 * GAP)
        body.addWidget(_scroll(self.ladder, tr("Stages")), 1)
        body.addWidget(_scroll(remedies, tr("Changes that bring it back")), 1)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP // 2)
        column.addLayout(head)
        column.addWidget(self.remark)
        column.addLayout(body, 1)
        return page

    def _update_text(self, finding: dict[str, Any]) -> None:
        self.verdict.setText(finding["verdict"])
        shown = finding["stage"] == "shown"
        beside = TAKEN if shown and self.store.document.truth is not None else ""
        self.remark.setText(" ".join(part for part in (finding["remark"], beside) if part))
        self.remark.setVisible(bool(self.remark.text()))
        self.ladder.set_rows(finding["stages"])
        self.advice.setText("" if shown else tr("Brings it back") if finding["remedies"] else NOTHING)
        for button in self.buttons:
            self._remedies.removeWidget(button)
            button.deleteLater()
        self.buttons = []
        for remedy in finding["remedies"]:
            button = QPushButton(lineage.remedy_text(remedy))
            button.setToolTip(
                tr("Moves it by {distance:.1%} of the range. Undo takes it back.", distance=remedy["distance"])
            )
            button.clicked.connect(partial(self._apply, dict(remedy["set"]), remedy["text"]))
            self._remedies.insertWidget(self._remedies.count() - 1, button, 0, Qt.AlignmentFlag.AlignLeft)
            self.buttons.append(button)

    def _apply(self, change: dict[str, Value], title: str) -> None:
        own = {name: None if value == self._defaults.get(name) else value for name, value in change.items()}
        self.store.update(self.store.document.with_value("detect", **own), title=title)

    def _choose(self) -> None:
        document = self.store.document
        label = str(self.classes.currentData())
        self.store.update(document.with_region(document.region, label), title=tr("Class of the rectangle"))

    def _clear(self) -> None:
        self.store.update(self.store.document.with_region(None), title=tr("Clear the rectangle"))

    def _restyle(self) -> None:
        self.copy.setIcon(theme.icon("copy"))


def _scroll(inside: QWidget, name: str) -> QScrollArea:
    scroll = QScrollArea()
    scroll.setAccessibleName(name)
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QScrollArea.Shape.NoFrame)
    scroll.setWidget(inside)
    return scroll


PANEL = MissedPanel
