"""Reads a capture on a thread of its own, so that nothing else waits for a slow file, camera or network.

Besides the window's lanes this is the only module that starts a thread: OpenCV blocks until a frame arrives.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Literal

from models.live.capture import Capture
from models.pictures.media import is_endless
from models.types import Pixels, Refusal

AHEAD = 2
CLOSE_S = 0.3
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 15.0
State = Literal["opening", "reading", "ended", "lost", "refused"]


@dataclass(frozen=True)
class Frame:
    """A frame with its number from 0, the `read_ms` it took to read, and `at`, its arrival in monotonic seconds."""

    number: int
    pixels: Pixels
    read_ms: float
    at: float


class Reader:
    """Reads on from frame `start`. For a file up to `AHEAD` frames are queued in order, else only the newest is kept.

    `state` is the state of reading. A lost camera or stream is retried after 1, 2, 4, ... seconds, at `retry_at` in
    monotonic seconds. One that could never be opened is "refused", with the reason in `refusal`, unless it was open
    before (`again`). `length` is the true number of frames once the end has been read, else -1.
    """

    def __init__(self, path: str, *, start: int = 0, again: bool = False) -> None:
        self.path = path
        self._again = again
        self.state: State = "opening"
        self.refusal: Refusal | None = None
        self.retry_at = 0.0
        self.fps, self.count, self.length = 0.0, 0, -1
        self._frames: deque[Frame] = deque()
        self._turn = threading.Condition()
        self._target: int | None = start or None
        self._skip_to = self._awaited = 0
        self._closed = False
        run = self._watch if is_endless(path) else self._read_file
        self._thread = threading.Thread(target=run, name="vitrine-capture", daemon=True)
        self._thread.start()

    def take(self) -> Frame | None:
        """Return the next frame if it has been read; for a camera or stream the newest."""
        with self._turn:
            frame = self._frames.popleft() if self._frames else None
            self._skip_to = 0
            self._turn.notify_all()
        return frame

    def take_due(self, due: int, *, late: int) -> Frame | None:
        """Return the newest queued frame up to number `due`, or None. A frame more than `late` behind is skipped."""
        with self._turn:
            frame = None
            while self._frames and self._frames[0].number <= due:
                frame = self._frames.popleft()
            # A frame that was waited for is shown however late it is; on a slow disk nothing would ever be shown
            # otherwise.
            if frame is not None and frame.number < due - late and not 0 < self._awaited <= frame.number:
                self._awaited, frame = due, None
            elif frame is not None:
                self._awaited = 0
            self._skip_to = due
            self._turn.notify_all()
        return frame

    def seek(self, number: int) -> None:
        """Continue from another frame."""
        with self._turn:
            self._skip_to = self._awaited = 0
            if self._target is None and self._frames and self._frames[0].number == number:
                return
            self._frames.clear()
            self._target, self.state = number, "reading"
            self._turn.notify_all()

    def finished(self) -> bool:
        """Return whether the file's end has been read and every frame taken."""
        with self._turn:
            return self.state == "ended" and not self._frames

    def close(self) -> None:
        """Stop reading. A thread blocked on the network ends when its read times out."""
        with self._turn:
            self._closed = True
            self._frames.clear()
            self._turn.notify_all()
        self._thread.join(CLOSE_S)

    def _read_file(self) -> None:
        try:
            capture = Capture(self.path)
        except Refusal as refusal:
            self.refusal, self.state = refusal, "refused"
            return
        self.fps, self.count = capture.fps, capture.count
        known = True  # whether the frame before `capture.next` is known to exist, so that a failed read is the true end
        while True:
            with self._turn:
                self._turn.wait_for(self._has_work)
                if self._closed:
                    break
                target, self._target, skip_to = self._target, None, self._skip_to
            began = time.perf_counter()
            if target is not None and target != capture.next:
                capture.seek(target)
                known = False
            while capture.next < skip_to and capture.skip():
                known = True
            number = capture.next
            pixels = capture.read() if target in (None, number) else None
            took = (time.perf_counter() - began) * 1000
            with self._turn:
                if pixels is not None:
                    known = True
                elif known:
                    self.length = number
                if self._target is not None:
                    continue
                self.state = "ended" if pixels is None else "reading"
                if pixels is not None:
                    self._frames.append(Frame(number, pixels, took, time.monotonic()))
        capture.close()

    def _has_work(self) -> bool:
        return self._closed or self._target is not None or (self.state != "ended" and len(self._frames) < AHEAD)

    def _watch(self) -> None:
        number, tries = 0, 0
        while not self._closed:
            try:
                capture = Capture(self.path)
            except Refusal as refusal:
                if not number and not self._again:
                    self.refusal, self.state = refusal, "refused"
                    return
            else:
                self.fps = capture.fps
                while not self._closed:
                    began = time.perf_counter()
                    try:
                        pixels = capture.read()
                    except Refusal as refusal:  # it is no camera's, and would be the same again
                        capture.close()
                        self.refusal, self.state = refusal, "refused"
                        return
                    if pixels is None:
                        break
                    took = (time.perf_counter() - began) * 1000
                    with self._turn:
                        self._frames.clear()
                        self._frames.append(Frame(number, pixels, took, time.monotonic()))
                        self.state = "reading"
                    number, tries = number + 1, 0
                capture.close()
            wait = min(FIRST_WAIT_S * 2**tries, LONGEST_WAIT_S)
            tries += 1
            with self._turn:
                self.retry_at, self.state = time.monotonic() + wait, "lost"
                self._turn.wait_for(lambda: self._closed, wait)
