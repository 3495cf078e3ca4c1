"""Download weights: one file at a time, in the background, with cancellation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from models.cards.zoo_catalogue import Entry
from models.types import Cancelled, Failure, Refusal
from models.zoo.fetch import fetch
from viewer.session.job_queue import Jobs
from viewer.translation import tr

SLOT = "download"
PROGRESS_S = 0.1
PARTS = 100


class Downloads:
    """The current download: `entry`, None for none, `done` bytes of `total` (0 if unknown).

    `listeners` are called on changes. `failure` says why the last download did not succeed; a cancelled one
    is a Failure too.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._stop = threading.Event()
        self.entry: Entry | None = None
        self.done = self.total = 0
        self.failure: Failure | None = None
        self.listeners: list[Callable[[], None]] = []

    def start(self, entry: Entry, then: Callable[[Entry], None]) -> None:
        """Download an entry's weights unless a download is running, and call `then` once they are in the cache."""
        if self.entry is not None:
            return
        self._stop = stop = threading.Event()
        self.entry, self.done, self.total, self.failure = entry, 0, entry.bytes, None
        self._update_text()
        reported_s, reported = 0.0, 0

        def report(done: int, total: int) -> None:
            nonlocal reported_s, reported
            # Report at time intervals for slow downloads, and at fractions of the total, so that the first report after
            # resuming shows what was already there.
            if time.monotonic() - reported_s > PROGRESS_S or (done - reported) * PARTS >= max(total, PARTS):
                reported_s, reported = time.monotonic(), done
                self._jobs.later(lambda: self._progress(entry, done, total))

        def work() -> Callable[[], None]:
            try:
                fetch(entry, report=report, cancelled=stop.is_set)
            except Cancelled:
                failure = Failure(
                    tr("The download was stopped."), tr("What has been downloaded is kept."), cancelled=True
                )
                return lambda: self._ended(failure)
            except Refusal as refusal:
                failure = Failure(str(refusal), refusal.advice)
                return lambda: self._ended(failure)
            except Exception as error:
                failure = Failure(tr("The download failed ({name}: {error}).", name=type(error).__name__, error=error))
                return lambda: self._ended(failure)

            def finished() -> None:
                self._ended(None)
                then(entry)

            return finished

        self._jobs.local(SLOT, work)

    def cancel(self) -> None:
        """Cancel the download; the part received is kept."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether the current download was cancelled."""
        return self.entry is not None and self._stop.is_set()

    def _progress(self, entry: Entry, done: int, total: int) -> None:
        if entry == self.entry:
            self.done, self.total = done, total
            self._update_text()

    def _ended(self, failure: Failure | None) -> None:
        self.entry, self.failure = None, failure
        self._update_text()

    def _update_text(self) -> None:
        for call in self.listeners:
            call()
