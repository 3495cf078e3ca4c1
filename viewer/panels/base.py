"""What every panel has in common: its place, what it needs, what it wants, what it paints. It makes no dock itself."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from models.capabilities import lacks
from models.inspection import Description
from models.requests import Request
from models.truth.types import Truth
from models.types import Failure, Pixels, Result, Source
from viewer.canvas.layers import Layer
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wanted, Wants

GAP = 8
Levels = tuple[Pixels, ...]


class Panel(QWidget):
    """One dock's content. A subclass sets the class attributes and overrides what it has a use for.

    It changes the document through `store`, says `layers_changed` when it would paint something
    else, `command_wanted` to have a command of the table run, `pixels_wanted` to be shown a Source, `picture_shown` to
    have pixels (H, W, 3), or None, on the canvas in place of what a generative model made last. Panels with a lower
    `rank` paint first, below the others. A panel is given at least `height_px` when it is opened. One that is `beside`
    paints for a second model too.
    """

    id: ClassVar[str] = ""
    title: ClassVar[str] = ""
    icon: ClassVar[str] = ""
    area: ClassVar[str] = "right"
    opened: ClassVar[bool] = True
    rank: ClassVar[int] = 0
    height_px: ClassVar[int] = 0
    needs: ClassVar[tuple[str, ...]] = ()
    beside: ClassVar[bool] = False

    layers_changed = Signal()
    command_wanted = Signal(str)
    pixels_wanted = Signal(object)
    picture_shown = Signal(object)

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.setAccessibleName(self.title)

    def fill(self, inside: QWidget, name: str) -> QScrollArea:
        """Make `inside` the panel's content, scrolled up and down under an accessible name where it needs more room."""
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
        """Return the request whose answer the panel shows, in the slot of its id; or several, by slot."""
        return None

    @classmethod
    def called(cls, document: Document) -> bool:
        """Tell whether the document holds something that this panel paints though nobody has opened it."""
        return False

    @classmethod
    def slots(cls) -> list[tuple[str, Wants]]:
        """Return every slot that the panel has something to want in: one, of its id."""
        return [(cls.id, cls.wants)]

    def refresh(self, document: Document, description: Description | None) -> None:
        """Bring controls up to date with the document and what is known of its model."""

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Take the answer of a slot; every panel hears of every slot."""

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Hear that a slot got no answer; what was shown stays. True where the panel says why and nobody else need."""

    def show_pixels(self, source: Source, levels: Levels) -> None:
        """Take the picture that was asked for with `pixels_wanted`."""

    def show_truth(self, truth: Truth | None) -> None:
        """Take the ground truth that is open now, None for none."""

    def restyle(self, layers: list[Layer], document: Document) -> list[Layer]:
        """Return what all panels paint, changed where this one has another look for it."""
        return layers

    def forget(self) -> None:
        """Drop what was shown of a picture or model that is gone."""

    def layers(self, document: Document) -> list[Layer]:
        """Return what to paint over the picture, bottom first."""
        return []

    def recall(self, memory: dict[str, Any]) -> None:
        """Take what is kept for this panel from one run of the program to the next; what it writes there stays."""

    def pointer(self, place: tuple[float, float] | None) -> None:
        """Hear where the mouse is on the picture, in its pixels; None when it left."""

    def clicked(self, place: tuple[float, float]) -> bool:
        """Hear of a click on the picture; True when it was taken and nobody else should act on it."""
        return False

    def picked(self, layer: str, row: int) -> bool:
        """Hear of a click on a box of a layer; True when it was this panel's own and nobody else should act on it."""
        return False

    def seen(self, in_view: bool) -> None:
        """Hear that the panel came into view or went out of it, also behind another tab."""

    @classmethod
    def lacking(cls, description: Description) -> str:
        """Return why the model cannot serve this panel, "" if it can."""
        missing = [need for need in cls.needs if need not in description.capabilities]
        told = [description.stages[need] for need in missing if need in description.stages]
        if told:
            return told[0]
        return f"{description.name} {lacks(missing)}." if missing else ""
