"""The Directions panel: latent directions of the strongest change, or towards an attribute, each with a slider."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from models.inspection import Description
from models.latent import space as spaces
from models.latent.space import Space
from models.requests import Request
from models.types import Failure, Float, Refusal, Result
from viewer.panels.base import GAP, Panel
from viewer.presenters import latent_code, latent_directions
from viewer.presenters.latent_directions import Direction
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wants
from viewer.translation import tr, trn
from viewer.widgets.controls.section import Section
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.pictures.channel_view import choice, fill_choice, set_choice
from viewer.widgets.pictures.direction_strip import Along

INSPECTION, ATTRIBUTE = "directions", "attribute"
SETS = ("with", "without")
SAID = {"with": tr("with"), "without": tr("without")}
FOLDERS = {
    "with": tr("A folder of pictures with what the direction leads to"),
    "without": tr("A folder of pictures without what the direction leads to"),
}
ADDED = {"with": tr("Add a code with it"), "without": tr("Add a code without it")}
CLEARED = {"with": tr("Clear the codes with it"), "without": tr("Clear the codes without it")}
LOCAL = "jacobian"


class DirectionsPanel(Panel):
    """The directions found, those kept under a name, and the one from one set of codes or pictures to another."""

    id: ClassVar[str] = INSPECTION

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.method = choice(tr("Directions of"), (), help=tr("What the directions are found by"))
        self.here = QPushButton(tr("Find here"))
        self.here.setToolTip(tr("Find the directions that change the picture most at the current code"))
        self.words = WrappedLabel(tr("What the numbers of the directions are"), small=True)
        self.sets = Section(tr("From two sets"))
        self.name = QLineEdit()
        self.name.setAccessibleName(tr("Name of the next direction kept"))
        self.name.setPlaceholderText(tr("Name for the next one kept"))
        self.make = QPushButton(tr("Keep the difference"))
        self.make.setToolTip(tr("The way from the mean of the codes without to that of those with"))
        self.adds = {each: QPushButton(tr("Add code")) for each in SETS}
        self.clears = {each: QPushButton(tr("Clear")) for each in SETS}
        self.folders = {each: QPushButton(tr("Pictures…")) for each in SETS}
        self.counts = {each: QLabel() for each in SETS}
        self.rows: list[Along] = []
        self._shown: tuple[object, ...] = ()
        self._space: Space | None = None
        self._found: Result | None = None
        self._attribute: Result | None = None
        self._model = ""
        self._arrange()
        self.method.activated.connect(self._method)
        self.here.clicked.connect(self._search_here)
        self.make.clicked.connect(self._between)
        for each in SETS:
            self.adds[each].clicked.connect(partial(self._add, each))
            self.clears[each].clicked.connect(partial(self._clear, each))
            self.folders[each].clicked.connect(partial(self.command_wanted.emit, f"latent-{each}"))

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the directions at the code they were asked for, while the panel is in view."""
        return request_plan.in_view(
            request_plan.about, INSPECTION, document, description, extra={"code": document.latent.around}
        )

    @staticmethod
    def wants_attribute(document: Document, description: Description | None) -> Request | None:
        """Request the direction from one folder of pictures to the other, once both are chosen."""
        folders = document.latent.folders
        if INSPECTION not in document.view.inside or description is None or not all(folders):
            return None
        extra = {"with_folder": folders[0], "without_folder": folders[1]}
        return request_plan.about(ATTRIBUTE, document, description, extra=extra)

    @classmethod
    def slots(cls) -> list[tuple[str, Wants]]:
        """Return the slots of both kinds of directions."""
        return [(cls.id, cls.wants), (ATTRIBUTE, cls.wants_attribute)]

    def view_changed(self, in_view: bool) -> None:
        """Request directions while the panel is in view; at first, at the current code."""
        document = self.store.document
        if in_view and not self._found and document.latent.around == "seed:0":
            document = document.with_latent(around=document.latent.code)
        self.store.update(document.with_inside(self.id, in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the current code's position along each direction, and the contents of the two sets."""
        space, offer = latent_code.space_of(description), description.offers.get(INSPECTION) if description else None
        if description is None or space is None or offer is None:
            return
        self._space = space
        if document.model != self._model:
            self._model, self._found, self._attribute = document.model, None, None
        if offer.reason:
            self.words.setText(offer.reason)
        method = next(p for p in offer.parameters if p.name == "method")
        fill_choice(self.method, list(zip(method.titles, method.choices, strict=True)))
        chosen = request_plan.given(document, INSPECTION, description).get("method", method.default)
        set_choice(self.method, chosen)
        moved = document.latent.around != document.latent.code
        self.here.setEnabled(chosen == LOCAL and moved)
        for row, each in enumerate(SETS):
            codes, folder = len(document.latent.codes(each)), document.latent.folders[row]
            made_from = trn("{n} code", "{n} codes", codes) + (f", {Path(folder).name}" if folder else "")
            self.counts[each].setText(f"{SAID[each].capitalize()}: {made_from}")
            self.clears[each].setEnabled(bool(codes or folder))
            reason = request_plan.reason(ATTRIBUTE, description)
            self.folders[each].setEnabled(not reason)
            self.folders[each].setToolTip(reason or FOLDERS[each])
        self.make.setEnabled(all(document.latent.codes(each) for each in SETS))
        self._show(document)

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show the directions found."""
        if slot == ATTRIBUTE:
            self._attribute = result
        elif slot == self.id:
            self._found = result
        else:
            return
        self._update_text()
        self._show(self.store.document)

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel why nothing was found; keep the last result."""
        if slot not in (self.id, ATTRIBUTE) or failure.cancelled:
            return None
        self.words.setText(failure.text)
        return True

    def _arrange(self) -> None:
        inside = QWidget()
        column, top, grid = QVBoxLayout(inside), QHBoxLayout(), QGridLayout()
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        for each in (column, top, grid):
            each.setSpacing(GAP)
        top.addWidget(self.method, 1)
        top.addWidget(self.here)
        for row, each in enumerate(SETS):
            grid.addWidget(self.counts[each], 2 * row, 0, 1, 3)
            for at, button in enumerate((self.adds[each], self.folders[each], self.clears[each])):
                button.setAccessibleName(f"{button.text()} ({SAID[each]})")
                grid.addWidget(button, 2 * row + 1, at)
        self._list = QVBoxLayout()
        self._list.setSpacing(GAP)
        column.addLayout(top)
        column.addWidget(self.words)
        column.addLayout(self._list)
        column.addWidget(self.name)
        column.addWidget(self.sets)
        column.addStretch(1)
        holder = QWidget()
        grid.setContentsMargins(0, 0, 0, 0)
        holder.setLayout(grid)
        self.sets.add(holder)
        self.sets.add(self.make)
        self.fill(inside, tr("Directions"))

    def _update_text(self) -> None:
        lines = []
        if self._found is not None:
            text = str(self._found.meta["strength_text"])
            lines.append(f"{text[0].upper()}{text[1:]}.")
        if self._attribute is not None:
            meta = self._attribute.meta
            lines.append(
                tr(
                    "With − without: area under the curve {auc:.2f} on {held_out} pictures put aside.",
                    auc=meta["auc"],
                    held_out=meta["held_out"],
                )
            )
        self.words.setText("\n".join(lines))

    def _listed(self, document: Document) -> list[Direction]:
        """Return the directions to list: those found, the one between folders, those kept."""
        listed: list[Direction] = []
        space = self._space
        if self._found is not None and space is not None and len(self._found.arrays["code"]) == space.size:
            arrays = self._found.arrays
            for row, (vector, strip) in enumerate(zip(arrays["vectors"], arrays["strips"], strict=True)):
                name = f"{row + 1} · {arrays['strength'][row]:.3g}"
                more = {"strip": strip, "offsets": arrays["offsets"], "code": arrays["code"]}
                listed.append(Direction(name, vector, **more))
        if self._attribute is not None and space is not None and len(self._attribute.arrays["vector"]) == space.size:
            arrays = self._attribute.arrays
            length = np.float32(max(float(np.linalg.norm(arrays["vector"])), 1e-30))
            more = {"strip": arrays["strip"], "offsets": arrays["offsets"] * length, "code": arrays["code"]}
            listed.append(Direction(tr("With − without"), np.asarray(arrays["vector"] / length, np.float32), **more))
        for name, text in document.latent.kept:
            vector = self._parsed(text)
            if vector is not None:
                listed.append(Direction(name, vector, kept=True))
        return listed

    def _show(self, document: Document) -> None:
        """Update the rows; rebuild them only if the directions changed."""
        shown = (id(self._found), id(self._attribute), document.latent.kept, self._space)
        if shown != self._shown:
            self._shown = shown
            self._rebuild(self._listed(document))
        code = latent_code.code_of(document, self._space) if self._space is not None else None
        if code is None:
            return
        for row in self.rows:
            one = row.direction
            found = latent_directions.along(one.code, one.vector) if one.code is not None else None
            row.show_at(latent_directions.along(code, one.vector), found)

    def _rebuild(self, listed: list[Direction]) -> None:
        for row in self.rows:
            self._list.removeWidget(row)
            row.deleteLater()
        self.rows = []
        for at, one in enumerate(listed):
            row = Along(dataclasses.replace(one, help=latent_directions.likeness(at, listed)))
            row.moved.connect(partial(self._move, one))
            row.picked.connect(partial(self._pick, one))
            row.button.connect(partial(self._keep, one))
            self._list.addWidget(row)
            self.rows.append(row)

    def _parsed(self, text: str) -> Float | None:
        try:
            return self._space.parse(text)[0] if self._space is not None else None
        except Refusal:
            return None

    def _move(self, one: Direction, value: float, final: bool) -> None:
        document, space = self.store.document, self._space
        code = latent_code.code_of(document, space) if space is not None else None
        if code is not None and space is not None:
            there = latent_directions.moved(code, one.vector, value - latent_directions.along(code, one.vector), space)
            self.store.update(
                latent_code.at(document, there), title=tr("Along {one}", one=one.name), merge=f"along {one.name}"
            )
        if final:
            self.store.settle()

    def _pick(self, one: Direction, row: int) -> None:
        if one.code is not None and one.offsets is not None and self._space is not None:
            there = latent_directions.moved(one.code, one.vector, float(one.offsets[row]), self._space)
            self.store.update(latent_code.at(self.store.document, there), title=tr("Along {one}", one=one.name))

    def _keep(self, one: Direction) -> None:
        """Keep a direction under a name, or remove it if it is kept already."""
        document = self.store.document
        if one.kept:
            left = tuple(each for each in document.latent.kept if each[0] != one.name)
            self.store.update(document.with_latent(kept=left), title=tr("Remove {one}", one=one.name))
        else:
            self._put(one.vector, self.name.text() or tr("Direction"))

    def _put(self, vector: Float, wanted: str) -> None:
        document = self.store.document
        name = latent_directions.free_name(wanted, document.latent.kept)
        kept = (*document.latent.kept, (name, spaces.write(vector)))
        self.name.clear()
        self.store.update(document.with_latent(kept=kept), title=tr("Keep {name}", name=name))

    def _method(self) -> None:
        chosen = str(self.method.currentData())
        document = self.store.document.with_value(INSPECTION, method=None if chosen == LOCAL else chosen)
        self.store.update(
            document, title=tr("Directions of {currenttext}", currenttext=self.method.currentText().lower())
        )

    def _search_here(self) -> None:
        document = self.store.document
        self.store.update(document.with_latent(around=document.latent.code), title=tr("Find directions here"))

    def _add(self, each: str) -> None:
        now = self.store.document.latent
        codes = (*now.codes(each), now.code)
        self.store.update(self.store.document.with_latent(aside=now.put(each, *codes)), title=ADDED[each])

    def _clear(self, each: str) -> None:
        now = self.store.document.latent
        folders = tuple("" if name == each else old for name, old in zip(SETS, now.folders, strict=True))
        self._attribute = None
        self.store.update(self.store.document.with_latent(aside=now.put(each), folders=folders), title=CLEARED[each])

    def _between(self) -> None:
        """Keep the direction between the means of the two sets of codes."""
        now, space = self.store.document.latent, self._space
        if space is None:
            return
        try:
            ones, others = (np.concatenate([space.parse(code) for code in now.codes(each)]) for each in SETS)
            vector = latent_directions.between(ones, others, space)
        except Refusal as refusal:
            self.words.setText(f"{refusal} {refusal.advice}")
            return
        self._put(vector, self.name.text() or tr("With − without"))


PANEL = DirectionsPanel
