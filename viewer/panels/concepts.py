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
from viewer.translation import tr
from viewer.widgets.charts.bar_chart import Bar, BarChart
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel

INSPECTION = "concepts"
INVITATION = tr(
    "Does this class depend on stripes, on grass, on a colour? Choose a folder with ten or more pictures that show the "
    "concept, and one with twenty or more that do not."
)
NO_PICTURE = tr("Open a picture first: its answer is the class that is tested.")
HELP = tr(
    "TCAV: the share of the class's pictures whose score rises in the concept's direction. Pale bars are no more than "
    "chance: p above 0.05 after Bonferroni, or pictures that cannot be distinguished from random ones."
)


class ConceptsPanel(SearchPanel):
    """The folders, the finding in words, and a bar of the mean score for each layer."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the test")
    waiting: ClassVar[str] = tr("Testing the concept… Escape stops it.")
    folders: ClassVar[tuple[str, ...]] = ("concept", "random", "examples")
    elsewhere: ClassVar[tuple[str, ...]] = ("target",)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.rows = {
            "concept": FolderRow(
                tr("Concept"), empty=tr("None chosen"), help_text=tr("Pictures that show the concept")
            ),
            "random": FolderRow(
                tr("Random"), empty=tr("None chosen"), help_text=tr("Pictures that do not show the concept")
            ),
            "examples": FolderRow(
                tr("Class"), empty=tr("Beside the picture"), help_text=tr("Pictures of the class to test"), clears=True
            ),
        }
        self.chart = BarChart(tr("TCAV score by layer"))
        self.chart.setMinimumHeight(140)
        self.about = WrappedLabel(tr("About the scores"))
        self.about.setText(HELP)
        self.counts = WrappedLabel(tr("Pictures that were used"))
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
            left = (
                tr(" {unreadable} could not be read.", unreadable=result.meta["unreadable"])
                if result.meta["unreadable"]
                else ""
            )
            self.counts.setText(
                tr(
                    "{shown} pictures of {concept}, {random} random ones in sets of {size}, "
                    "{examples} of {target}.{left}",
                    shown=shown,
                    concept=result.meta["concept"],
                    random=random,
                    size=size,
                    examples=examples,
                    target=result.meta["target"],
                    left=left,
                )
            )


def _bars(result: Result) -> list[Bar]:
    """Return a bar for each layer: the mean score, how it spreads, and its p-value."""
    bars, arrays = [], result.arrays
    for row, layer in enumerate(result.meta["layers"]):
        scores, chance = arrays["scores"][row], arrays["chance"][row]
        counts = bool(arrays["significant"][row])
        tip = tr(
            "{layer}: score {scores:.3f}, standard deviation {std:.3f}, over {scores_2} random "
            "sets; chance {chance:.3f}, {std_2:.3f}. p {p:.3g} after Bonferroni. "
            "Distinguished from random pictures in {np:.0%} of cases, random ones "
            "from each other in {np_2:.0%}.",
            layer=layer,
            scores=scores.mean(),
            std=scores.std(),
            scores_2=len(scores),
            chance=chance.mean(),
            std_2=chance.std(),
            p=arrays["p"][row],
            np=np.mean(arrays["accuracies"][row]),
            np_2=np.mean(arrays["chance_accuracies"][row]),
        )
        text = f"{scores.mean():.2f}, p {arrays['p'][row]:.2g}"
        bars.append(Bar(layer, float(scores.mean()), text, help=tip, quiet=not counts))
    return bars


PANEL = ConceptsPanel
