"""Playback in the window: commands go to the engine, frames with their results come back.

Frames come with their results, so nothing else is requested during playback. When paused, the document is at a frame
like at any picture, and everything can be requested.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from models.live.status import Facts, Opening, Shown
from models.pictures.images import Picture
from models.pictures.media import device, is_endless, title
from models.requests import Request
from models.types import Failure, Pixels, Source
from viewer.session import request_plan
from viewer.session.request_plan import DETECT_SLOT
from viewer.session.state import SessionState
from viewer.translation import tr

MOST_DEATHS = 2
Heard = Callable[[Failure | None], None]


class LivePlayback:
    """The source that plays, or none. `facts` is the latest report on it.

    `paint` returns a frame with its overlay, for recording; `after_paint` calls back once the screen is up to date, and
    only then the engine sends the next frame.
    """

    def __init__(self, state: SessionState) -> None:
        self._state = state
        self.source: Source | None = None
        self.facts = Facts()
        self.paint: Callable[[Pixels], Pixels] = lambda pixels: pixels
        self.after_paint: Callable[[Callable[[], None]], None] = lambda call: call()
        self._number = 0
        self._request: Request | None = None
        self._opening: tuple[int, Opening, Heard] | None = None
        self._wants_play = True  # the user's intention to play, resumed by a new engine
        self._lost = False
        self._deaths = 0

    @property
    def playing(self) -> bool:
        """Whether frames are arriving, or would if the source were available."""
        return self.source is not None and self.facts.state == "playing"

    @property
    def seekable(self) -> bool:
        """Whether it can go back: not with a camera or stream."""
        return self.source is not None and not is_endless(self.source.path)

    # what the user does

    def toggle(self) -> None:
        """Play or pause."""
        self._wants_play = not self.playing
        self._send("play" if self._wants_play else "pause")

    def step(self, by: int) -> None:
        """Go to the next or previous frame, and pause."""
        self._wants_play = False
        self._send("step", by)

    def seek(self, number: int) -> None:
        """Go to a frame."""
        self._send("seek", number)

    def pace(self, *, every: bool) -> None:
        """Show every frame of a file at whatever speed, or play in real time."""
        self.facts = replace(self.facts, every=every)
        self._send("pace", every)

    def record(self, path: str) -> None:
        """Record what is shown from now on to an MP4 file."""
        self._send("record", path)

    def finish(self) -> None:
        """Finish the recording."""
        self._send("finish")

    # what the session does

    def open(self, source: Source, heard: Heard) -> None:
        """Open a source; `heard` is called with its first frame, or the failure.

        What plays now continues until then.
        """
        document, description = self._state.store.document, self._state.description
        request = request_plan.ask(DETECT_SLOT, document, description, source=source)
        self._opening = self._state.jobs.number(), Opening(source, request, every=self.facts.every), heard
        if not self._state.jobs.restart_for([device(source.path)]):  # a new engine opens it once it is ready
            self._open(*self._opening[:2])

    def stop_opening(self) -> None:
        """Cancel opening."""
        if self._opening is not None:
            number, self._opening = self._opening[0], None
            self._close(number)

    def follow(self) -> None:
        """Close a source that the document has left, and request what the document wants for the next frames."""
        document = self._state.store.document
        if self.source is None:
            return
        if document.file != self.source:
            self.source = None
            self._close(self._number)
            self._update_text()
            return
        request = request_plan.ask(DETECT_SLOT, document, self._state.description, source=self.source)
        if request != self._request:
            self._request = request
            self._send("ask", request)

    def tick(self) -> None:
        """Continue playback in a lane without a process of its own."""
        if self.source is not None or self._opening is not None:
            self._state.jobs.lane.tick()

    def stop(self) -> None:
        """Finish the recording before the engine is stopped."""
        if self.source is not None and self.facts.recording:
            self._state.jobs.lane.finish()

    def engine_lost(self) -> None:
        """React to the loss of the engine."""
        self._lost = True
        self._deaths += self.source is not None
        if self.source is not None and self.facts.recording:
            name = title(self.facts.recording)
            self._fail(Failure(tr("The recording {name} broke off with the engine and cannot be played.", name=name)))
        self.facts = replace(self.facts, recording="", recorded=0)

    def engine_ready(self) -> None:
        """Resume playback in a new engine at the last position."""
        if not self._lost:
            return
        if self._opening is not None:
            self._open(*self._opening[:2])
        if self.source is None or self._deaths < MOST_DEATHS:
            self._reopen()
            return
        self._deaths = 0
        text = tr(
            "The engine stopped {most_deaths} times while {path} played, so it is paused.",
            most_deaths=MOST_DEATHS,
            path=title(self.source.path),
        )
        self._fail(Failure(text, tr("Try another model, or play on.")))
        self.facts = replace(self.facts, state="paused")
        self._update_frame()
        self._update_text()

    def _reopen(self) -> None:
        """Open in the engine the source that it does not have yet."""
        self._lost = False
        if self.source is not None:
            self._number = self._state.jobs.number()
            at = max(0, self.facts.number) if self.seekable else 0
            every = self.facts.every
            self._open(self._number, Opening(self.source, self._request, at, self._wants_play, every, again=True))

    def take(self, number: int, what: str, *given: Any) -> None:
        """Handle a message of the engine."""
        if self._opening is not None and number == self._opening[0]:
            _, opening, heard = self._opening
            self._opening = None
            if what == "refused":
                heard(given[0])
                return
            self.source, self._number, self._request = opening.source, number, opening.request
            self.facts, self._wants_play = given[0], True
            heard(None)
            for call in self._state.on.picture:
                call(opening.source, Picture(given[1].pixels))
        if number != self._number or self.source is None:
            if what == "shown":
                self._close(number)
            return
        match what, given:
            case "shown", (facts, shown):
                self._deaths = 0
                self._shown(facts, shown)
            case "facts", (facts,):
                self._state_changed(facts)
                self._update_frame()
                self._update_text()
            case "refused", (failure,):
                self._state_changed(replace(self.facts, state="paused"))
                self._fail(failure)
                self._update_frame()
                self._update_text()

    def _shown(self, facts: Facts, shown: Shown) -> None:
        state = self._state
        self._state_changed(facts)
        state.results.pop(DETECT_SLOT, None)
        if isinstance(shown.answer, Failure):
            self._fail(shown.answer)
            if shown.request is not None:
                state.failed[DETECT_SLOT] = shown.request
        elif shown.request is not None and shown.answer is not None:
            state.results[DETECT_SLOT] = (shown.request, shown.answer)
        for call in state.on.frame:
            call(shown)
        if not self._update_frame():
            self._announce_detections()
        self._update_text()
        if facts.recording:
            self._send("write", self.paint(shown.pixels), shown.at)
        number = self._number
        self.after_paint(lambda: self._state.jobs.lane.live(number, "ack"))

    def _state_changed(self, facts: Facts) -> None:
        self.facts = replace(facts, note="")
        self._wants_play = self._wants_play and facts.state != "ended"
        if facts.note:
            self._fail(Failure(facts.note))

    def _update_frame(self) -> bool:
        """Update the document's frame: -1 while playing, else the paused frame; return whether it changed."""
        store = self._state.store
        before = store.document
        if before.file != self.source:
            return False
        store.update(before.with_frame(-1 if self.playing else self.facts.number))
        if store.document.frame == before.frame:
            return False
        self._announce_detections()
        return True

    def _announce_detections(self) -> None:
        """Announce the detections of the frame shown, again after panels dropped them on pausing."""
        state = self._state
        if DETECT_SLOT in state.results:
            for call in state.on.result:
                call(DETECT_SLOT, *state.results[DETECT_SLOT])

    def _update_text(self) -> None:
        for call in self._state.on.live:
            call()

    def _fail(self, failure: Failure) -> None:
        self._state.report_failure("live", failure)

    def _open(self, number: int, opening: Opening) -> None:
        self._state.jobs.lane.live(number, "open", opening)

    def _close(self, number: int) -> None:
        lane = self._state.jobs.lane
        lane.cancel(number)
        lane.live(number, "close")

    def _send(self, command: str, *given: Any) -> None:
        if self.source is None:
            return
        if not self._lost:
            self._state.jobs.lane.live(self._number, command, *given)
        elif self._state.jobs.ready:
            self._reopen()
