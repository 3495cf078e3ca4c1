"""The Parts panel: where the network splits, joins, adds and gates its maps, with receptive fields before and after."""

from __future__ import annotations

from typing import ClassVar

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer.engine_texts import shown
from viewer.panels.base import SearchPanel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.tables.copy_table import Cells

INSPECTION = "parts"
INVITATION = tr("Which parts is the network made of: CSP, SPP, FPN, PAN, shortcuts, gates? Open a picture.")
CHOOSE = tr("Choose a part to read where it begins and what passes by.")
WHOLE = tr("all")
MOST_ROWS = 500
TITLES = (tr("Part"), tr("Channels"), tr("Pass by"), tr("Sees"))


class PartsPanel(SearchPanel):
    """The finding in words, a table of the parts in the order of the pass, and the chosen one in a sentence."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings")
    invites: ClassVar[str] = INVITATION
    waiting: ClassVar[str] = tr("The network's functions are being followed…")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.table = Cells(tr("Parts of the network"), TITLES)
        self.table.setMinimumHeight(200)
        self.table.currentItemChanged.connect(lambda now, _: self._describe(self.table.indexOfTopLevelItem(now)))
        self.about = WrappedLabel(tr("About the chosen part"), small=True)
        self.about.setText(CHOOSE)
        self.arrange((self.table, self.about, self.settings), command=INSPECTION)
        self.settings.hide()  # there is nothing to set

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the parts while the panel is in view."""
        return request_plan.in_view(request_plan.ask, INSPECTION, document, description)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """List the parts."""
        if slot != self.id:
            return
        arrays = result.arrays
        rows = [
            (
                shown(part["title"]),
                f"{arrays['channels'][row]:,}",
                f"{arrays['past'][row]:,}",
                f"{_px(arrays['before'][row])} → {_px(arrays['after'][row])}",
            )
            for row, part in enumerate(result.meta["parts"][:MOST_ROWS])
        ]
        self.table.take(rows)
        self.about.setText(CHOOSE)
        super().show_result(slot, request, result)

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the table if there is something in it."""
        for part in (self.table, self.about):
            part.setVisible(result is not None and bool(result.meta["parts"]))

    def _describe(self, row: int) -> None:
        if self._answer is None or not 0 <= row < len(self._answer[1].meta["parts"]):
            return
        part, arrays = self._answer[1].meta["parts"][row], self._answer[1].arrays
        self.about.setText(
            tr(
                "{title} in {joined}, from the output of {begins}: {branches} branches at {size} cells. {past:,} of "
                "{channels:,} channels pass by. A cell sees {before} px before and {after} px after.",
                title=shown(part["title"]),
                joined=part["joined"] or tr("the network itself"),
                begins=part["begins"] or tr("the network itself"),
                branches=int(arrays["branches"][row]),
                size=" × ".join(str(side) for side in reversed(part["size"])),
                past=int(arrays["past"][row]),
                channels=int(arrays["channels"][row]),
                before=_px(arrays["before"][row]),
                after=_px(arrays["after"][row]),
            )
        )


def _px(field: float) -> str:
    return f"{field:.0f}" if field >= 0 else WHOLE


PANEL = PartsPanel
