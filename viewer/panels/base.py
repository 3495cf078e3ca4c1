"""The base class of all panels.

A panel is one dock. It says which requests it wants answered for the current document, shows their results, and returns
layers to paint over the picture. A new panel is a module in this folder with an entry in viewer/panels/registry.py,
such as PanelEntry("brightness", "Brightness", "info", "brightness.BrightnessPanel"). A minimal one:

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

from collections.abc import Sequence
from typing import Any, ClassVar

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from models.inspection import Description
from models.requests import Request
from models.truth.types import Truth
from models.types import Failure, Pixels, Result, Source
from viewer.canvas.layers import Layer
from viewer.panels.registry import ENTRIES, PanelEntry
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wanted, Wants
from viewer.widgets.controls.folder_row import FolderRow
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.section import Section
from viewer.widgets.pictures.map_readout import plain_label

GAP = 8
STOPPED = "Stopped. F5 asks again."
WIDEST_PX = 304  # the width of the docks at the right
HIGHEST_PX = 200  # two of them fit above each other in a window of 640 px
Levels = tuple[Pixels, ...]


class Panel(QWidget):
    """The content of one dock. Subclasses set `id`, that of their entry, and override the methods they need.

    A panel changes the document through `store`. It emits `layers_changed` when `layers` would return something else,
    `command_wanted` with the id of a command to run, `pixels_wanted` with a Source whose pixels `show_pixels` is to
    get, `picture_shown` with pixels (H, W, 3) to show on the canvas instead of the last generated picture, or None, and
    `menu_wanted` with the kind and number of a row and the place on screen, for viewer/window/context_menus.py.

    Panels with a lower `rank` paint first, below the others. What is known of a panel before it is imported (title,
    place, capabilities it needs) is in its entry in viewer/panels/registry.py.
    """

    id: ClassVar[str] = ""
    rank: ClassVar[int] = 0

    layers_changed = Signal()
    command_wanted = Signal(str)
    pixels_wanted = Signal(object)
    picture_shown = Signal(object)
    menu_wanted = Signal(str, int, QPoint)

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

    def picked(self, layer: str, row: int) -> bool:
        """Take a click on box `row` of a layer. Return True if no other panel should handle it."""
        return False

    def seen(self, in_view: bool) -> None:
        """Called when the panel comes into view or leaves it, also behind another tab."""

    def lacking(self, description: Description) -> str:
        """Return why the panel cannot be used with the model, "" if it can."""
        return self.entry.lacking(description)


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
