"""The Influence panel: the training pictures that support or oppose the answer for the open picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QLabel

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer.canvas.mosaic import tinted
from viewer.panels.base import SearchPanel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_grid import ChannelGrid

INSPECTION = "influence"
SIDES = {"support": ("supporting", tr("For the answer")), "oppose": ("opposing", tr("Against it"))}
INVITATION = tr(
    "Which pictures of the training speak for this answer, and which against it? Choose their folder, with one folder "
    "inside for each class."
)
NO_PICTURE = tr("Open a picture first: its answer is what they speak for.")
POINT = tr("Point at a picture to read its name and score.")


class InfluencePanel(SearchPanel):
    """The folders, the finding in words, and the pictures for and against, the strongest first."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the search")
    waiting: ClassVar[str] = tr("Searching the training pictures… Escape stops it.")
    folders: ClassVar[tuple[str, ...]] = ("folder", "checkpoints")
    elsewhere: ClassVar[tuple[str, ...]] = ("target", "layer")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.rows = {
            "folder": FolderRow(
                tr("Pictures"), empty=tr("None chosen"), help_text=tr("The folder of the training pictures")
            ),
            "checkpoints": FolderRow(
                tr("Checkpoints"),
                empty=tr("The open weights"),
                help_text=tr("A folder of checkpoints, for TracIn"),
                clears=True,
            ),
        }
        self.grids, self.titles = {}, {}
        for side, (_, title) in SIDES.items():
            grid = ChannelGrid(tr("Training pictures, {title}", title=title.lower()))
            grid.setMinimumHeight(96)
            grid.describe = self._describer(side)
            grid.path_of = lambda row, side=side: self._path(side, row)
            grid.hovered.connect(lambda place, side=side: self._point(side, place))
            grid.picked.connect(lambda row, side=side: self._point(side, (row, 0.0, 0.0)))
            self.grids[side], self.titles[side] = grid, QLabel(title)
        self.readout = WrappedLabel(tr("Picture under the pointer"), small=True)
        sides = [part for side in SIDES for part in (self.titles[side], self.grids[side])]
        self.arrange((*sides, self.readout, self.settings), command="influence")

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the pictures while the panel is in view and their folder is chosen."""
        if INSPECTION not in document.view.inside or not document.values(INSPECTION).get("folder"):
            return None
        return request_plan.explain(INSPECTION, document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the folders and settings, and whether the pictures belong to them."""
        super().refresh(document, description)
        self.rows["checkpoints"].setVisible(document.values(INSPECTION).get("method") == "tracin")

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the pictures."""
        if slot != self.id:
            return
        for side, (name, _) in SIDES.items():
            if len(pictures := result.arrays[name]):
                self.grids[side].show_tiles(tinted(pictures), np.arange(len(pictures)))
        self.readout.setText(POINT)
        super().show_result(slot, request, result)

    def invitation(self) -> str:
        """Return which folder to choose."""
        return INVITATION if self.store.document.source is not None else f"{INVITATION} {NO_PICTURE}"

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the sides that have pictures, disabled unless they answer the present request."""
        self.readout.setVisible(result is not None)
        for side, (name, title) in SIDES.items():
            count = len(result.arrays[name]) if result is not None else 0
            self.grids[side].setVisible(count > 0)
            self.titles[side].setVisible(result is not None)
            self.titles[side].setText(title if count else tr("{title}: none", title=title))
            self.grids[side].setEnabled(fresh)

    def _describer(self, side: str) -> Callable[[int], str]:
        return lambda row: self._line(side, row)

    def _path(self, side: str, row: int) -> str:
        paths = self._answer[1].meta[f"{side}_paths"] if self._answer is not None else []
        return str(paths[row]) if row < len(paths) else ""

    def _line(self, side: str, row: int) -> str:
        if self._answer is None or not 0 <= row < len(self._answer[1].meta[f"{side}_paths"]):
            return ""
        meta, arrays = self._answer[1].meta, self._answer[1].arrays
        score = arrays["support" if side == "support" else "opposition"][row]
        return tr(
            "{meta}, {meta_2}, score {score:.3g}",
            meta=Path(meta[f"{side}_paths"][row]).name,
            meta_2=meta[f"{side}_labels"][row],
            score=score,
        )

    def _point(self, side: str, place: tuple[int, float, float] | None) -> None:
        self.readout.setText((self._line(side, place[0]) if place is not None else "") or POINT)


PANEL = InfluencePanel
