"""The base class of all panels.

A panel is one dock. It says which requests it wants answered for the current document, shows their results, and returns
layers to paint over the picture. A new panel is a module in this folder with an entry in viewer/panels/registry.py,
such as PanelEntry("brightness", "Brightness", "info", "brightness.BrightnessPanel"), with its help in
viewer/help/panel_help.py and a drawing in assets/help. A minimal one:

    class BrightnessPanel(Panel):
        # Shows the mean brightness of the picture, computed by an inspection called "brightness".
        id: ClassVar[str] = "brightness"

        def __init__(self, store: Store) -> None:
            super().__init__(store)
            self.text = QLabel()
            QVBoxLayout(self).addWidget(self.text)

        @staticmethod
        def wants(document: Document, description: Description | None) -> Request | None:
            return request_plan.ask("brightness", document, description)

        def show_result(self, slot: str, request: Request, result: Result) -> None:
            if slot == self.id:
                self.text.setText(f"{result.arrays['mean'][0]:.3f}")

        def forget(self) -> None:
            self.text.clear()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.truth.types import Truth
from models.types import Failure, Pixels, Result, Source
from viewer.canvas.layers import Layer
from viewer.context_menu.subject import Subject, find
from viewer.engine_texts import shown
from viewer.panels.registry import ENTRIES, PanelEntry
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wanted, Wants
from viewer.translation import tr
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.section import Section
from viewer.widgets.controls.tab_order import put_in_reading_order
from viewer.widgets.controls.wrapped_label import WrappedLabel

GAP = 8
STOPPED = tr("Stopped. F5 asks again.")
NOT_SHOWN = ("workers",)  # parameters of the command line, which the machine decides on here
WIDEST_PX = 304  # the width of the docks at the right
HIGHEST_PX = 200  # two of them fit above each other in a window of 640 px
Levels = tuple[Pixels, ...]


class Panel(QWidget):
    """The content of one dock. Subclasses set `id`, that of their entry, and override the methods they need.

    A panel changes the document through `store`. It emits `layers_changed` when `layers` would return something else,
    `command_wanted` with the id of a command to run, `pixels_wanted` with a Source whose pixels `show_pixels` is to
    get, `open_wanted` with the path of a picture to open, `picture_shown` with pixels (H, W, 3) to show on the canvas
    instead of the last generated picture, or None, and `menu_wanted` with what the right button was pressed on (a
    viewer.context_menu.subject.Subject) and the place on screen, for viewer/window/context_menus.py.

    Panels with a lower `rank` paint first, below the others. What is known of a panel before it is imported (title,
    place, capabilities it needs) is in its entry in viewer/panels/registry.py.
    """

    id: ClassVar[str] = ""
    rank: ClassVar[int] = 0

    layers_changed = Signal()
    command_wanted = Signal(str)
    pixels_wanted = Signal(object)
    open_wanted = Signal(str)
    picture_shown = Signal(object)
    menu_wanted = Signal(object, QPoint)

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.setAccessibleName(self.entry.title)

    @property
    def entry(self) -> PanelEntry:
        """What the registry says of the panel."""
        return ENTRIES[self.id]

    def needed_width(self) -> int:
        """Return the width in pixels that the content needs in order not to be cut off."""
        return super().minimumSizeHint().width()

    def minimumSizeHint(self) -> QSize:
        """Ask for no more room than a dock has in a small window: a panel never widens its dock, nor the window."""
        return super().minimumSizeHint().boundedTo(QSize(WIDEST_PX, HIGHEST_PX))

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Go on to the control that is read next, also where controls were added after the panel was made."""
        put_in_reading_order(self)
        return super().focusNextPrevChild(forward)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu of what is under the pointer, or chosen where the focus is, else of the panel itself."""
        found = find(self, event) or Subject(name=self.entry.title, picture=self.grab().toImage())
        self.menu_wanted.emit(found, event.globalPos())

    def fill(self, inside: QWidget, name: str) -> QScrollArea:
        """Make `inside` the panel's content, in a vertically scrolling area called `name`."""
        scroll = QScrollArea()
        scroll.setAccessibleName(name)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        return scroll

    @staticmethod
    def wants(document: Document, description: Description | None) -> Wanted:
        """Return the request for the slot named like the panel's id, or a mapping of slots to requests, or None.

        It is called, whether the panel is open or not, while `asks` of its entry holds for the document; a panel that
        needs results only while it is in view records that in the document (see `seen`). Requests in slots called
        "<queue>.<name>" run one after the other.
        """
        return None

    @classmethod
    def slots(cls) -> list[tuple[str, Wants]]:
        """Return all slots of the panel with their functions; by default one slot, named like its id."""
        return [(cls.id, cls.wants)]

    def refresh(self, document: Document, description: Description | None) -> None:
        """Update the controls from the document and from the description of its model, None while that is unknown."""

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Take the result of a slot. Every panel is sent the results of all slots."""

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Take the failure of a slot, and keep what was shown. Return True if the panel shows the reason itself."""

    def show_pixels(self, source: Source, levels: Levels) -> None:
        """Take the picture requested with `pixels_wanted`, as levels (H, W, 3) of halved size."""

    def show_truth(self, truth: Truth | None) -> None:
        """Take the open ground truth, None if none is open."""

    def restyle(self, layers: list[Layer], document: Document) -> list[Layer]:
        """Return the layers of all panels, with those changed that this panel draws differently."""
        return layers

    def forget(self) -> None:
        """Drop what was shown for the previous picture or model."""

    def layers(self, document: Document) -> list[Layer]:
        """Return the layers to paint over the picture, bottom first."""
        return []

    def recall(self, memory: dict[str, Any]) -> None:
        """Take the dictionary that is kept for this panel between runs of the program; changes to it are saved."""

    def pointer(self, place: tuple[float, float] | None) -> None:
        """Take the pointer's position in pixels of the picture, None when it leaves the picture."""

    def clicked(self, place: tuple[float, float]) -> bool:
        """Take a click on the picture, in its pixels. Return True if no other panel should handle it."""
        return False

    def dragged(self, x: float) -> bool:
        """Move the panel's line over the picture to a column in its pixels. Return True if it has one."""
        return False

    def picked(self, layer: str, row: int) -> bool:
        """Take a click on box `row` of a layer. Return True if no other panel should handle it."""
        return False

    def view_changed(self, in_view: bool) -> None:
        """Called when the panel comes into view or leaves it, also behind another tab."""

    def lacking(self, description: Description) -> str:
        """Return why the panel cannot be used with the model, "" if it can."""
        return self.entry.lacking(description)


