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

from typing import Any, ClassVar

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from models.inspection import Description
from models.requests import Request
from models.truth.types import Truth
from models.types import Failure, Pixels, Result, Source
from viewer.canvas.layers import Layer
from viewer.panels.registry import ENTRIES, PanelEntry
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wanted, Wants

GAP = 8
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
