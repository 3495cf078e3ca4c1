"""The Samples panel: a grid of pictures decoded from the prior; a click makes a picture's code the current one."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QVBoxLayout

from models.inspection import Description
from models.latent.space import SEED, write
from models.requests import Request
from models.types import Failure, Result
from viewer.canvas.mosaic import tinted
from viewer.panels.base import GAP, Panel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.section import Section
from viewer.widgets.pictures.channel_grid import ChannelGrid
from viewer.widgets.pictures.map_readout import plain_label

INSPECTION = "sample"


class SamplesPanel(Panel):
    """The grid, its first seed, the number of samples, and the truncation."""

    id: ClassVar[str] = "samples"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.grid = ChannelGrid("Samples")
        self.grid.describe = lambda row: f"Seed {self._seed + row}"
        self.remark = plain_label("Samples")
        self.settings = Section("Settings of the sample")
        self.form: Form | None = None
        self._result: Result | None = None
        self._seed = 0
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.grid, 1)
        column.addWidget(self.remark)
        column.addWidget(self.settings)
        self.remark.hide()
        self.grid.picked.connect(self._go)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the samples while the panel is in view."""
        return request_plan.about(INSPECTION, document, description) if "samples" in document.view.inside else None

    def seen(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings, and frame the sample that the canvas shows."""
        offer = description.offers.get(INSPECTION) if description else None
        if offer is not None and not offer.reason:
            if self.form is None:
                self.form = Form(offer.parameters)
                self.form.changed.connect(lambda name, value: self._set(name, value, final=False))
                self.form.committed.connect(lambda name, value: self._set(name, value, final=True))
                self.form.reset_requested.connect(self._own)
                self.settings.add(self.form)
            self.form.set_values({**offer.defaults, **request_plan.given(document, INSPECTION, description)})
        self._frame(document)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the pictures."""
        if slot != self.id:
            return
        self._result, self._seed = result, int(result.meta["parameters"]["seed"])
        pictures = result.arrays["pictures"]
        self.grid.show_tiles(tinted(pictures), np.arange(len(pictures)))
        self.remark.hide()
        self._frame(self.store.document)

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel why there are no samples; keep the last ones."""
        if slot != self.id or failure.cancelled:
            return None
        self.remark.setText(failure.text)
        self.remark.show()
        return True

    def _frame(self, document: Document) -> None:
        text, chosen = document.latent.code, -1
        if self._result is not None:
            codes, truncated = self._result.arrays["codes"], bool(self._result.meta["parameters"]["truncation"])
            names = (write(code) if truncated else f"{SEED}{self._seed + row}" for row, code in enumerate(codes))
            chosen = next((row for row, name in enumerate(names) if name == text), -1)
        self.grid.choose(chosen)

    def _go(self, row: int) -> None:
        if self._result is None or row < 0:
            return
        seed, truncated = self._seed + row, bool(self._result.meta["parameters"]["truncation"])
        # A truncated code differs from its seed's code; pass the numbers, so that all panels use the code shown here.
        code = write(self._result.arrays["codes"][row]) if truncated else f"{SEED}{seed}"
        document = self.store.document.with_latent(code=code, at=-1)
        self.store.update(document, title=f"Seed {seed}", merge="seed")

    def _set(self, name: str, value: object, *, final: bool) -> None:
        document = self.store.document.with_value(INSPECTION, **{name: value})  # type: ignore[arg-type]
        self.store.update(document, title=f"Sample {name}", merge=f"sample {name}")
        if final:
            self.store.settle()

    def _own(self) -> None:
        self.store.update(self.store.document.with_own(INSPECTION), title="Own settings of the sample")


PANEL = SamplesPanel
