"""The Activation functions panel: every call with its inputs over curve and derivative, and a replacement on trial."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtWidgets import QPushButton

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer.panels.base import SearchPanel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.charts.activation_curve import ActivationCurve
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.tables.copy_table import Cells

INSPECTION = "activation_functions"
INVITATION = tr(
    "Where on its curve does each activation function work, which units are dead, and what would another function do? "
    "Open a picture: it and others of its folder are passed."
)
TITLES = (tr("Call"), tr("Function"), tr("Flat"), tr("Dead"))


class ActivationFunctionsPanel(SearchPanel):
    """The finding in words, a table of the calls, the curve of the chosen one, and the settings."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Pictures, and another function")
    invites: ClassVar[str] = INVITATION
    waiting: ClassVar[str] = tr("The activation functions are being watched… Escape stops it.")
    folders: ClassVar[tuple[str, ...]] = ("folder",)
    elsewhere: ClassVar[tuple[str, ...]] = ("call", "box")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.rows = {
            "folder": FolderRow(
                tr("Pictures"), empty=tr("Beside the picture"), help_text=tr("The folder of the others"), clears=True
            )
        }
        self.table = Cells(tr("Activation functions"), TITLES)
        self.table.setMinimumHeight(132)
        self.about = WrappedLabel(tr("About the chosen function"), small=True)
        self.chart = ActivationCurve(tr("Inputs over the curve"))
        self.only = QPushButton()
        self.only.setAutoDefault(False)
        self.only.clicked.connect(self._toggle)
        self.table.currentItemChanged.connect(lambda now, _: self._show_call(self.table.indexOfTopLevelItem(now)))
        self.row = 0
        self.settings.add(self.only)
        self.arrange((self.table, self.chart, self.about, self.settings), command=INSPECTION)
        self.settings.set_open(True)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the calls while the panel is in view."""
        return request_plan.in_view(request_plan.explain, INSPECTION, document, description)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """List the calls."""
        if slot != self.id:
            return
        meta, arrays = result.meta, result.arrays
        rows = []
        for row, (call, title) in enumerate(zip(meta["calls"], meta["titles"], strict=True)):
            named = tr("{title}, by form", title=title) if meta["form"][row] else title
            dead = f"{arrays['dead'][row]:,}/{arrays['units'][row]:,}"
            rows.append((call, named, f"{arrays['flat'][row]:.0%}", dead))
        self.table.take(rows)
        super().show_result(slot, request, result)
        self._show_call(min(self.row, len(rows) - 1))

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show table and chart, faded unless they answer the present request."""
        for part in (self.table, self.chart, self.about, self.only):
            part.setVisible(result is not None)
        self.chart.set_faded(not fresh)
        chosen = self.store.document.values(INSPECTION).get("call")
        self.only.setText(tr("Replace every one") if chosen else tr("Replace only the chosen one"))

    def _show_call(self, row: int) -> None:
        if self._answer is None or row < 0:
            return
        meta, arrays = self._answer[1].meta, self._answer[1].arrays
        if row >= len(meta["calls"]):
            return
        self.row = row
        names = ("x", "curve", "slope")
        self.chart.show_call(arrays["counts"][row], float(arrays["span"][row]), *(arrays[n][row] for n in names))
        self.about.setText(
            tr(
                "{title} of {call}: {flat:.1%} of the inputs in the flat zone, {below:.1%} below zero, {dead:,} of "
                "{units:,} units dead.",
                title=meta["titles"][row],
                call=meta["calls"][row],
                flat=float(arrays["flat"][row]),
                below=float(arrays["below"][row]),
                dead=int(arrays["dead"][row]),
                units=int(arrays["units"][row]),
            )
        )

    def _toggle(self) -> None:
        if self._answer is None:
            return
        chosen = self.store.document.values(INSPECTION).get("call")
        self._set("call", None if chosen else self._answer[1].meta["calls"][self.row])


PANEL = ActivationFunctionsPanel
