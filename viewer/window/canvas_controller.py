"""What stands on the canvas: the opened picture, or what a generative model makes of the document's code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.cards.card import task
from models.images import Picture
from models.types import Pixels, Result, Source
from viewer.session.document import Document

if TYPE_CHECKING:
    from viewer.window.main_window import Window

SLOT = "generated"


class Easel:
    """Puts pictures on a window's canvas. What a panel plays there stays until the model makes another."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._made: Pixels | None = None

    @property
    def generates(self) -> bool:
        """Whether the canvas shows what the model makes, as far as is known."""
        description = self._window.session.description
        if description is not None:
            return "Generates" in description.capabilities
        return task(self._window.session.store.document.model) == "generation"

    def follow(self, before: Document, after: Document) -> None:
        """Bring the canvas up to date with another picture or model."""
        if before.model != after.model:
            self._made = None
        self.settle()

    def settle(self) -> None:
        """Show the canvas where there is something to show, else the way to open something."""
        window, document = self._window, self._window.session.store.document
        if self.generates:
            self._front()
        elif document.source is None:
            self._put(None)
            window.centre.setCurrentWidget(window.welcome)
            window.welcome.open_button.setFocus()
            window.status.show_zoom(None)
        elif document.source in window.session.pictures:
            picture = window.session.pictures[document.source].pixels
            if window.canvas.pixels is not picture:
                self._put(picture)

    def answer(self) -> None:
        """Bring forward what tells most of a picture that was opened: its anatomy, or where its code is sought."""
        description = self._window.session.description
        if description is not None and self.generates and self._window.session.store.document.source is not None:
            self._window.docks.show("anatomy" if "Encodes" in description.capabilities else "inversion")

    def opened(self, source: Source, picture: Picture) -> None:
        """Show a picture that was opened, unless the model shows its own."""
        if not self.generates:
            self._front()
            self._put(picture.pixels)

    def made(self, result: Result) -> None:
        """Show what the model made."""
        self._made = result.arrays["picture"]
        self._put(self._made)

    def play(self, pixels: Pixels | None) -> None:
        """Show a picture for a moment; None shows again what the model made last."""
        if self.generates and (shown := self._made if pixels is None else pixels) is not None:
            self._put(shown)

    def _front(self) -> None:
        window = self._window
        if window.centre.currentWidget() is not window.panes:
            window.centre.setCurrentWidget(window.panes)
            window.canvas.setFocus()

    def _put(self, pixels: Pixels | None) -> None:
        window = self._window
        window.canvas.show_picture(pixels, keep_view=True)
        window.status.show_zoom(window.canvas.scale_percent if pixels is not None else None)
