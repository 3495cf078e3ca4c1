"""The Inversion panel: an optimisation in the background for the latent code of a picture, beside a control."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer import theme
from viewer.canvas.mosaic import signed, tinted
from viewer.panels.base import GAP, Panel
from viewer.presenters import latent_code
from viewer.presenters.heatmap import DIVERGING
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.section import Section
from viewer.widgets.pictures.gallery import Gallery
from viewer.widgets.pictures.map_readout import plain_label

INSPECTION = "invert"
NO_PICTURE = "Open or drop a picture whose code is to be found."
READY = "Find the code whose picture is nearest to {name}."
FAR = 4.0
SEEKING = "Seeking… Escape stops it."


class InversionPanel(Panel):
    """The search for a code: the given picture, the picture found, and the distance between them."""

    id: ClassVar[str] = "inversion"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.start = QPushButton("Find the code")
        self.go = QPushButton("Go there")
        self.go.setToolTip("Make the code found that of the canvas")
        self.gallery = Gallery(("Given", "Found", "Difference"))
        self.words = plain_label("What was found")
        self.settings = Section("Settings of the search")
        self.form: Form | None = None
        self._result: Result | None = None
        inside = QWidget()
        line = QHBoxLayout()
        line.setSpacing(GAP)
        line.addWidget(self.start, 1)
        line.addWidget(self.go)
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        column.addLayout(line)
        for part in (self.gallery, self.words, self.settings):
            column.addWidget(part)
        column.addStretch(1)
        self.fill(inside, "Inversion")
        self.start.clicked.connect(self._seek)
        self.go.clicked.connect(self._go)
        theme.changes().connect(self._show)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the code of the picture being inverted, as long as that picture is open."""
        if document.source is None or document.latent.sought != document.source:
            return None
        return request_plan.ask(INSPECTION, document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings, and whether there is a picture to invert."""
        offer = description.offers.get(INSPECTION) if description else None
        if offer is not None and not offer.reason:
            if self.form is None:
                self.form = Form(offer.parameters)
                self.form.committed.connect(self._set)
                self.form.reset_requested.connect(self._own)
                self.settings.add(self.form)
            self.form.set_values({**offer.defaults, **request_plan.given(document, INSPECTION, description)})
        source = document.source
        sought = source is not None and document.latent.sought == source
        self.start.setEnabled(source is not None and not sought)
        self.go.setEnabled(self._result is not None)
        if self._result is None:
            ready = READY.format(name=source.name) if source else NO_PICTURE
            self.words.setText(SEEKING if sought else ready)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the result."""
        if slot == self.id:
            self._result = result
            self._show()
            self.go.setEnabled(True)

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel that the search failed, and allow another try."""
        if slot != self.id:
            return None
        self.store.update(self.store.document.with_latent(sought=None))
        self.words.setText("Stopped." if failure.cancelled else failure.text)
        return True

    def forget(self) -> None:
        """Drop the result of the previous picture."""
        self._result = None
        self.gallery.show_tiles([None, None, None])
        self.refresh(self.store.document, None)

    def _show(self) -> None:
        if self._result is None:
            return
        arrays, meta = self._result.arrays, self._result.meta
        difference = signed(arrays["residual"][None], 1.0, theme.heat_lut(DIVERGING))
        self.gallery.show_tiles([tinted(arrays["target"][None]), tinted(arrays["picture"][None]), difference])
        told = [f"Mean squared error {meta['error']:.4f}; length of the code {meta['norm']:.2f}."]
        if "control" in meta:
            near = (
                "the model comes no nearer" if meta["error"] > FAR * meta["control"] else "as near as the search gets"
            )
            told.append(f"A picture of the model's own was found again to {meta['control']:.4f}: {near}.")
        told += [meta["note"]] if meta["note"] else []
        self.words.setText("\n".join(told))

    def _seek(self) -> None:
        document = self.store.document
        self.store.update(document.with_latent(sought=document.source), title="Find the code")

    def _go(self) -> None:
        if self._result is not None:
            code = np.asarray(self._result.arrays["code"], np.float32)
            self.store.update(latent_code.at(self.store.document, code), title="Go to the code found")

    def _set(self, name: str, value: object) -> None:
        document = self.store.document.with_value(INSPECTION, **{name: value})  # type: ignore[arg-type]
        self.store.update(document.with_latent(sought=None), title=f"Search: {name}")

    def _own(self) -> None:
        document = self.store.document.with_own(INSPECTION).with_latent(sought=None)
        self.store.update(document, title="Own settings of the search")


PANEL = InversionPanel
