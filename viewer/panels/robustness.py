"""The Robustness panel: the smallest change of the picture that flips the answer, beside the picture and enlarged."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer import theme
from viewer.canvas.mosaic import coloured, tinted
from viewer.panels.base import GAP, Panel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.section import Section
from viewer.widgets.pictures.gallery import Gallery
from viewer.widgets.pictures.map_readout import plain_label

INSPECTION = "robustness"
NO_PICTURE = "Open a picture to see how small a change of it flips the model's answer."
WAITING = "The smallest change is being sought… Escape stops it."
STOPPED = "Stopped. F5 asks again."
CAUTION = (
    "Found by PGD, a search along the network's own gradients: a smaller change may exist. It tells how near the "
    "answer is to another one, not how the model does on other pictures."
)


class RobustnessPanel(Panel):
    """The picture, the changed one and their difference, what they say in words, and the settings of the search."""

    id: ClassVar[str] = INSPECTION

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.words = plain_label("What was found")
        self.gallery = Gallery(("Picture", "Changed", "Difference"))
        self.scale = plain_label("Scale of the difference")
        self.caution = plain_label("Caution")
        self.caution.setText(CAUTION)
        for label in (self.scale, self.caution):
            label.setProperty("small", True)
        self.settings = Section("Settings of the search")
        self.form: Form | None = None
        self._result: Result | None = None
        self._request: Request | None = None
        self._failed: tuple[Request | None, str] = None, ""
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for part in (self.words, self.gallery, self.scale, self.settings, self.caution):
            column.addWidget(part)
        column.addStretch(1)
        self.fill(inside, "Robustness")
        theme.changes().connect(self._show)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the search while the panel is in view."""
        if INSPECTION not in document.view.inside or description is None:
            return None
        return request_plan.ask(INSPECTION, document, description)

    def seen(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings, and whether the result belongs to them."""
        offer = description.offers.get(INSPECTION) if description else None
        if offer is not None and not offer.reason:
            if self.form is None:
                self.form = Form(offer.parameters)
                self.form.committed.connect(self._set)
                self.form.reset_requested.connect(self._own)
                self.settings.add(self.form)
            self.form.set_values({**offer.defaults, **request_plan.given(document, INSPECTION, description)})
        wanted = self.wants(document, description)
        if document.source is None:
            self.words.setText(NO_PICTURE)
        elif wanted is not None and self._failed[0] == wanted:
            self.words.setText(self._failed[1])
        elif wanted is not None and wanted != self._request:
            self.words.setText(WAITING)
        elif self._result is not None:
            self.words.setText(str(self._result.meta["text"]))
        self._wanted = wanted

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the change that was found."""
        if slot == self.id:
            self._request, self._result, self._failed = request, result, (None, "")
            self._show()

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel why there is none; keep the last one."""
        if slot != self.id:
            return None
        self._failed = self._wanted, STOPPED if failure.cancelled else failure.text
        self.words.setText(self._failed[1])
        return True

    def forget(self) -> None:
        """Drop the result of the previous picture."""
        self._request = self._result = None
        self.gallery.show_tiles([None, None, None])
        self.scale.setText("")

    _wanted: Request | None = None

    def _show(self) -> None:
        if self._result is None:
            return
        arrays = self._result.arrays
        end = max(float(np.abs(arrays["difference"]).max()), 1e-6)
        tiles = [tinted(arrays[name][None]) for name in ("picture", "changed")]
        self.gallery.show_tiles([*tiles, coloured(arrays["difference"][None], end)])
        self.scale.setText(f"Difference: grey is no change, black and white are ∓{end:.3g} of 255.")
        self.words.setText(str(self._result.meta["text"]))

    def _set(self, name: str, value: object) -> None:
        document = self.store.document.with_value(INSPECTION, **{name: value})  # type: ignore[arg-type]
        self.store.update(document, title=f"Robustness: {name}")

    def _own(self) -> None:
        self.store.update(self.store.document.with_own(INSPECTION), title="Own settings of the search")


PANEL = RobustnessPanel
