"""The Robustness panel: the smallest change of the picture that flips the answer, beside the picture and enlarged."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer import theme
from viewer.canvas.mosaic import coloured, tinted
from viewer.engine_texts import shown
from viewer.panels.base import SearchPanel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.gallery import Gallery

INSPECTION = "robustness"
NO_PICTURE = tr("Open a picture to see how small a change of it flips the model's answer.")
CAUTION = tr(
    "Found by PGD, a search along the network's own gradients: a smaller change may exist. It shows how near the "
    "answer is to another one, not how well the model does on other pictures."
)


class RobustnessPanel(SearchPanel):
    """The picture, the changed one and their difference, what they say in words, and the settings of the search."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the search")
    waiting: ClassVar[str] = tr("Searching for the smallest change… Escape stops it.")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.gallery = Gallery((tr("Picture"), tr("Changed"), tr("Difference")))
        self.scale = WrappedLabel(tr("Scale of the difference"))
        self.caution = WrappedLabel(tr("Caution"))
        self.caution.setText(CAUTION)
        for label in (self.scale, self.caution):
            label.setProperty("small", True)
        self.arrange((self.gallery, self.scale, self.settings, self.caution))
        theme.changes().connect(self._paint)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the search while the panel is in view."""
        return request_plan.in_view(request_plan.ask, INSPECTION, document, description)

    def invitation(self) -> str:
        """Return what a picture is needed for; where there is one, what was found last."""
        if self.store.document.source is None:
            return NO_PICTURE
        return shown(str(self._answer[1].meta["text"])) if self._answer is not None else ""

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the change that was found."""
        super().show_result(slot, request, result)
        if slot == self.id:
            self._paint()

    def forget(self) -> None:
        """Drop the change of the previous picture."""
        super().forget()
        self._paint()

    def _paint(self) -> None:
        if self._answer is None:
            self.gallery.show_tiles([None, None, None])
            self.scale.setText("")
            return
        arrays = self._answer[1].arrays
        end = max(float(np.abs(arrays["difference"]).max()), 1e-6)
        tiles = [tinted(arrays[name][None]) for name in ("picture", "changed")]
        self.gallery.show_tiles([*tiles, coloured(arrays["difference"][None], end)])
        self.scale.setText(tr("Difference: grey is no change, black and white are ∓{end:.3g} of 255.", end=end))


PANEL = RobustnessPanel
