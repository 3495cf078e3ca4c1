"""What panels of one long search share: its settings, what was found in words, and which request that belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from PySide6.QtWidgets import QVBoxLayout, QWidget

from models.inspection import Description
from models.requests import Request
from models.types import Failure, Result
from viewer.panels.base import GAP, Panel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wanted
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.section import Section
from viewer.widgets.pictures.map_readout import plain_label

STOPPED = "Stopped. F5 asks again."


class SearchPanel(Panel):
    """A panel of one inspection that is requested while the panel is in view; its `id` is the inspection's.

    `settings_title` is that of the folded settings, `waiting` is said while it runs. `folders` are the parameters that
    have a row of their own, and `elsewhere` those set in other places; neither is in the form.
    """

    settings_title: ClassVar[str]
    waiting: ClassVar[str]
    folders: ClassVar[tuple[str, ...]] = ()
    elsewhere: ClassVar[tuple[str, ...]] = ()

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.words = plain_label("What was found")
        self.settings = Section(self.settings_title)
        self.rows: dict[str, FolderRow] = {}
        self.form: Form | None = None
        self._wanted: Wanted = None
        self._answer: tuple[Request, Result] | None = None
        self._failed: tuple[Wanted, str] = None, ""

    def arrange(self, parts: Sequence[QWidget], *, command: str = "") -> None:
        """Lay out the panel, and let its folder rows ask for the commands named `command` and their folder."""
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(GAP, GAP, GAP, GAP)
        column.setSpacing(GAP)
        for part in (*self.rows.values(), self.words, *parts):
            column.addWidget(part)
        column.addStretch(1)
        self.fill(inside, self.entry.title)
        for name, row in self.rows.items():
            row.wanted.connect(lambda name=name: self.command_wanted.emit(f"{command}-{name}"))
            row.cleared.connect(lambda name=name: self._set(name, None))

    def invitation(self) -> str:
        """Return what is said when nothing is requested."""
        raise NotImplementedError

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show beside the words what was found, None for nothing; it is `fresh` if it answers the present request."""

    def seen(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the folders and settings, and whether what was found belongs to them."""
        for name, row in self.rows.items():
            row.show_path(str(document.values(self.id).get(name, "")))
        offer = description.offers.get(self.id) if description else None
        if offer is not None and not offer.reason:
            if self.form is None:
                without = (*self.folders, *self.elsewhere)
                self.form = Form([p for p in offer.parameters if p.name not in without])
                self.form.committed.connect(self._set)
                self.form.reset_requested.connect(self._own)
                self.settings.add(self.form)
            self.form.set_values({**offer.defaults, **request_plan.given(document, self.id, description)})
        self._wanted = self.wants(document, description)
        self._show()

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show what was found."""
        if slot == self.id:
            self._answer, self._failed = (request, result), (None, "")
            self._show()

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel why there is none; keep the last one."""
        if slot != self.id:
            return None
        self._failed = self._wanted, STOPPED if failure.cancelled else failure.text
        self._show()
        return True

    def forget(self) -> None:
        """Drop what was found for the previous picture."""
        self._answer = None
        self._show()

    def _show(self) -> None:
        answer = self._answer
        fresh = answer is not None and answer[0] == self._wanted
        self.show_answer(answer[1] if answer is not None else None, fresh)
        if self._wanted is None:
            self.words.setText(self.invitation())
        elif self._failed[0] == self._wanted:
            self.words.setText(self._failed[1])
        else:
            self.words.setText(str(answer[1].meta["text"]) if fresh and answer is not None else self.waiting)

    def _set(self, name: str, value: object) -> None:
        document = self.store.document.with_value(self.id, **{name: value})  # type: ignore[arg-type]
        self.store.update(document, title=f"{self.entry.title}: {name}")

    def _own(self) -> None:
        kept = {name: self.store.document.values(self.id).get(name) for name in self.folders}
        document = self.store.document.with_own(self.id).with_value(self.id, **kept)
        self.store.update(document, title=f"Own {self.settings_title[0].lower()}{self.settings_title[1:]}")
