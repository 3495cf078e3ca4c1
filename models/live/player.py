"""Playback over a reader: play, pause, step, seek and pace, and which frame is due when."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from models.live.reader import Frame, Reader
from models.live.status import State
from models.pictures.media import is_endless, title
from models.types import Refusal

LATE_S = 0.25
CATCH_UP_S = 0.5
RATE_FRAMES = 30
RATE_S = 2.0
MISSING_PART = 0.02  # containers often claim a frame or two more than they hold
NEXT_LOOK_S = 0.002
LAZY_LOOK_S = 0.05


class Player:
    """Plays one source. `next` returns each frame when it is due.

    A file plays in real time, skipping frames when the model is slower, or plays `every` frame at the model's pace. Of
    a camera or stream the newest frame is shown and the others count as dropped. `again`: it was open before, so a
    failure to open it is retried.
    """

    def __init__(
        self,
        path: str,
        *,
        at: int = 0,
        playing: bool = True,
        every: bool = False,
        again: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.endless = is_endless(path)
        self.playing, self.every = playing, every
        self.dropped = 0
        self.last: Frame | None = None
        self.note = ""
        self._clock = clock
        self._reader = Reader(path, start=at, again=again)
        self._wanted: int | None = at  # a frame to show once, playing or paused
        self._base = (0, 0.0)
        self._before = -1  # number of the previous frame in this run; -1 if a gap before the next one is not a loss
        self._shown: deque[float] = deque(maxlen=RATE_FRAMES)
        self._end_reported = False

    def play(self) -> None:
        """Continue playing; at the end, start again."""
        if self._reader.finished() and self.last is not None and not self.endless:
            self.seek(0)
        self.playing, self._before = True, -1
        self._base = (self.last.number if self.last else 0, self._clock())
        self._shown.clear()

    def pause(self) -> None:
        """Stop at the frame shown."""
        self.playing = False
        self._shown.clear()

    def step(self, by: int) -> None:
        """Pause and move by some frames; for a camera or stream, take one new frame."""
        self.pause()
        if self.endless:
            self._wanted = 0
        elif self.last is not None:
            self.seek(self.last.number + by if self._wanted is None else self._wanted + by)

    def seek(self, number: int) -> None:
        """Show another frame, and continue from there if playing. Files only."""
        if not self.endless:
            last = max(self.count - 1, 0) if self.count else number
            self._wanted = max(0, min(number, last))
            self._reader.seek(self._wanted)

    def pace(self, *, every: bool) -> None:
        """Show every frame of a file, or play it in real time."""
        self.every = every
        self._base = (self.last.number if self.last else 0, self._clock())
        self._before = -1

    @property
    def state(self) -> State:
        """The state of playback."""
        if self.playing:
            return "playing"
        return "ended" if self._reader.finished() and self._wanted is None else "paused"

    @property
    def lost(self) -> bool:
        """Whether the connection to a camera or stream is lost and being retried."""
        return self._reader.state == "lost"

    @property
    def fps(self) -> float:
        """The source's own frames per second."""
        return self._reader.fps

    @property
    def count(self) -> int:
        """The number of frames, 0 if unknown."""
        return self._reader.count if self._reader.length < 0 else self._reader.length

    @property
    def retry_s(self) -> float:
        """Seconds until a lost source is tried again."""
        return max(0.0, self._reader.retry_at - time.monotonic()) if self.lost else 0.0

    @property
    def rate(self) -> float:
        """Frames per second shown over the last RATE_S seconds, 0 if there were too few."""
        now = self._clock()
        recent = [at for at in self._shown if now - at <= RATE_S]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else 0.0

    @property
    def next_due_s(self) -> float | None:
        """Seconds until `next` is worth calling again; None if only a command changes anything."""
        if self.playing or self._wanted is not None:
            return LAZY_LOOK_S if self.lost else NEXT_LOOK_S
        return LAZY_LOOK_S if self.endless else None

    def next(self) -> Frame | None:
        """Return the frame that is due now, or None. Raises Refusal if there will never be one."""
        if self._reader.refusal is not None:
            raise self._reader.refusal
        if not self.playing and self._wanted is None:
            return None
        frame = self._take()
        if frame is None:
            if self._reader.finished():
                self._end()
            return None
        now = self._clock()
        if self.playing and self._before >= 0 and not self.every:
            self.dropped += frame.number - self._before - 1
        # After a jump, or when far behind, restart the clock here; catching up would skip everything in between.
        jumped = self._wanted is not None or self._before < 0
        if jumped or frame.number < self._due_frame(now) - CATCH_UP_S * self.fps:
            self._base = (frame.number, now)
        self._before, self._wanted, self.last = frame.number, None, frame
        self._shown.append(now)
        return frame

    def close(self) -> None:
        """Release the source."""
        self._reader.close()

    def _take(self) -> Frame | None:
        if self.endless or self.every or self._wanted is not None:
            return self._reader.take()
        return self._reader.take_due(self._due_frame(self._clock()), late=max(2, round(LATE_S * self.fps)))

    def _due_frame(self, now: float) -> int:
        number, at = self._base
        return number + int((now - at) * self.fps)

    def _end(self) -> None:
        if self.last is None:
            message = f"{title(self.path)} contains no frame that can be read."
            raise Refusal(message, advice="Copy it again, or convert it to MP4 (H.264).")
        claimed, length = self._reader.count, self._reader.length
        if self._wanted is not None and length < 0:
            self.note = (
                f"Frame {self._wanted:,} of {title(self.path)} cannot be read: the file is cut short or damaged."
            )
        elif claimed - length > max(2, MISSING_PART * claimed) and length >= 0 and not self._end_reported:
            self._end_reported = True
            self.note = f"{title(self.path)} ends after {length:,} of {claimed:,} frames: it is cut short or damaged."
        self.playing, self._wanted = False, None
        self._shown.clear()
