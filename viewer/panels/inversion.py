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
from viewer.engine_texts import shown
from viewer.panels.base import GAP, FormPanel
from viewer.presenters import latent_code
from viewer.presenters.heatmap import DIVERGING
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.pictures.gallery import Gallery

INSPECTION = "invert"
NO_PICTURE = tr("Open or drop a picture whose code is to be found.")
READY = tr("Find the code whose picture is nearest to {name}.")
FAR = 4.0
SEEKING = tr("Searching… Escape stops it.")


class InversionPanel(FormPanel):
    """The search for a code: the given picture, the picture found, and the distance between them."""

    id: ClassVar[str] = "inversion"
    settings_of: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the search")
    live: ClassVar[bool] = False

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.start = QPushButton(tr("Find the code"))
        self.go = QPushButton(tr("Go there"))
        self.go.setToolTip(tr("Make the code found that of the canvas"))
        self.gallery = Gallery((tr("Given"), tr("Found"), tr("Difference")))
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
        self.fill(inside, tr("Inversion"))
        self.start.clicked.connect(self._seek)
        self.go.clicked.connect(self._go_to_code)
        theme.changes().connect(self._show)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the code of the picture being inverted, as long as that picture is open."""
        if document.source is None or document.latent.sought != document.source:
            return None
        return request_plan.ask(INSPECTION, document, description)

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings, and whether there is a picture to invert."""
        super().refresh(document, description)
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
        sentences = [
            tr("Mean squared error {error:.4f}; length of the code {norm:.2f}.", error=meta["error"], norm=meta["norm"])
        ]
        if "control" in meta:
            near = (
                tr("the model comes no nearer")
                if meta["error"] > FAR * meta["control"]
                else tr("as near as the search gets")
            )
            sentences.append(
                tr(
                    "A picture of the model's own was found again to {control:.4f}: {near}.",
                    control=meta["control"],
                    near=near,
                )
            )
        sentences += [shown(meta["note"])] if meta["note"] else []
        self.words.setText("\n".join(sentences))

    def _seek(self) -> None:
        document = self.store.document
        self.store.update(document.with_latent(sought=document.source), title=tr("Find the code"))

    def _go_to_code(self) -> None:
        if self._result is not None:
            code = np.asarray(self._result.arrays["code"], np.float32)
            self.store.update(latent_code.at(self.store.document, code), title=tr("Go to the code found"))

    def _set(self, name: str, value: object) -> None:
        document = self.store.document.with_value(INSPECTION, **{name: value})  # type: ignore[arg-type]
        self.store.update(document.with_latent(sought=None), title=tr("Search: {name}", name=name))

    def _restore_own(self) -> None:
        document = self.store.document.with_own(INSPECTION).with_latent(sought=None)
        self.store.update(document, title=tr("Own settings of the search"))


PANEL = InversionPanel