class FormPanel(Panel):
    """A panel of one inspection with its settings in a form, which is made when a model first offers the inspection.

    `settings_of` is that inspection, by default the one of the panel's `id`. `settings_title` is the title of the
    folded settings, `words_title` what screen readers call the words above. `elsewhere` are the parameters set in other
    places, which are not in the form. `live` says that an answer follows a slider while it is dragged. `shares_titles`
    says that rows of other panels have the same titles, so that screen readers are told whose they are.
    """

    settings_of: ClassVar[str] = ""
    settings_title: ClassVar[str]
    words_title: ClassVar[str] = tr("What was found")
    elsewhere: ClassVar[tuple[str, ...]] = ()
    live: ClassVar[bool] = True
    shares_titles: ClassVar[bool] = False

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.words = WrappedLabel(self.words_title)
        self.settings = Section(self.settings_title)
        self.form: Form | None = None

    def unlisted(self) -> tuple[str, ...]:
        """Return the names of the parameters that are not in the form."""
        return (*self.elsewhere, *NOT_SHOWN)

    def declared(self, parameter: Parameter) -> Parameter:
        """Return a parameter as its row is to show it, such as in a range that the last answer has told."""
        return parameter

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the settings."""
        offer = description.offers.get(self._inspection) if description else None
        if offer is None or offer.reason:
            return
        if self.form is None:
            self.form = Form([self.declared(p) for p in offer.parameters if p.name not in self.unlisted()])
            if self.shares_titles:
                self.form.name_of(self.entry.title)
            if self.live:
                self.form.changed.connect(self._set)
            self.form.committed.connect(self._commit)
            self.form.reset_requested.connect(self._restore_own)
            self.settings.add(self.form)
        self.form.set_applicable({p.name: offer.greyed.get(p.name, "") for p in offer.parameters})
        self.form.set_values({**offer.defaults, **request_plan.given(document, self._inspection, description)})

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show the reason in the panel; keep the last answer."""
        if slot != self.id or failure.cancelled:
            return None
        self.words.setText(failure.text)
        self.words.show()
        return True

    def _set(self, name: str, value: object) -> None:
        document = self.store.document.with_value(self._inspection, **{name: value})  # type: ignore[arg-type]
        merge = f"{self._inspection} {name}" if self.live else ""
        self.store.update(document, title=f"{self.entry.title}: {name}", merge=merge)

    def _commit(self, name: str, value: object) -> None:
        self._set(name, value)
        self.store.settle()

    def _restore_own(self) -> None:
        self.store.update(self.store.document.with_own(self._inspection), title=self._own_title)

    @property
    def _inspection(self) -> str:
        return self.settings_of or self.id

    @property
    def _own_title(self) -> str:
        return tr(
            "Own {settings_title}{settings_title_2}",
            settings_title=self.settings_title[0].lower(),
            settings_title_2=self.settings_title[1:],
        )


