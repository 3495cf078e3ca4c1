"""The Samples panel: a grid of pictures decoded from the prior; a click makes a picture's code the current one."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QVBoxLayout

from models.inspection import Description
from models.latent.space import SEED, write
from models.requests import Request
from models.types import Result
from viewer.canvas.mosaic import tinted
from viewer.panels.base import GAP, FormPanel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.pictures.channel_grid import ChannelGrid

INSPECTION = "sample"


class SamplesPanel(FormPanel):
    """The grid, its first seed, the number of samples, and the truncation."""

    id: ClassVar[str] = "samples"
    settings_of: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the sample")
    words_title: ClassVar[str] = tr("Samples")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.grid = ChannelGrid(tr("Samples"))
        self.grid.describe = lambda row: tr("Seed {seed}", seed=self._seed + row)
        self._result: Result | None = None
        self._seed = 0
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.grid, 1)
        column.addWidget(self.words)
        column.addWidget(self.settings)
        self.words.hide()
        self.grid.picked.connect(self._go_to_seed)
        self.grid.offers = self._offers

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the samples while the panel is in view."""
        return request_plan.about(INSPECTION, document, description) if "samples" in document.view.inside else None

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings, and frame the sample that the canvas shows."""
        super().refresh(document, description)
        self._frame(document)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the pictures."""
        if slot != self.id:
            return
        self._result, self._seed = result, int(result.meta["parameters"]["seed"])
        pictures = result.arrays["pictures"]
        self.grid.show_tiles(tinted(pictures), np.arange(len(pictures)))
        self.words.hide()
        self._frame(self.store.document)

    def _frame(self, document: Document) -> None:
        text, chosen = document.latent.code, -1
        if self._result is not None:
            codes, truncated = self._result.arrays["codes"], bool(self._result.meta["parameters"]["truncation"])
            names = (write(code) if truncated else f"{SEED}{self._seed + row}" for row, code in enumerate(codes))
            chosen = next((row for row, name in enumerate(names) if name == text), -1)
        self.grid.choose(chosen)

    def _offers(self, row: int) -> list[tuple[str, Callable[[], object]]]:
        """Return what can be done with a sample beside showing it."""

        def shown(command: str) -> None:
            self._go_to_seed(row)
            self.command_wanted.emit(command)

        def walk() -> None:
            if not self.store.document.latent.keys:
                self.command_wanted.emit("key-add")
            shown("key-add")
            self.command_wanted.emit("play")  # which opens the timeline while there are no frames

        assert self._result is not None
        code = write(self._result.arrays["codes"][row])
        ways = [(tr("Walk here from the picture shown"), walk)] if row != self.grid.chosen else []
        return [
            *ways,
            (tr("Keep this code as a key"), lambda: shown("key-add")),
            (tr("Show its neighbours"), lambda: shown("near-real")),
            (tr("Copy its code"), lambda: QGuiApplication.clipboard().setText(code)),
            (tr("Export this…"), lambda: shown("export")),
        ]

    def _go_to_seed(self, row: int) -> None:
        if self._result is None or row < 0:
            return
        seed, truncated = self._seed + row, bool(self._result.meta["parameters"]["truncation"])
        # A truncated code differs from its seed's code; pass the numbers, so that all panels use the code shown here.
        code = write(self._result.arrays["codes"][row]) if truncated else f"{SEED}{seed}"
        document = self.store.document.with_latent(code=code, at=-1)
        self.store.update(document, title=tr("Seed {seed}", seed=seed), merge="seed")


PANEL = SamplesPanel
