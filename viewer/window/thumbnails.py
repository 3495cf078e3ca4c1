"""Small pictures for the film strip, read in the background one after the other. It keeps none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models import reading
from models.types import Pixels, Refusal, Source
from viewer.panels.film_strip import THUMB_PX

if TYPE_CHECKING:
    from viewer.window.main_window import Window


class Thumbnails:
    """Reads what a window's film strip asks for."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._asked: Source | None = None

    def want(self, source: Source) -> None:
        """Read one, and hand it to the strip; None where the picture cannot be read."""
        window = self._window
        if window.closed or source == self._asked:
            return
        self._asked = source

        def work() -> Any:
            try:
                small: Pixels | None = window.session.jobs.read(
                    reading.THUMBNAIL, source, THUMB_PX * 2, wanted=lambda: not window.closed
                )
            except (Refusal, MemoryError):
                small = None

            def show() -> None:
                self._asked = None
                window.film.set_thumbnail(source, small)
                window.film.refresh(window.session.store.document, window.session.description)

            return show

        window.session.jobs.local("thumbnail", work)
