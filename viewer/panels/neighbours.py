"""The Neighbours panel: the pictures of a data set that a layer takes for most like the open one, and its flaws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QComboBox, QPushButton

from models.inspection import Description
from models.params import Value
from models.requests import Request
from models.types import Failure, Result, Source
from viewer.canvas.mosaic import tinted
from viewer.engine_texts import shown
from viewer.panels.base import STOPPED, SearchPanel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wanted
from viewer.translation import tr
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_grid import ChannelGrid
from viewer.widgets.tables import flaw_list
from viewer.widgets.tables.flaw_list import FlawList

INSPECTION, FLAWS = "neighbours", "flaws"
SLOT = f"{INSPECTION}.{FLAWS}"
LISTED = "list"  # which list of flaws is shown, "" for the neighbours, among the settings of the inspection
INVITATION = tr(
    "Which pictures does this layer take for most alike? Choose a folder of pictures, such as the training data; "
    "subfolders may be classes."
)
FLAW_INVITATION = tr(
    "Which labels disagree with the pictures most like theirs, which pictures are nearly copies, which lie far from "
    "the others? Choose a folder of pictures; for labels, one with a subfolder for each class."
)
NO_PICTURE = tr("Open a picture first: its neighbours are sought.")
POINT = tr("Point at a picture to read its name and distance; a double click opens it.")


class NeighboursPanel(SearchPanel):
    """The data set, the finding in words, and the nearest pictures in order, or a list of the set's flaws."""

    id: ClassVar[str] = INSPECTION
    settings_title: ClassVar[str] = tr("Settings of the comparison")
    waiting: ClassVar[str] = tr("Looking at the pictures of the data set… Escape stops it.")
    folders: ClassVar[tuple[str, ...]] = ("folder",)
    elsewhere: ClassVar[tuple[str, ...]] = ("layer", "box", "region")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.rows = {
            "folder": FolderRow(
                tr("Pictures"),
                empty=tr("None chosen"),
                help_text=tr("The folder whose pictures are compared; by itself the open data set"),
                clears=True,
            )
        }
        self.kind = QComboBox()
        self.kind.setAccessibleName(tr("What is listed of the data set"))
        for value, title in {"": tr("Nearest to this picture"), **flaw_list.TITLES}.items():
            self.kind.addItem(title, value)
        self.kind.activated.connect(self._list)
        self.flaws = FlawList()
        self.flaws.opened.connect(self.open_wanted)
        self._flawed: tuple[Request, Result] | None = None
        self._flaws_wanted: Request | None = None
        self._flaws_failed: tuple[Request | None, str] = (None, "")
        self.grid = ChannelGrid(tr("Nearest pictures"))
        self.grid.setMinimumHeight(120)
        self.grid.describe = self._line
        self.grid.path_of = self._path
        self.grid.hovered.connect(self._point)
        self.grid.picked.connect(lambda row: self._point((row, 0.0, 0.0)))
        self.grid.opened.connect(self._open)
        self.open_button = QPushButton(tr("Open this picture"))
        self.open_button.clicked.connect(self._open)
        self.readout = WrappedLabel(tr("Picture under the pointer"), small=True)
        self.notes = WrappedLabel(tr("What to know about it"))
        self.notes.setProperty("small", True)
        parts = (self.kind, self.grid, self.flaws, self.readout, self.open_button, self.notes, self.settings)
        self.arrange(parts, command=INSPECTION)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Wanted:
        """Request the neighbours, or the flaws, while the panel is in view and a data set is chosen."""
        folder = folder_of(document)
        if INSPECTION not in document.view.inside or not folder or description is None:
            return {}
        if document.values(FLAWS).get(LISTED):
            shared = request_plan.given(document, INSPECTION, description)
            extra: dict[str, Value] = {name: shared[name] for name in ("metric",) if name in shared}
            extra |= {"layer": document.layer} if document.layer else {}
            asked = request_plan.ask(FLAWS, document, description, extra=extra, source=Source.file(folder))
            return {SLOT: asked} if asked is not None else {}
        asked = request_plan.explain(INSPECTION, document, description, extra={"folder": folder})
        return {INSPECTION: asked} if asked is not None else {}

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the data set and settings, and whether the pictures belong to them."""
        wanted = self.wants(document, description)
        self._flaws_wanted = wanted.get(SLOT) if isinstance(wanted, Mapping) else None
        super().refresh(document, description)
        self.rows["folder"].show_path(folder_of(document))
        self.kind.setCurrentIndex(max(0, self.kind.findData(self._listed)))

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the pictures, or the flaws found so far."""
        if slot == SLOT:
            self._flawed, self._flaws_failed = (request, result), (None, "")
            self._show()
        if slot != self.id:
            return
        pictures = result.arrays["pictures"]
        if len(pictures):
            self.grid.show_tiles(tinted(pictures), np.arange(len(pictures)))
        self.readout.setText(POINT)
        super().show_result(slot, request, result)

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel why there are no neighbours, or no list of flaws."""
        if slot != SLOT:
            return super().show_failure(slot, failure)
        self._flaws_failed = self._flaws_wanted, STOPPED if failure.cancelled else failure.text
        self._show()
        return True

    @property
    def _listed(self) -> str:
        """Which list of flaws is chosen, "" for the neighbours."""
        return str(self.store.document.values(FLAWS).get(LISTED, ""))

    def _show(self) -> None:
        kind, wanted, found = self._listed, self._flaws_wanted, self._flawed
        super()._show()
        fresh = found is not None and found[0] == wanted
        self.flaws.setVisible(bool(kind) and fresh)
        if not kind:
            return
        for part in (self.grid, self.readout, self.open_button, self.notes):
            part.hide()
        if wanted is None:
            self.words.setText(FLAW_INVITATION)
        elif self._flaws_failed[0] == wanted:
            self.words.setText(self._flaws_failed[1])
        elif found is None or not fresh:
            self.words.setText(self.waiting)
        else:
            rows = found[1].meta[kind]
            self.flaws.show_rows(kind, rows)
            self.flaws.setVisible(bool(rows))
            said = [shown(str(found[1].meta["text"]))]
            if found[1].meta["partial"]:
                said.append(tr("The others are still being looked at; Escape stops it."))
            elif not rows:
                said.append(flaw_list.NOTHING[kind])
            self.words.setText(" ".join(said))

    def _list(self, row: int) -> None:
        document = self.store.document.with_value(FLAWS, **{LISTED: self.kind.itemData(row)})
        self.store.update(document, title=self.kind.itemText(row))

    def invitation(self) -> str:
        """Return what to choose."""
        return INVITATION if self.store.document.source is not None else f"{INVITATION} {NO_PICTURE}"

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show the pictures, disabled unless they answer the present request."""
        any_found = result is not None and len(result.arrays["pictures"]) > 0
        for part in (self.grid, self.readout, self.open_button):
            part.setVisible(any_found)
        self.grid.setEnabled(fresh)
        notes = [shown(str(note)) for note in result.meta["notes"]] if result is not None else []
        self.notes.setVisible(bool(notes))
        self.notes.setText("\n".join(notes))

    def _path(self, row: int) -> str:
        found = self._answer[1].meta["neighbours"] if self._answer is not None else []
        return str(found[row]["path"]) if row < len(found) else ""

    def _line(self, row: int) -> str:
        if self._answer is None or not 0 <= row < len(self._answer[1].meta["neighbours"]):
            return ""
        found = self._answer[1].meta["neighbours"][row]
        name = found["path"].replace("\\", "/").rpartition("/")[2]
        parts = [
            tr("{rank}. {name}: distance {distance:.4g}", rank=found["rank"], name=name, distance=found["distance"])
        ]
        if found["ratio"] is not None:
            parts.append(tr("{ratio:.2f} times the typical one", ratio=found["ratio"]))
        if found["label"]:
            parts.append(tr("label {label}", label=found["label"]))
        if found["prediction"]:
            parts.append(tr("taken for {prediction}", prediction=found["prediction"]))
        usual = self._answer[1].meta["hub_typical"]
        if usual and found["neighbour_of"] > 4 * usual:
            parts.append(tr("a hub: near to {count:,} others", count=found["neighbour_of"]))
        return ", ".join(parts)

    def _point(self, place: tuple[int, float, float] | None) -> None:
        self.readout.setText((self._line(place[0]) if place is not None else "") or POINT)

    def _open(self) -> None:
        row = max(self.grid.chosen, 0)
        if self._answer is not None and row < len(self._answer[1].meta["neighbours"]):
            self.open_wanted.emit(self._answer[1].meta["neighbours"][row]["path"])


def folder_of(document: Document) -> str:
    """Return the data set that the picture is compared with: the one chosen here, else the open one, "" for none."""
    own = str(document.values(INSPECTION).get("folder", ""))
    return own or (document.data_set.path if document.data_set is not None else "")


PANEL = NeighboursPanel
