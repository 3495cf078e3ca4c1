"""The Ranking panel: the pictures of the current folder by their likelihood, the least likely first."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QComboBox, QVBoxLayout

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer.canvas.mosaic import tinted
from viewer.engine_texts import shown
from viewer.panels.base import GAP, Panel
from viewer.presenters import latent_code
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_grid import ChannelGrid

INSPECTION = "likelihood_ranking"
NOTHING_OPEN = tr("Open a folder of pictures to rank them by their likelihood.")
WAITING = tr("Waiting for the answer…")


class RankingPanel(Panel):
    """A grid of the pictures as the model gets them; a double click opens one."""

    id: ClassVar[str] = INSPECTION

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.words = WrappedLabel(tr("About the ranking"))
        self.order = QComboBox()
        self.order.setAccessibleName(tr("Order of the pictures"))
        self.order.addItem(tr("Least likely first"), False)
        self.order.addItem(tr("Likeliest first"), True)
        self.grid = ChannelGrid(tr("Pictures by likelihood"))
        self.grid.describe = self._line
        self.grid.path_of = self._path
        self._result: Result | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.words)
        column.addWidget(self.order)
        column.addWidget(self.grid, 1)
        self.order.activated.connect(lambda _: self._show())
        self.grid.picked.connect(lambda _: self._update_text())
        self.grid.opened.connect(self._open)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the ranking while the panel is in view and a picture of a folder is open."""
        folder = latent_code.folder_of(document)
        if INSPECTION not in document.view.inside or description is None or folder is None:
            return None
        return request_plan.ask(INSPECTION, document, description, source=folder)

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Say what is waited for."""
        if self._result is None:
            self.words.setText(WAITING if document.sources else NOTHING_OPEN)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the pictures."""
        if slot == self.id:
            self._result = result
            self._show()

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show the reason in the panel; keep the last ranking."""
        if slot != self.id or failure.cancelled:
            return None
        self.words.setText(failure.text)
        return True

    def _show(self) -> None:
        if self._result is None:
            return
        thumbs = self._result.arrays["thumbs"]
        rows = np.arange(len(thumbs))
        self.grid.show_tiles(tinted(thumbs), rows[::-1].copy() if self.order.currentData() else rows)
        self._update_text()

    def _update_text(self) -> None:
        if self._result is None:
            return
        nats, meta = self._result.arrays["nats"], self._result.meta
        text = tr(
            "{count:,} pictures, −log p from {least:.1f} to {most:.1f} nats, in the middle {middle:.1f}.",
            count=len(nats),
            least=float(nats.min()),
            most=float(nats.max()),
            middle=float(np.median(nats)),
        )
        changed = int(self._result.arrays["changed"].sum())
        if changed:
            text += " " + tr("{changed:,} were changed to fit the model.", changed=changed)
        if meta["problems"]:
            text += " " + tr("{problems:,} could not be read.", problems=len(meta["problems"]))
        row = self.grid.chosen
        self.words.setText(f"{self._line(row)}\n{text}" if row >= 0 else text)

    def _path(self, row: int) -> str:
        paths = self._result.meta["paths"] if self._result is not None else []
        return str(paths[row]) if row < len(paths) else ""

    def _line(self, row: int) -> str:
        if self._result is None or not 0 <= row < len(self._result.meta["names"]):
            return ""
        nats = float(self._result.arrays["nats"][row])
        bits = nats / float(np.log(2)) / self._result.meta["values"]
        return tr(
            "{name}: {nats:.1f} nats, {bits:.3f} bits per value",
            name=shown(str(self._result.meta["names"][row])),
            nats=nats,
            bits=bits,
        )

    def _open(self) -> None:
        row = self.grid.chosen
        if self._result is not None and row >= 0:
            self.open_wanted.emit(str(self._result.meta["paths"][row]))


PANEL = RankingPanel
