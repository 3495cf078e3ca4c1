"""The Class visualization panel: pictures made for a class, a channel or a unit, and what other models see in them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QPushButton

from models.inspection import Description
from models.requests import Request
from models.types import Result
from viewer.canvas.mosaic import Atlas, tinted
from viewer.panels.base import SearchPanel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.class_picker import ClassBox
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_grid import ChannelGrid
from viewer.widgets.pictures.channel_view import Tile

INSPECTION = "synthesise"
SIDE_PX = 168
LAYERED = ("channel", "unit")
INVITATION = tr(
    "What does the network take for a typical member of a class? Open a picture and click a box: a picture that makes "
    "its class as sure as possible is made out of noise."
)
HIGHEST, FIRST = tr("Highest scoring class"), tr("First class")
POINT = tr("Point at a picture to read its numbers.")


class SynthesisPanel(SearchPanel):
    """The pictures, the way to the first one, what they prove in words, and the settings."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the ascent")
    invites: ClassVar[str] = INVITATION
    waiting: ClassVar[str] = tr("The picture is being made… Escape stops it.")
    elsewhere: ClassVar[tuple[str, ...]] = ("target", "against", "part", "box", "region", "other")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.target = ClassBox(tr("Class that is made"), none=HIGHEST)
        self.target.picked.connect(self._choose)
        self.picture = Tile(tr("Picture that was made"), side_px=SIDE_PX)
        self.pictures = ChannelGrid(tr("Pictures that were made"))
        self.pictures.setMinimumHeight(84)
        self.pictures.describe = self._picture_line
        self.title = WrappedLabel(text=tr("From the start to the last step"))
        self.strip = ChannelGrid(tr("The way to the first picture"))
        self.strip.setMinimumHeight(84)
        self.strip.describe = self._step_line
        for grid in (self.pictures, self.strip):
            grid.hovered.connect(lambda place, grid=grid: self._tell(grid.describe(place[0]) if place else ""))
            grid.picked.connect(lambda row, grid=grid: self._pick(grid, row))
        self._atlases: dict[ChannelGrid, Atlas] = {}
        self.readout = WrappedLabel(tr("Numbers of the picture under the pointer"), small=True)
        self.second = QPushButton(tr("Choose a second model…"))
        self.second.setToolTip(tr("It is asked what it sees in the pictures"))
        self.second.setAutoDefault(False)
        self.second.clicked.connect(lambda: self.command_wanted.emit("beside-file"))
        parts = (self.target, self.picture, self.readout, self.pictures, self.title, self.strip, self.second)
        self.arrange((*parts, self.settings))

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the pictures while the panel is in view, of the channel chosen in Activations if one is wanted."""
        if INSPECTION not in document.view.inside or description is None:
            return None
        own, extra = document.values(INSPECTION), {"other": document.beside}
        if own.get("objective") in LAYERED:
            extra |= {"unit_layer": own.get("unit_layer") or document.layer}
            chosen = document.values("activations").get("chosen")
            extra |= {"channel": chosen} if chosen is not None and "channel" not in own else {}
        given = {name: value for name, value in extra.items() if value != ""}
        if document.source is None and "Classifies" in description.capabilities:
            given |= {"target": document.target} if document.target else {}
            return request_plan.about(INSPECTION, document, description, extra=given)  # type: ignore[arg-type]
        return request_plan.explain(INSPECTION, document, description, extra=given)  # type: ignore[arg-type]

    def refresh(self, document: Document, description: Description | None) -> None:
        """Offer the classes, and to choose a second model while there is none."""
        super().refresh(document, description)
        classifies = description is not None and "Classifies" in description.capabilities
        layered = document.values(INSPECTION).get("objective") in LAYERED
        self.target.setVisible(classifies and not layered)
        if description is not None and classifies:
            self.target.list(description.classes, none=FIRST if document.source is None else HIGHEST)
            self.target.follow(document.target)
        self.second.setVisible(not document.beside and self._answer is not None)

    def _choose(self, word: str) -> None:
        """Make another class, which then is the target of the other panels too."""
        self.store.update(self.store.document.explaining(target=word), title=tr("Choose a class"))

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the pictures."""
        if slot != self.id:
            return
        arrays = result.arrays
        for grid, name in ((self.pictures, "pictures"), (self.strip, "strip")):
            self._atlases[grid] = tinted(arrays[name])
            grid.show_tiles(self._atlases[grid], np.arange(len(arrays[name])))
        super().show_result(slot, request, result)
        self.second.setVisible(not self.store.document.beside)
        self._pick(self.pictures, 0)

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the pictures, disabled unless they answer the present request."""
        several = result is not None and len(result.arrays["pictures"]) > 1
        for part in (self.picture, self.pictures, self.title, self.strip, self.readout):
            part.setVisible(several if part is self.pictures else result is not None)
            part.setEnabled(fresh)
        if result is None:
            self.second.setVisible(False)

    def _picture_line(self, row: int) -> str:
        if self._answer is None:
            return ""
        meta, values = self._answer[1].meta, self._answer[1].arrays["objective"]
        if not 0 <= row < values.shape[1]:
            return ""
        told = [tr("Start {number}: value {value:.3g}", number=row + 1, value=values[-1, row])]
        if "own" in meta:
            told.append(tr("the network itself {own:.1%}", own=meta["own"][row]))
        if (other := meta.get("other")) and other["classes"][row]:
            seen = {"name": other["name"], "best": other["classes"][row], "chance": other["probabilities"][row]}
            told.append(tr("{name} sees {best} ({chance:.1%})", **seen))
        return ", ".join(told)

    def _step_line(self, row: int) -> str:
        if self._answer is None:
            return ""
        arrays = self._answer[1].arrays
        if not 0 <= row < len(arrays["strip_steps"]):
            return ""
        step = int(arrays["strip_steps"][row])
        return tr("After {step} steps: value {value:.3g}", step=step, value=arrays["objective"][step, 0])

    def _pick(self, grid: ChannelGrid, row: int) -> None:
        """Enlarge a picture and say its numbers; none at -1."""
        if row >= 0 and grid in self._atlases:
            self.picture.show_tile(self._atlases[grid], row)
            self._tell(grid.describe(row))

    def _tell(self, text: str) -> None:
        self.readout.setText(text or POINT)


PANEL = SynthesisPanel
