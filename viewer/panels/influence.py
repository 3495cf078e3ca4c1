"""The Influence panel: the training pictures that support or oppose the answer for the open picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer.canvas.mosaic import tinted
from viewer.panels.base import GAP, Panel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.section import Section
from viewer.widgets.pictures.channel_grid import ChannelGrid
from viewer.widgets.pictures.map_readout import plain_label

INSPECTION = "influence"
FOLDERS = ("folder", "checkpoints")
ABOUT = ("target", "layer", *FOLDERS)
SIDES = {"support": ("supporting", "For the answer"), "oppose": ("opposing", "Against it")}
INVITATION = (
    "Which pictures of the training speak for this answer, and which against it? Choose their folder, with one folder "
    "inside for each class."
)
NO_PICTURE = "Open a picture first: its answer is what they speak for."
WAITING = "The training pictures are being looked through… Escape stops it."
STOPPED = "Stopped. F5 asks again."
POINT = "Point at a picture to read its name and score."


class InfluencePanel(Panel):
    """The folders, the finding in words, and the pictures for and against, the strongest first."""

    id: ClassVar[str] = INSPECTION

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.words = plain_label("What was found")
        self.rows = {
            "folder": FolderRow("Pictures", empty="None chosen", help_text="The folder of the training pictures"),
            "checkpoints": FolderRow(
                "Checkpoints", empty="The open weights", help_text="A folder of checkpoints, for TracIn", clears=True
            ),
        }
        self.grids, self.titles = {}, {}
        for side, (_, title) in SIDES.items():
            grid = ChannelGrid(f"Training pictures, {title.lower()}")
            grid.setMinimumHeight(96)
            grid.describe = self._describer(side)
            grid.hovered.connect(lambda place, side=side: self._point(side, place))
            grid.picked.connect(lambda row, side=side: self._point(side, (row, 0.0, 0.0)))
            self.grids[side], self.titles[side] = grid, QLabel(title)
        self.readout = plain_label("Picture under the pointer")
        self.readout.setProperty("small", True)
        self.settings = Section("Settings of the search")
        self.form: Form | None = None
        self._wanted: Request | None = None
        self._answer: tuple[Request, Result] | None = None
        self._failed: tuple[Request | None, str] = None, ""
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for part in (*self.rows.values(), self.words):
            column.addWidget(part)
        for side in SIDES:
            column.addWidget(self.titles[side])
            column.addWidget(self.grids[side])
        column.addWidget(self.readout)
        column.addWidget(self.settings)
        column.addStretch(1)
        self.fill(inside, "Influence")
        for name, row in self.rows.items():
            row.wanted.connect(lambda name=name: self.command_wanted.emit(f"influence-{name}"))
            row.cleared.connect(lambda name=name: self._set(name, None))

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the pictures while the panel is in view and their folder is chosen."""
        if INSPECTION not in document.view.inside or not document.values(INSPECTION).get("folder"):
            return None
        return request_plan.explain(INSPECTION, document, description)

    def seen(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the folders and settings, and whether the pictures belong to them."""
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
        self.rows["checkpoints"].setVisible(chosen.get("method") == "tracin")
        self._wanted = self.wants(document, description)
        self._show()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the pictures."""
        if slot != self.id:
            return
        self._answer, self._failed = (request, result), (None, "")
        for side, (name, _) in SIDES.items():
            if len(pictures := result.arrays[name]):
                self.grids[side].show_tiles(tinted(pictures), np.arange(len(pictures)))
        self.readout.setText(POINT)
        self._show()

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel why there are none; keep the last ones."""
        if slot != self.id:
            return None
        self._failed = self._wanted, STOPPED if failure.cancelled else failure.text
        self._show()
        return True

    def forget(self) -> None:
        """Drop the pictures that belong to the previous one."""
        self._answer = None
        self._show()

    def _show(self) -> None:
        answer = self._answer
        fresh = answer is not None and answer[0] == self._wanted
        self.readout.setVisible(answer is not None)
        for side, (name, title) in SIDES.items():
            count = len(answer[1].arrays[name]) if answer is not None else 0
            self.grids[side].setVisible(count > 0)
            self.titles[side].setVisible(answer is not None)
            self.titles[side].setText(title if count else f"{title}: none")
            self.grids[side].setEnabled(fresh)
        if self._wanted is None:
            no_picture = self.store.document.source is None
            self.words.setText(f"{INVITATION} {NO_PICTURE}" if no_picture else INVITATION)
        elif self._failed[0] == self._wanted:
            self.words.setText(self._failed[1])
        else:
            self.words.setText(str(answer[1].meta["text"]) if fresh and answer is not None else WAITING)

    def _describer(self, side: str) -> Callable[[int], str]:
        return lambda row: self._line(side, row)

    def _line(self, side: str, row: int) -> str:
        if self._answer is None or not 0 <= row < len(self._answer[1].meta[f"{side}_paths"]):
            return ""
        meta, arrays = self._answer[1].meta, self._answer[1].arrays
        score = arrays["support" if side == "support" else "opposition"][row]
        return f"{Path(meta[f'{side}_paths'][row]).name}, {meta[f'{side}_labels'][row]}, score {score:.3g}"

    def _point(self, side: str, place: tuple[int, float, float] | None) -> None:
        self.readout.setText((self._line(side, place[0]) if place is not None else "") or POINT)

    def _set(self, name: str, value: object) -> None:
        document = self.store.document.with_value(INSPECTION, **{name: value})  # type: ignore[arg-type]
        self.store.update(document, title=f"Influence: {name}")

    def _own(self) -> None:
        folders = {name: self.store.document.values(INSPECTION).get(name) for name in FOLDERS}
        document = self.store.document.with_own(INSPECTION).with_value(INSPECTION, **folders)
        self.store.update(document, title="Own settings of the search")


PANEL = InfluencePanel
