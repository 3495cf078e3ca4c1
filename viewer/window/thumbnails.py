"""Thumbnails for the film strip, the data set and its map, read in the background one at a time each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from models.pictures import reading
from models.types import Pixels, Refusal, Source
from viewer import theme
from viewer.window.context import WindowContext

if TYPE_CHECKING:
    from viewer.panels.data_set import DataSetPanel
    from viewer.panels.film_strip import FilmPanel
    from viewer.panels.map import MapPanel


class Thumbnails:
    """Reads the thumbnails that one panel of a window requests, by its id."""

    def __init__(self, context: WindowContext, panel: str = "film") -> None:
        self._context, self._panel = context, panel
        self._asked: Source | None = None

    def want(self, source: Source) -> None:
        """Read a thumbnail and pass it to the panel; None if the picture cannot be read."""
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
                panel = cast("FilmPanel | DataSetPanel | MapPanel", context.panels[self._panel])
                panel.set_thumbnail(source, small)
                if self._panel == "film":
                    panel.refresh(context.session.store.document, context.session.description)

            return show

        context.session.jobs.local(f"thumbnail of {self._panel}", work)