class PaintingPanel(Panel):
    """A panel whose one answer is painted over the picture; `summary` says in words what it is.

    Subclasses show it, or that there is none, in `take`. `words_title` is what screen readers call the summary.
    """

    words_title: ClassVar[str]

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.summary = WrappedLabel(self.words_title)
        self._request: Request | None = None
        self._result: Result | None = None

    def take(self) -> None:
        """Show the answer in `self._result`, which is new, or that there is none any more."""
        raise NotImplementedError

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show and paint the answer."""
        if slot == self.id:
            self._request, self._result = request, result
            self.take()
            self.layers_changed.emit()

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show that there is no answer; keep the previous one."""
        if slot == self.id and self._result is None:
            self.summary.setText(tr("Cancelled. F5 asks again.") if failure.cancelled else failure.text)
        return None

    def forget(self) -> None:
        """Drop the answer for the previous picture."""
        self._request = self._result = None
        self.take()

    def is_of(self, document: Document) -> bool:
        """Return whether there is an answer and it is of the document's model."""
        return self._request is not None and self._request.model == document.model


class SearchPanel(FormPanel):
    """A panel of one inspection that is requested while the panel is in view; its `id` is the inspection's.

    `waiting` is said while it runs, and `invites` while no picture is open. `folders` are the parameters that have a
    row of their own outside the form.
    """

    invites: ClassVar[str] = ""
    waiting: ClassVar[str]
    folders: ClassVar[tuple[str, ...]] = ()
    live: ClassVar[bool] = False

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.rows: dict[str, FolderRow] = {}
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
        """Return what is said when nothing is requested: what the panel is for, unless a picture is open."""
        return self.invites if self.store.document.source is None else ""

    def unlisted(self) -> tuple[str, ...]:
        """Return the names of the parameters that are not in the form."""
        return (*self.folders, *super().unlisted())

    def rebuild_form(self) -> None:
        """Drop the form, so that the next refresh makes it anew."""
        if self.form is not None:
            self.settings.inner.removeWidget(self.form)
            self.form.deleteLater()
            self.form = None

    def show_answer(self, result: Result | None, fresh: bool) -> None:
        """Show beside the words what was found, None for nothing; it is `fresh` if it answers the present request."""

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the folders and settings, and whether what was found belongs to them."""
        for name, row in self.rows.items():
            row.show_path(str(document.values(self.id).get(name, "")))
        super().refresh(document, description)
        wanted = self.wants(document, description)
        self._wanted = wanted.get(self.id) if isinstance(wanted, Mapping) else wanted
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
            self.words.setText(shown(str(answer[1].meta["text"])) if fresh and answer is not None else self.waiting)

    def _restore_own(self) -> None:
        kept = {name: self.store.document.values(self.id).get(name) for name in self.folders}
        self.store.update(self.store.document.with_own(self.id).with_value(self.id, **kept), title=self._own_title)


class PaintingSearchPanel(SearchPanel):
    """A panel of one inspection whose answer is painted over the picture while the panel is in view."""

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Show and paint what was found."""
        super().show_result(slot, request, result)
        if slot == self.id:
            self.layers_changed.emit()

    def forget(self) -> None:
        """Drop what was found for the previous picture."""
        super().forget()
        self.layers_changed.emit()

    def view_changed(self, in_view: bool) -> None:
        """Make requests, and paint over the picture, only while the panel is in view."""
        super().view_changed(in_view)
        self.layers_changed.emit()


def view_form(store: Store, rows: Sequence[Parameter]) -> Form:
    """Return a form of values of the document's view, which changes them."""
    form = Form(rows)
    form.reset.hide()
    form.set_named(tr("At first"))
    titles = {row.name: row.title for row in rows}

    def change(name: str, value: object) -> None:
        document = store.document.with_view(**{name: value})  # type: ignore[arg-type]
        store.update(document, title=titles[name], merge=f"view.{name}")

    def commit(name: str, value: object) -> None:
        change(name, value)
        store.settle()

    form.changed.connect(change)
    form.committed.connect(commit)
    return form
