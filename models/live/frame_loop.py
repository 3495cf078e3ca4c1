"""The engine's loop for moving sources: runs the model on each frame that is due and obeys the window's commands.

From the window: ("live", number, command, *given), with the commands below. To the window: ("live", number, ...) with
"shown", Facts, Shown; "facts", Facts; or "refused", Failure when a source cannot be opened. At most one Shown is in
flight until the window has painted it and sends "ack"; the next one is computed meanwhile and held back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from models.live.player import Player
from models.live.reader import Frame
from models.live.record import Recording
from models.live.status import Facts, Opening, Shown
from models.requests import Request
from models.runtime.context import Context
from models.types import Answer, Failure, Pixels, Refusal, Result, Source

SMOOTH = 0.85
WHILE_OWED_S = 0.05


@dataclass
class _Open:
    number: int
    source: Source
    request: Request | None
    player: Player
    stages: dict[str, float] = field(default_factory=dict)


class Show:
    """Plays one source at a time through an engine.

    A newly opened source replaces the current one when its first frame is there. `share` and `fetch` carry frames to
    and from another process, if there is one.
    """

    def __init__(
        self,
        engine: Any,
        send: Callable[[object], None],
        cancelled: Callable[[int], bool],
        *,
        share: Callable[[Pixels], Any] = lambda pixels: pixels,
        fetch: Callable[[Any], Pixels] = lambda pixels: pixels,
    ) -> None:
        self._engine, self._send, self._cancelled = engine, send, cancelled
        self._share, self._fetch = share, fetch
        self._now: _Open | None = None
        self._opening: _Open | None = None
        self._awaiting_ack = False
        self._pending: Shown | None = None
        self._reported: tuple[object, ...] = ()
        self._recording: Recording | None = None

    def handle(self, number: int, command: str, *given: Any) -> None:
        """Carry out a command from the window."""
        if command == "open":
            self._open(number, *given)
        elif command == "close" and self._opening is not None and self._opening.number == number:
            self._opening.player.close()
            self._opening = None
        elif self._now is not None and self._now.number == number:
            self._run_command(self._now, command, *given)

    def advance(self) -> float | None:
        """Do what is due. Return the seconds until more may be due, or None if only a message can bring more."""
        waits = [self._first_frame(), self._next_frame()]
        self._report_state()
        return min((wait for wait in waits if wait is not None), default=None)

    def close(self) -> None:
        """Release everything, and finish the recording."""
        for each in (self._opening, self._now):
            if each is not None:
                each.player.close()
        self._opening = self._now = self._pending = None
        self._finish()

    def _open(self, number: int, opening: Opening) -> None:
        if self._opening is not None:
            self._opening.player.close()
        path = opening.source.path
        if self._now is not None and self._now.source.path == path:
            self._leave()  # a camera cannot be opened twice
        player = Player(path, at=opening.at, playing=opening.playing, every=opening.every, again=opening.again)
        self._opening = _Open(number, opening.source, opening.request, player)

    def _run_command(self, now: _Open, command: str, *given: Any) -> None:
        player = now.player
        match command, given:
            case "ack", ():
                self._awaiting_ack = False
                if self._pending is not None:
                    self._post(now, self._pending)
            case "play", ():
                player.play()
            case "pause", ():
                player.pause()
                self._engine.keep_frame()
            case "step", (by,):
                player.step(by)
            case "seek", (number,):
                self._pending = None
                player.seek(number)
            case "pace", (every,):
                player.pace(every=every)
            case "ask", (request,):
                now.request = request
            case "record", (path,):
                self._record(now, path)
            case "write", (pixels, at):
                self._write(now, self._fetch(pixels), at)
            case "finish", ():
                self._finish()
            case "close", ():
                self._leave()

    def _leave(self) -> None:
        if self._now is not None:
            self._now.player.close()
        self._now = self._pending = None
        self._awaiting_ack = False
        self._finish()

    def _first_frame(self) -> float | None:
        opening = self._opening
        if opening is None:
            return None
        try:
            frame = opening.player.next()
        except Refusal as refusal:
            opening.player.close()
            self._opening = None
            self._send(("live", opening.number, "refused", Failure(str(refusal), refusal.advice)))
            return None
        if frame is None:
            return opening.player.next_due_s
        self._leave()
        self._now, self._opening, self._reported = opening, None, ()
        self._show(opening, frame)
        return 0.0

    def _next_frame(self) -> float | None:
        now = self._now
        if now is None:
            return None
        if self._pending is not None:
            return WHILE_OWED_S
        try:
            frame = now.player.next()
        except Refusal as refusal:  # its file is gone, or its stream is none: the player has ended
            now.player.note = f"{refusal} {refusal.advice}"
            return None
        if frame is None:
            return now.player.next_due_s
        self._show(now, frame)
        return 0.0

    def _show(self, now: _Open, frame: Frame) -> None:
        source = replace(now.source, frame=frame.number)
        request = replace(now.request, source=source) if now.request is not None else None
        self._engine.take_frame(source, frame.pixels)
        answer: Answer | None = None
        if request is not None:
            answer = self._engine.run_frame(request, Context(cancelled=lambda: self._cancelled(now.number)))
        if isinstance(answer, Failure) and answer.cancelled:
            return
        if isinstance(answer, Failure):
            now.player.pause()
        now.stages = _smoothed(now.stages, {"read": frame.read_ms, **_timings(answer)})
        if not now.player.playing:
            self._engine.keep_frame()
        shown = Shown(source, frame.pixels, frame.at, request, answer)
        if self._awaiting_ack:
            self._pending = shown
        else:
            self._post(now, shown)

    def _post(self, now: _Open, shown: Shown) -> None:
        self._pending, self._awaiting_ack = None, True
        self._send_message(now, "shown", replace(shown, pixels=self._share(shown.pixels)))

    def _report_state(self) -> None:
        now = self._now
        if now is not None and self._pending is None and _state(self._facts(now)) != self._reported:
            self._send_message(now, "facts")

    def _send_message(self, now: _Open, what: str, *more: object) -> None:
        facts = self._facts(now)
        now.player.note = ""
        self._reported = _state(replace(facts, note=""))
        self._send(("live", now.number, what, facts, *more))

    def _facts(self, now: _Open) -> Facts:
        player, recording = now.player, self._recording
        return Facts(
            state=player.state,
            number=player.last.number if player.last is not None else -1,
            count=player.count,
            fps=player.fps,
            rate=player.rate,
            dropped=player.dropped,
            stages=now.stages,
            lost=player.lost,
            retry_s=player.retry_s,
            every=player.every,
            recording=str(recording.path) if recording is not None else "",
            recorded=recording.written if recording is not None else 0,
            note=player.note,
        )

    def _record(self, now: _Open, path: str) -> None:
        self._finish()
        try:
            self._recording = Recording(path, fps=now.player.fps)
        except Refusal as refusal:
            now.player.note = f"{refusal} {refusal.advice}"
            return
        if not now.player.endless and not now.player.every:
            now.player.pace(every=True)

    def _write(self, now: _Open, pixels: Pixels, at: float) -> None:
        if self._recording is None:
            return
        try:
            self._recording.write(pixels, at=at if now.player.endless else None)
        except Refusal as refusal:
            now.player.note = f"{refusal} {refusal.advice}"
            self._finish()

    def _finish(self) -> None:
        recording, self._recording = self._recording, None
        if recording is not None:
            try:
                recording.close()
            except Refusal as refusal:
                if self._now is not None:
                    self._now.player.note = f"{refusal} {refusal.advice}"


def _state(facts: Facts) -> tuple[object, ...]:
    """Return the part of the facts whose change is sent even without a frame."""
    shown = facts.state, facts.lost, facts.number, facts.count, facts.every, facts.recording, facts.note
    return *shown, round(facts.retry_s)


def _timings(answer: Answer | None) -> dict[str, float]:
    return dict(answer.meta["timings"]) if isinstance(answer, Result) else {}


def _smoothed(before: dict[str, float], now: dict[str, float]) -> dict[str, float]:
    return {name: SMOOTH * before.get(name, ms) + (1 - SMOOTH) * ms for name, ms in now.items()}
