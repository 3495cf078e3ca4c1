"""Provide panels with the pixels of opened pictures, and with reduced versions for drawing at small scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from models.live.status import Shown
from models.pictures import reading
from models.pictures.images import Picture
from models.types import Pixels, Refusal, Source
from viewer.session.session import Session

SMALLEST_PX = 256
Levels = tuple[Pixels, ...]
Take = Callable[[Source, Levels], None]


class PanelPictures:
    """Reads and reduces pictures in the background; of a playing video it provides the frame shown."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._frame: Pixels | None = None
        self._waiting: dict[Source, list[Take]] = {}
        session.on.frame.append(self._framed)

    def provide(self, source: Source, take: Take) -> None:
        """Call `take` with the picture and its reduced versions; with none if it cannot be read."""
        session, frame = self._session, self._frame
        held: Picture | None = None
        if source.frame >= 0:
            if frame is None:
                return
            held = Picture(frame)
        elif source in session.pictures:
            held = session.pictures[source]
        self._waiting.setdefault(source, []).append(take)

        def work() -> Callable[[], None]:
            try:
                levels = reduced((held or session.jobs.read(reading.PICTURE, source)).pixels)
            except Refusal:
                levels = ()
            return lambda: self._pass_pictures(source, levels)

        session.jobs.local(f"provide {source}", work)

    def _pass_pictures(self, source: Source, levels: Levels) -> None:
        for take in self._waiting.pop(source, []):
            take(source, levels)

    def _framed(self, shown: Shown) -> None:
        self._frame = shown.pixels


def reduced(pixels: Pixels) -> Levels:
    """Return a picture (H, W, 3) and its halvings, each pixel the mean of four, down to about `SMALLEST_PX`."""
    levels = [pixels]
    while max(levels[-1].shape[:2]) >= 2 * SMALLEST_PX and min(levels[-1].shape[:2]) >= 2:
        levels.append(np.ascontiguousarray(Image.fromarray(levels[-1]).reduce(2)))
    return tuple(levels)
