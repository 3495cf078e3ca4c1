"""The Concepts panel: whether a class depends on what a folder of pictures shows, by layer, against random pictures."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer.panels.base import SearchPanel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.widgets.charts.bar_chart import Bar, BarChart
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.pictures.map_readout import plain_label

INSPECTION = "concepts"
INVITATION = (
    "Does this class depend on stripes, on grass, on a colour? Choose a folder with ten or more pictures that show the "
    "concept, and one with twenty or more that do not."
)
NO_PICTURE = "Open a picture first: its answer is the class that is tested."
HELP = (
    "TCAV: the share of the class's pictures whose score rises in the concept's direction. Pale bars are no more than "
    "chance: p above 0.05 after Bonferroni, or pictures that cannot be told from random ones."
)


class ConceptsPanel(SearchPanel):
    """The folders, the finding in words, and a bar of the mean score for each layer."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = "Settings of the test"
    waiting: ClassVar[str] = "The concept is being tested… Escape stops it."
    folders: ClassVar[tuple[str, ...]] = ("concept", "random", "examples")
    elsewhere: ClassVar[tuple[str, ...]] = ("target",)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
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
        self.arrange((self.chart, self.counts, self.settings, self.about), command="concept")

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the test while the panel is in view and both folders are chosen."""
        chosen = document.values(INSPECTION)
        if INSPECTION not in document.view.inside or not (chosen.get("concept") and chosen.get("random")):
            return None
        return request_plan.explain(INSPECTION, document, description)

    def invitation(self) -> str:
        """Return which folders to choose."""
        return INVITATION if self.store.document.source is not None else f"{INVITATION} {NO_PICTURE}"

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the scores, pale unless they answer the present request."""
        self.chart.setVisible(result is not None)
        self.counts.setVisible(result is not None)
        self.chart.set_faded(not fresh)
        if result is not None:
            self.chart.set_bars(_bars(result))
            shown, random, examples, size = result.meta["pictures"]
            left = f" {result.meta['unreadable']} could not be read." if result.meta["unreadable"] else ""
            self.counts.setText(
                f"{shown} pictures of {result.meta['concept']}, {random} random ones in sets of {size}, "
                f"{examples} of {result.meta['target']}.{left}"
            )


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
