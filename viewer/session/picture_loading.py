"""Read pictures for a session: the next of the film strip, newly opened ones, those that undo leads to.

A picture replaces the one shown only once it has been read; on failure the last good one stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from models.pictures import reading
from models.pictures.images import Picture
from models.types import Failure, Refusal, Source
from viewer.session.document import Document
from viewer.session.live_playback import LivePlayback
from viewer.session.state import SessionState
from viewer.translation import tr

Accept = Callable[[int], None]


class PictureLoading:
    """Reads in the background, one at a time; only the most recently requested picture is shown.

    `replan` submits the document's requests. Stepping skips the `unreadable` pictures.
    """

    def __init__(self, state: SessionState, live: LivePlayback, *, replan: Callable[[], None]) -> None:
        self._state, self._live, self._replan = state, live, replan
        self.unreadable: set[Source] = set()
        self._target, self._reads = -1, 0

    def open(self, sources: tuple[Source, ...], *, truth: Source | None = None) -> None:
        """Open pictures with their ground truth, and show the first readable one."""
        self._read(sources, lambda index: self._open(sources, index, truth))

    def add(self, source: Source) -> None:
        """Add a picture to the film strip and show it, once it has been read."""
        store = self._state.store

        def done(_: int) -> None:
            document = store.document
            sources = (*document.sources, source)
            store.update(
                document.with_sources(sources, current=len(sources) - 1),
                title=tr("Open {source}", source=source.name),
            )

        self._read([source], done)

    def again(self) -> None:
        """Read the document's picture again if its file changed."""
        document = self._state.store.document
        fresh = Source.file(document.file.path) if document.file else None
        if fresh is not None and fresh != self._state.shown:
            self._read([fresh], lambda _: self._go_to(document.current))

    def undo(self) -> None:
        """Undo the last step, once the picture it leads to has been read."""
        store = self._state.store
        self._travel(lambda: store.previous, store.undo)

    def redo(self) -> None:
        """Redo the last undone step, once the picture it leads to has been read."""
        store = self._state.store
        self._travel(lambda: store.following, store.redo)

    def go(self, index: int) -> None:
        """Go to a picture of the film strip, once it has been read."""
        sources = self._state.store.document.sources
        index = max(0, min(index, len(sources) - 1))
        if not sources or index == self._state.store.document.current:
            self.call_off()
        else:
            self._target = index
            self._read([Source.file(sources[index].path)], lambda _: self._go_to(index))

    def step(self, by: int) -> None:
        """Go one picture forwards or backwards from where the last step leads, skipping unreadable ones."""
        sources = self._state.store.document.sources
        index = (self._target if self._target >= 0 else self._state.store.document.current) + by
        while 0 <= index < len(sources) and Source.file(sources[index].path) in self.unreadable:
            index += by
        if 0 <= index < len(sources):
            self.go(index)

    def remove(self, index: int) -> None:
        """Take a picture out of the list, once the one to show instead has been read; its file stays."""
        store = self._state.store
        document = store.document
        if not 0 <= index < len(document.sources):
            return
        left = tuple(source for number, source in enumerate(document.sources) if number != index)
        title = tr("Remove {sources}", sources=document.sources[index].name)
        if index != document.current:
            current = document.current - (index < document.current)
            store.update(replace(document, sources=left, current=current), title=title)
        elif not left:
            self.call_off()
            store.update(document.with_sources(()), title=title)
        else:
            start = min(index, len(left) - 1)
            self._read(
                left[start:],
                lambda at: store.update(store.document.with_sources(left, current=start + at), title=title),
            )

    def call_off(self) -> None:
        """Forget what is being read."""
        self._reads, self._target, self._state.reading = self._reads + 1, -1, False

    def read_own(self) -> None:
        """Read the picture of a document set from elsewhere; if it cannot be read, go on to the next one."""
        sources, start = self._state.store.document.sources, self._state.store.document.current

        def accept(index: int) -> None:
            # Panels may have become visible while the picture was read, so use the current document.
            self._state.store.update(self._state.store.document.with_current(start + index))

        self._read(sources[start:], accept, own=True)

    def _go_to(self, index: int) -> None:
        document = self._state.store.document
        sources = tuple(
            self._state.shown if i == index and self._state.shown else s for i, s in enumerate(document.sources)
        )
        if sources != document.sources:
            document = document.with_sources(sources, current=document.current)
        self._state.store.update(document.with_current(index), title=tr("Go to ") + sources[index].name, merge="go")

    def _open(self, sources: tuple[Source, ...], index: int, truth: Source | None) -> None:
        document = self._state.store.document.with_sources(sources, current=index)
        if truth is not None:
            document = document.with_truth(truth).with_view(outcomes=True)
        self._state.store.update(document, title=tr("Open {truth}", truth=(truth or sources[index]).name))
        for tell in self._state.on.opened:
            tell("picture", sources[index].path)
            if truth is not None:
                tell("truth", truth.path)

    def _travel(self, target: Callable[[], Document | None], step: Callable[[], None]) -> None:
        self.call_off()
        document = target()
        if document is None:
            return

        def accept(_: int) -> None:
            # If a slider was moved while the picture was read, there is another step on top: do not undo that one.
            if target() == document:
                step()
            else:
                self._replan()

        if document.file is None or document.file == self._state.shown:
            step()
        else:
            self._read([document.file], accept)

    def _read(self, sources: Sequence[Source], accept: Accept, *, own: bool = False) -> None:
        """Read some pictures until one succeeds, and call `accept` with its index."""
        self._reads += 1
        self._state.reading, number = True, self._reads
        self._live.stop_opening()
        if sources[0] in self._state.pictures:
            self._have(sources, 0, self._state.pictures[sources[0]], accept)
            return
        if sources[0].moving:
            self._live.open(sources[0], lambda failure: self._begun(number, sources, failure, accept, own=own))
            return

        jobs = self._state.jobs

        def work() -> Callable[[], None]:
            failures: list[Failure] = []
            found: Picture | None = None
            for source in sources:
                if source.moving:
                    break
                try:
                    found = jobs.read(reading.PICTURE, source, wanted=lambda: number == self._reads)
                    break
                except Refusal as refusal:
                    failures.append(Failure(str(refusal), refusal.advice))

            def done() -> None:
                if number != self._reads:
                    return
                self._unreadable(sources, failures)
                if found is None and (rest := sources[len(failures) :]):
                    self._read(rest, lambda index: accept(len(failures) + index), own=own)
                else:
                    self._have(sources, len(failures), found, accept, own=own)

            return done

        self._state.jobs.local("picture", work)

    def _begun(
        self, number: int, sources: Sequence[Source], failure: Failure | None, accept: Accept, *, own: bool
    ) -> None:
        """Show a video whose first frame has arrived; if it could not be opened, read the sources after it."""
        if number != self._reads:
            self._live.follow()
            return
        if failure is None:
            self._state.reading, self._target, self._state.shown = False, -1, sources[0]
            accept(0)
            return
        self._unreadable(sources[:1], [failure])
        if sources[1:]:
            self._read(sources[1:], lambda index: accept(index + 1), own=own)
        else:
            self._have(sources, 1, None, accept, own=own)

    def _unreadable(self, sources: Sequence[Source], failures: list[Failure]) -> None:
        for source, failure in zip(sources, failures, strict=False):
            self.unreadable.add(source)
            for call in self._state.on.unreadable:
                call(source, failure)
        if len(failures) > 1:
            text = tr(
                "{message} {failures:,} more cannot be read either.",
                message=failures[0].message,
                failures=len(failures) - 1,
            )
            self._state.report_failure("picture", Failure(text, tr("Look for the warning sign among the pictures.")))
        elif failures:
            self._state.report_failure("picture", failures[0])

    def _have(
        self, sources: Sequence[Source], index: int, picture: Picture | None, accept: Accept, *, own: bool = False
    ) -> None:
        self._state.reading, self._target = False, -1
        if picture is None:
            if own:
                self._state.store.update(self._state.store.document.with_sources(()))
            self._replan()
            return
        source = self._state.shown = sources[index]
        self.unreadable.discard(source)
        self._state.pictures[source] = picture
        accept(index)
        if self._state.shown != source:
            return
        for call in self._state.on.picture:
            call(source, picture)
        self._state.report_state()
