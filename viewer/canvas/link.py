"""Keep two canvases at the same place of their pictures, whose sizes may differ, with pointers at the same point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QPointF

from viewer.canvas.view import Canvas, Pointer

Place = tuple[float, float] | None


class Link:
    """While `on()` is true, view changes in one canvas are applied to the other.

    `pointed` is called with each position.
    """

    def __init__(
        self, first: Canvas, second: Canvas, *, on: Callable[[], bool], pointed: Callable[[Place], None]
    ) -> None:
        self._on, self._pointed = on, pointed
        self._busy = False
        for leader, follower in ((first, second), (second, first)):
            leader.look_changed.connect(lambda _, a=leader, b=follower: self.look(a, b))
            leader.pointer_moved.connect(lambda pointer, a=leader, b=follower: self._point(a, b, pointer))

    def look(self, leader: Canvas, follower: Canvas) -> None:
        """Show in one canvas what the other shows."""
        scales = self._scales(leader, follower)
        if scales is None:
            return
        self._busy = True
        if leader.fitted:
            follower.fit()
        else:
            (across, down), look = scales, leader.look
            follower.show_look(replace(look, x=look.x * across, y=look.y * down, scale=look.scale / across))
        self._busy = False

    def _point(self, leader: Canvas, follower: Canvas, pointer: Pointer | None) -> None:
        scales = self._scales(leader, follower)
        if scales is None:
            return
        self._busy = True
        place = None
        if pointer is not None and pointer.rgb is not None:
            place = QPointF(pointer.x * scales[0], pointer.y * scales[1])
        follower.show_pointer(place)
        follower.mark(place)
        leader.mark(None)
        self._busy = False
        self._pointed(None if place is None else (place.x(), place.y()))

    def _scales(self, leader: Canvas, follower: Canvas) -> tuple[float, float] | None:
        """Return the ratios of width and height of the follower's picture to the leader's.

        None if there is nothing to follow.
        """
        a, b = leader.pixels, follower.pixels
        if self._busy or not self._on() or a is None or b is None:
            return None
        return b.shape[1] / a.shape[1], b.shape[0] / a.shape[0]
