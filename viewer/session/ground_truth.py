"""The session's ground truth: read in the background, cached by path, restored by undo.

Ground truth is shown only once it is read completely; if it cannot be read, the previous one stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from models.pictures import images
from models.truth.types import Truth
from models.types import Cancelled, Failure, Refusal, Source
from viewer.session.state import SessionState
from viewer.translation import tr

SLOT = "truth"
MOST_KEPT = 4
PROGRESS_S = 0.05


class OpenPictures(Protocol):
    """A function that opens pictures together with their ground truth, as one undo step."""

    def __call__(self, sources: tuple[Source, ...], *, truth: Source | None = None) -> None:
        """Open the pictures."""


class GroundTruth:
    """The document's ground truth: `current`, None until it is read; `reading` says whether one is being read."""

    def __init__(self, state: SessionState, *, open_pictures: OpenPictures) -> None:
        self._state, self._open_pictures = state, open_pictures
        self.current: Truth | None = None
        self._kept: dict[str, tuple[Source, Truth]] = {}
        self._number = 0
        self._wanted = ""
        self._reported: Source | None = None

    @property
    def reading(self) -> bool:
        """Whether ground truth is being read."""
        return bool(self._wanted)

    def open(self, path: str | Path, *, pictures: bool = False) -> None:
        """Open ground truth; also its pictures if `pictures` is set or none are open."""
        source = Source.file(path)

        def done(truth: Truth, sources: tuple[Source, ...]) -> None:
            self._keep(source, truth)
            self._show(source, sources, pictures=pictures)

        self._read(source, done)

    def close(self) -> None:
        """Close the ground truth."""
        store = self._state.store
        store.update(store.document.with_truth(None), title=tr("Close ground truth"))

    def cancel(self) -> None:
        """Stop reading; ground truth in the document that was never read is removed from it."""
        self._number, self._wanted = self._number + 1, ""
        store = self._state.store
        if store.document.truth is not None and store.document.truth.path not in self._kept:
            store.update(store.document.with_truth(None))

    def stop(self) -> None:
        """Stop reading, without changing the document."""
        self._number += 1

    def again(self) -> None:
        """Read the ground truth again if its file changed.

        A folder is always read again, because its time stamp is no evidence.
        """
        source = self._state.store.document.truth
        if source is None or source.path not in self._kept:
            return
        fresh = Source.file(source.path)
        if fresh == self._kept[source.path][0] and not Path(source.path).is_dir():
            return

        def done(truth: Truth, _: tuple[Source, ...]) -> None:
            before = self._kept[source.path][1]
            self._keep(fresh, truth)
            self._state.store.update(self._state.store.document.with_truth(fresh))
            self.follow()
            if _size(truth) != _size(before):
                self._report_opened(fresh)

        self._read(fresh, done)

    def follow(self, *, looking: bool = False) -> None:
        """Show the document's ground truth: from the cache, or by reading it.

        With `looking`, check whether its file changed.
        """
        source = self._state.store.document.truth
        if source is None:
            self._set(None)
        elif source.path in self._kept:
            self._set(self._kept[source.path][1])
            if looking:
                self._check_file(self._kept[source.path][0])
        elif source.path != self._wanted:

            def done(truth: Truth, sources: tuple[Source, ...]) -> None:
                self._keep(source, truth)
                self._show(source, sources, pictures=False)

            self._read(source, done)

    def _read(self, source: Source, done: Callable[[Truth, tuple[Source, ...]], None]) -> None:
        self._number += 1
        self._wanted, number, jobs, reported_s = source.path, self._number, self._state.jobs, 0.0

        def progress(fraction: float | None, text: str) -> None:
            nonlocal reported_s
            if number != self._number:
                raise Cancelled
            if time.monotonic() - reported_s > PROGRESS_S:
                reported_s = time.monotonic()
                jobs.later(lambda: self._progress(number, fraction, text))

        def work() -> Callable[[], None]:
            try:
                truth = jobs.read(SLOT, source, wanted=lambda: number == self._number, progress=progress)
                sources = _pictures(source, truth)
                truth.prepare()
            except Cancelled:
                return lambda: None
            except Refusal as refusal:
                failure = Failure(str(refusal), refusal.advice)
                return lambda: self._failed(number, failure)
            return lambda: self._done(number, truth, sources, done)

        self._state.jobs.local(SLOT, work)
        self._state.report_state()

    def _done(
        self,
        number: int,
        truth: Truth,
        sources: tuple[Source, ...],
        done: Callable[[Truth, tuple[Source, ...]], None],
    ) -> None:
        if number == self._number:
            self._wanted = ""
            done(truth, sources)
            self._state.report_state()

    def _failed(self, number: int, failure: Failure) -> None:
        if number == self._number:
            self.cancel()
            self._state.report_failure(SLOT, failure)

    def _keep(self, source: Source, truth: Truth) -> None:
        self._kept.pop(source.path, None)
        self._kept[source.path] = source, truth
        for path in list(self._kept)[:-MOST_KEPT]:
            del self._kept[path]

    def _show(self, source: Source, sources: tuple[Source, ...], *, pictures: bool) -> None:
        state = self._state
        document = state.store.document
        if pictures or not (document.sources or state.reading):
            # In one undo step with the pictures, once the first of them has been read.
            self._open_pictures(sources, truth=source)
        else:
            title = "" if document.truth == source else tr("Open ground truth {source}", source=source.name)
            state.store.update(document.with_truth(source).with_view(outcomes=True), title=title)
            self.follow()
            self._report_opened(source)

    def _set(self, truth: Truth | None) -> None:
        if truth is not self.current:
            self.current = truth
            for call in self._state.on.truth:
                call(truth)

    def _check_file(self, known: Source) -> None:
        """Report once that the file is missing or has changed.

        A folder changes with every file that is written to it.
        """
        fresh = Source.file(known.path)
        gone = fresh.stamp == (0, 0)
        if fresh in (known, self._reported) or (not gone and Path(known.path).is_dir()):
            return
        self._reported = fresh
        what = tr("no longer exists. What was read from it stays") if gone else tr("changed on disk. F5 reads it again")
        for call in self._state.on.failure:
            call(SLOT, Failure(tr("The ground truth {known} {what}.", known=known.name, what=what)))

    def _progress(self, number: int, fraction: float | None, text: str) -> None:
        if number == self._number and self._wanted:
            for call in self._state.on.progress:
                call(fraction, text)

    def _report_opened(self, source: Source) -> None:
        for call in self._state.on.opened:
            call(SLOT, source.path)


def _pictures(source: Source, truth: Truth) -> tuple[Source, ...]:
    """Return the pictures to open with ground truth.

    All in its folder if that is a folder of pictures, else its own.
    """
    try:
        paths = images.pictures_in(Path(source.path))
    except Refusal:
        paths = [Path(picture.path) for picture in truth.pictures]
    return tuple(Source.file(path) for path in paths)


def _size(truth: Truth) -> tuple[int, int, int]:
    return len(truth.pictures), truth.boxes, truth.omitted
