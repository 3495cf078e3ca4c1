"""The Nearest real panel: the real pictures nearest to the generated one, to see whether the model memorised it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QPushButton, QVBoxLayout

from models.cards import card as cards
from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer.canvas.mosaic import tinted
from viewer.panels.base import GAP, Panel
from viewer.presenters import latent_code
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.elided_label import ElidedLabel
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_grid import ChannelGrid

INSPECTION = "real_neighbours"
WAITING = tr("Waiting for the answer…")
COPY, CLOSE = 0.25, 0.75


class RealNeighboursPanel(Panel):
    """The nearest pictures in order, their distances, and how usual such a distance is among real pictures."""

    id: ClassVar[str] = INSPECTION

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.words = WrappedLabel(tr("Whether the picture is a copy"))
        self.grid = ChannelGrid(tr("Nearest real pictures"))
        self.grid.describe = self._line
        self.grid.setMinimumHeight(72)
        self.space = QComboBox()
        self.space.setAccessibleName(tr("Compared in"))
        self.space.addItem(tr("Pixels"), "pixels")
        for card in cards.bundled().values():
            if card.task == "classification":
                self.space.addItem(tr("{card}'s scores", card=card.name), card.name)
        self.folder = ElidedLabel()
        self.choose = QPushButton(tr("Choose…"))
        self.choose.setAccessibleName(tr("Choose real pictures"))
        self.choose.setToolTip(tr("A folder of real pictures, ideally those the model was trained on"))
        self._result: Result | None = None
        foot = QGridLayout()
        foot.setHorizontalSpacing(GAP)
        foot.addWidget(self.folder, 0, 0, 1, 2)
        foot.addWidget(self.choose, 0, 2)
        foot.addWidget(QLabel(tr("Compared in")), 1, 0)
        foot.addWidget(self.space, 1, 1, 1, 2)
        foot.setColumnStretch(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.words)
        column.addWidget(self.grid, 1)
        column.addLayout(foot)
        self.choose.clicked.connect(lambda: self.command_wanted.emit("latent-reals"))
        self.space.activated.connect(self._compare)
        self.grid.picked.connect(self._update_text)
        self.grid.path_of = self._path

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the nearest pictures while the panel is in view and a folder is chosen."""
        folder = latent_code.real_folder(document)
        if INSPECTION not in document.view.inside or not folder:
            return None
        extra = {"code": document.latent.code, "folder": folder}
        return request_plan.about(INSPECTION, document, description, extra=extra)

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the folder, and the features in which pictures are compared."""
        self.folder.setText(latent_code.real_words(document))
        chosen = str(document.values(INSPECTION).get("features", "pixels"))
        self.space.setCurrentIndex(max(0, self.space.findData(chosen)))
        if not latent_code.real_folder(document):
            self.words.setText(latent_code.NO_REAL_PICTURES)
        elif self._result is None:
            self.words.setText(WAITING)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the nearest pictures."""
        if slot != self.id:
            return
        self._result = result
        self.grid.show_tiles(tinted(result.arrays["pictures"]), np.arange(len(result.arrays["pictures"])))
        self._update_text(self.grid.chosen)

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show the reason in the panel; keep the last result."""
        if slot != self.id or failure.cancelled:
            return None
        self.words.setText(failure.text)
        return True

    def _update_text(self, row: int) -> None:
        if self._result is None:
            return
        meta = self._result.meta
        ratio = meta["ratio"]
        verdict = (
            tr("practically a copy") if ratio < COPY else tr("unusually near") if ratio < CLOSE else tr("not a copy")
        )
        line = f"{self._line(row)}\n" if row >= 0 else ""
        text = tr(
            "The nearest of {among:,} is {ratio:.2f} times as far as real ones are from each other: {verdict}.",
            among=meta["among"],
            ratio=ratio,
            verdict=verdict,
        )
        left = tr(" {unreadable:,} could not be read.", unreadable=meta["unreadable"]) if meta["unreadable"] else ""
        self.words.setText(f"{line}{text}{left}")

    def _path(self, row: int) -> str:
        paths = self._result.meta["paths"] if self._result is not None else []
        return str(paths[row]) if row < len(paths) else ""

    def _line(self, row: int) -> str:
        if self._result is None or row >= len(self._result.meta["paths"]):
            return ""
        return tr(
            "{paths}, distance {distances:.3g}",
            paths=Path(self._result.meta["paths"][row]).name,
            distances=self._result.arrays["distances"][row],
        )

    def _compare(self) -> None:
        chosen = str(self.space.currentData())
        document = self.store.document.with_value(INSPECTION, features=None if chosen == "pixels" else chosen)
        self.store.update(document, title=tr("Compare in"))


PANEL = RealNeighboursPanel
