"""The Lineage panel: how the selected box came to be, from its anchor to its place among the detections shown."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer import theme
from viewer.canvas.layers import Layer
from viewer.context_menu.subject import KNOWN
from viewer.panels.base import GAP, Panel
from viewer.presenters import lineage
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.class_bars import Bars
from viewer.widgets.tables.fact_card import Card

EMPTY = tr("Click a detection to see where it came from.")
NO_SCORES = tr("It did not become a proposal, so it has no class.")
FACTS_PX = 184
WIDE_PX = 640


class LineagePanel(Panel):
    """The outcome for the box and a chain of cards: anchor, proposal, class scores, suppression."""

    id: ClassVar[str] = "lineage"
    rank: ClassVar[int] = -5

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.origin, self.proposal = Card(tr("Anchor")), Card(tr("Proposal"))
        self.scores, self.suppression = Card(tr("Class scores")), Card(tr("Suppression"))
        self.bars = Bars(tr("Class scores"))
        self.scores.put(self.bars)
        self.one_stage = QLabel()
        self.one_stage.setProperty("small", True)
        self.one_stage.setWordWrap(True)
        self.one_stage.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.proposal.put(self.one_stage)
        self.others = QListWidget()
        self.others.setAccessibleName(tr("Suppressed boxes"))
        self.others.setToolTip(tr("Enter or a double click shows the lineage of that box."))
        self.others.setFrameShape(QListWidget.Shape.NoFrame)
        self.others.setUniformItemSizes(True)
        self.others.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.others.itemActivated.connect(self._follow)
        self.suppression.put(self.others)
        self.below = QLabel()
        self.below.setProperty("small", True)
        self.suppression.put(self.below, stretch=0)
        self.headline = QLabel()
        self.headline.setTextFormat(Qt.TextFormat.PlainText)
        self.headline.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.headline.setWordWrap(True)
        self.headline.setAccessibleName(tr("The selected box"))
        font = self.headline.font()
        font.setBold(True)
        self.headline.setFont(font)
        self.copy = QToolButton()
        self.copy.setToolTip(tr("Copy the lineage as text"))
        self.copy.setAccessibleName(tr("Copy the lineage"))
        self.copy.setAutoRaise(True)
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text))
        self.empty = QLabel(EMPTY)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setWordWrap(True)

        self._pages = QStackedLayout(self)
        self._pages.addWidget(self.empty)
        self._pages.addWidget(self._page())
        self._result: Result | None = None
        theme.changes().connect(self._restyle)
        self._restyle()

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the lineage of the selected box while something shows it."""
        view = document.view
        if document.selected < 0 or not (view.lineage or view.anchors == "lineage"):
            return None
        return request_plan.ask("lineage", document, description, settings="detect", extra={"box": document.selected})

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show what to do while no box is selected, or why the model has no lineage."""
        reason = self.lacking(description) if description else ""
        self.empty.setText(reason or EMPTY)
        there = not reason and document.selected >= 0 and self._result is not None
        self._pages.setCurrentIndex(int(there))

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the numbers of every step."""
        if slot != self.id:
            return
        self._result = result
        self._update_text(result)
        self._pages.setCurrentIndex(1)
        self.layers_changed.emit()

    def forget(self) -> None:
        """Drop the lineage of the previous picture's box."""
        self._result = None

    def layers(self, document: Document) -> list[Layer]:
        """Paint the steps of the selected box."""
        wanted = document.view.lineage or document.view.anchors == "lineage"
        if self._result is None or not wanted or self._result.meta["finding"]["id"] != document.selected:
            return []
        return lineage.lineage_layers(self._result)

    def picked(self, layer: str, row: int) -> bool:
        """Select the suppressed or suppressing box that was clicked on the picture."""
        found = next((one for one in self.layers(self.store.document) if one.id == layer), None)
        if found is None or layer not in (lineage.REMOVED, lineage.REMOVER, lineage.BOX):
            return False
        self.store.update(self.store.document.with_selected(int(getattr(found, "ids")[row])))  # noqa: B009
        return True

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_view(lineage=in_view))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Stack the chain vertically if the panel is too narrow."""
        super().resizeEvent(event)
        wide = self.width() >= WIDE_PX
        self._chain.setDirection(QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom)
        for arrow in self._arrows:
            arrow.setText("›" if wide else "⌄")

    @property
    def text(self) -> str:
        """Return the lineage as text, "" for none."""
        return lineage.lineage_text(self._result) if self._result is not None else ""

    def _page(self) -> QWidget:
        """Return the page with the headline and the chain."""
        head = QHBoxLayout()
        head.addWidget(self.headline, 1)
        head.addWidget(self.copy, 0, Qt.AlignmentFlag.AlignTop)
        inside = QWidget()
        self._chain = QBoxLayout(QBoxLayout.Direction.LeftToRight, inside)
        self._chain.setContentsMargins(0, 0, 0, 0)
        self._chain.setSpacing(GAP // 2)
        self._arrows: list[QLabel] = []
        for card in (self.origin, self.proposal, self.scores, self.suppression):
            if self._chain.count():
                arrow = QLabel("›")
                arrow.setAlignment(Qt.AlignmentFlag.AlignCenter)
                self._arrows.append(arrow)
                self._chain.addWidget(arrow)
            self._chain.addWidget(card, {self.scores: 4, self.suppression: 2}.get(card, 0))
        for card in (self.origin, self.proposal):
            card.setMinimumWidth(FACTS_PX)
        self.scores.setMinimumWidth(264)
        self.suppression.setMinimumWidth(200)
        scroll = QScrollArea()
        scroll.setAccessibleName(tr("Lineage of the selected box"))
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setWidget(inside)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP // 2)
        column.addLayout(head)
        column.addWidget(scroll, 1)
        return page

    def _update_text(self, result: Result) -> None:
        finding, arrays, classes = result.meta["finding"], result.arrays, result.meta["classes"]
        self.origin.set_title(lineage.origin_title(finding))
        self.origin.set_facts(lineage.origin_facts(finding, arrays["origin"]))
        proposal = lineage.proposal_facts(finding, arrays["proposal"])
        self.proposal.set_facts(proposal)
        self.proposal.set_title(lineage.proposal_title(finding))
        self.one_stage.setText(lineage.absent_text(finding))
        self.one_stage.setVisible(not proposal or bool(finding["absent"]))
        scores = lineage.class_scores(result)
        self.bars.set_entries(scores, chosen=int(finding["label"]))
        self.bars.setVisible(bool(scores))
        self.scores.set_facts([] if scores else [("", NO_SCORES)])
        self.headline.setText(lineage.headline(finding, arrays["box"]))
        self.suppression.set_title(lineage.suppression_text(finding, len(arrays["removed_ids"])))
        self.below.setText(lineage.below_text(finding))
        self.others.clear()
        columns = (arrays[f"removed_{name}"] for name in ("ids", "labels", "scores", "iou"))
        rows = [*zip(*(column.tolist() for column in columns), strict=True)]
        by = finding["end"].get("remover")
        for number, label, score, iou in [(by["id"], by["label"], by["score"], by["iou"]), *rows] if by else rows:
            item = QListWidgetItem(
                theme.swatch(theme.class_colour(label)), f"{classes[label]} {score:.2f} · IoU {iou:.2f}"
            )
            item.setData(Qt.ItemDataRole.UserRole, number)
            item.setData(KNOWN, {"detection": int(number)})
            self.others.addItem(item)
        self.others.setVisible(self.others.count() > 0)

    def _follow(self, item: QListWidgetItem) -> None:
        self.store.update(self.store.document.with_selected(int(item.data(Qt.ItemDataRole.UserRole))))

    def _restyle(self) -> None:
        self.copy.setIcon(theme.icon("copy"))


PANEL = LineagePanel
