"""Thumbnails for the film strip, read in the background one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from models.pictures import reading
from models.types import Pixels, Refusal, Source
from viewer import theme
from viewer.window.context import WindowContext

if TYPE_CHECKING:
    from viewer.panels.film_strip import FilmPanel


class Thumbnails:
    """Reads the thumbnails that a window's film strip requests."""

    def __init__(self, context: WindowContext) -> None:
        self._context = context
        self._asked: Source | None = None

    def want(self, source: Source) -> None:
        """Read a thumbnail and pass it to the strip; None if the picture cannot be read."""
        context = self._context
        if context.closed or source == self._asked:
            return
        self._asked = source

        def work() -> Any:
            try:
                small: Pixels | None = context.session.jobs.read(
                    reading.THUMBNAIL, source, theme.THUMBNAIL_PX * 2, wanted=lambda: not context.closed
                )
            except (Refusal, MemoryError):
                small = None

            def show() -> None:
                self._asked = None
                film = cast("FilmPanel", context.panels["film"])
                film.set_thumbnail(source, small)
                film.refresh(context.session.store.document, context.session.description)

            return show

        context.session.jobs.local("thumbnail", work)
