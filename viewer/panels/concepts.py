"""The Concepts panel: whether a class depends on what a folder of pictures shows, by layer, against random pictures."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer.panels.base import GAP, Panel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.widgets.charts.bar_chart import Bar, BarChart
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.section import Section
from viewer.widgets.pictures.map_readout import plain_label

INSPECTION = "concepts"
FOLDERS = ("concept", "random", "examples")
ABOUT = ("target", *FOLDERS)
INVITATION = (
    "Does this class depend on stripes, on grass, on a colour? Choose a folder with ten or more pictures that show the "
    "concept, and one with twenty or more that do not."
)
NO_PICTURE = "Open a picture first: its answer is the class that is tested."
WAITING = "The concept is being tested… Escape stops it."
STOPPED = "Stopped. F5 asks again."
HELP = (
    "TCAV: the share of the class's pictures whose score rises in the concept's direction. Pale bars are no more than "
    "chance: p above 0.05 after Bonferroni, or pictures that cannot be told from random ones."
)


class ConceptsPanel(Panel):
    """The folders, the finding in words, and a bar of the mean score for each layer."""

    id: ClassVar[str] = INSPECTION

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.words = plain_label("What was found")
        self.rows = {
            "concept": FolderRow("Concept", empty="None chosen", help_text="Pictures that show the concept"),
            "random": FolderRow("Random", empty="None chosen", help_text="Pictures that do not show the concept"),
            "examples": FolderRow(
                "Class", empty="Beside the picture", help_text="Pictures of the class to test", clears=True
            ),
        }
        self.chart = BarChart("TCAV score by layer")
        self.chart.setMinimumHeight(140)
        self.about = plain_label("About the scores")
        self.about.setText(HELP)
        self.counts = plain_label("Pictures that were used")
        for label in (self.about, self.counts):
            label.setProperty("small", True)
        self.settings = Section("Settings of the test")
        self.form: Form | None = None
        self._wanted: Request | None = None
        self._answer: tuple[Request, Result] | None = None
        self._failed: tuple[Request | None, str] = None, ""
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for part in (*self.rows.values(), self.words, self.chart, self.counts, self.settings, self.about):
            column.addWidget(part)
        column.addStretch(1)
        self.fill(inside, "Concepts")
        for name, row in self.rows.items():
            row.wanted.connect(lambda name=name: self.command_wanted.emit(f"concept-{name}"))
            row.cleared.connect(lambda name=name: self._set(name, None))

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the test while the panel is in view and both folders are chosen."""
        chosen = document.values(INSPECTION)
        if INSPECTION not in document.view.inside or not (chosen.get("concept") and chosen.get("random")):
            return None
        return request_plan.explain(INSPECTION, document, description)

    def seen(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the folders and settings, and whether the scores belong to them."""
        chosen = document.values(INSPECTION)
        for name, row in self.rows.items():
            row.show_path(str(chosen.get(name, "")))
        offer = description.offers.get(INSPECTION) if description else None
        if offer is not None and not offer.reason:
            if self.form is None:
                self.form = Form([p for p in offer.parameters if p.name not in ABOUT])
                self.form.committed.connect(self._set)
                self.form.reset_requested.connect(self._own)
                self.settings.add(self.form)
            self.form.set_values({**offer.defaults, **request_plan.given(document, INSPECTION, description)})
        self._wanted = self.wants(document, description)
        self._show()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the scores."""
        if slot == self.id:
            self._answer, self._failed = (request, result), (None, "")
            self._show()

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel why there are none; keep the last ones."""
        if slot != self.id:
            return None
        self._failed = self._wanted, STOPPED if failure.cancelled else failure.text
        self._show()
        return True

    def forget(self) -> None:
        """Drop the scores of the previous picture."""
        self._answer = None
        self._show()

    def _show(self) -> None:
        document, answer = self.store.document, self._answer
        fresh = answer is not None and answer[0] == self._wanted
        self.chart.setVisible(answer is not None)
        self.counts.setVisible(answer is not None)
        self.chart.set_faded(not fresh)
        if answer is not None:
            self.chart.set_bars(_bars(answer[1]))
            shown, random, examples, size = answer[1].meta["pictures"]
            left = f" {answer[1].meta['unreadable']} could not be read." if answer[1].meta["unreadable"] else ""
            self.counts.setText(
                f"{shown} pictures of {answer[1].meta['concept']}, {random} random ones in sets of {size}, "
                f"{examples} of {answer[1].meta['target']}.{left}"
            )
        if self._wanted is None:
            self.words.setText(INVITATION if document.source is not None else f"{INVITATION} {NO_PICTURE}")
        elif self._failed[0] == self._wanted:
            self.words.setText(self._failed[1])
        else:
            self.words.setText(str(answer[1].meta["text"]) if fresh and answer is not None else WAITING)

    def _set(self, name: str, value: object) -> None:
        document = self.store.document.with_value(INSPECTION, **{name: value})  # type: ignore[arg-type]
        self.store.update(document, title=f"Concepts: {name}")

    def _own(self) -> None:
        folders = {name: self.store.document.values(INSPECTION).get(name) for name in FOLDERS}
        document = self.store.document.with_own(INSPECTION).with_value(INSPECTION, **folders)
        self.store.update(document, title="Own settings of the test")


def _bars(result: Result) -> list[Bar]:
    """Return a bar for each layer: the mean score, how it spreads, and its p-value."""
    bars, arrays = [], result.arrays
    for row, layer in enumerate(result.meta["layers"]):
        scores, chance = arrays["scores"][row], arrays["chance"][row]
        counts = bool(arrays["significant"][row])
        tip = (
            f"{layer}: score {scores.mean():.3f}, standard deviation {scores.std():.3f}, over {len(scores)} random "
            f"sets; chance {chance.mean():.3f}, {chance.std():.3f}. p {arrays['p'][row]:.3g} after Bonferroni. "
            f"Told from random pictures in {np.mean(arrays['accuracies'][row]):.0%} of cases, random ones from each "
            f"other in {np.mean(arrays['chance_accuracies'][row]):.0%}."
        )
        text = f"{scores.mean():.2f}, p {arrays['p'][row]:.2g}"
        bars.append(Bar(layer, float(scores.mean()), text, help=tip, quiet=not counts))
    return bars


PANEL = ConceptsPanel
