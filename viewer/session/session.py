"""The session: carries documents to requests and answers to whoever shows them. No Qt: it can begin before Qt is there.

What is opened replaces what is shown only once it could be read: what fails leaves the last good one in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models import images
from models.cards.card import DEFAULT_MODEL
from models.files import MODEL_SUFFIXES
from models.images import Picture
from models.inspection import Description
from models.requests import Request
from models.runtime.stage_cache import Cache
from models.truth.read import recognise
from models.truth.types import Truth
from models.types import Failure, Refusal, Result, Source
from viewer.session.document import Document
from viewer.session.events import Listeners
from viewer.session.ground_truth import Truths
from viewer.session.history import Store
from viewer.session.job_queue import Jobs, Lane, Post, firsts, queue_of
from viewer.session.live_playback import Live
from viewer.session.request_plan import DESCRIBE_SLOT, DETECT_SLOT, Wants, plan
from viewer.session.second_model import Beside

OPENING = "opening"
PICTURES_BYTES = 300_000_000
Accept = Callable[[int], None]


class Session:
    """A store, jobs and the last good answers: `results` by slot, with the request each answers.

    `failed` are the requests that were given up, not asked again of themselves; stepping passes over the `unreadable`.
    """

    def __init__(self, lane: Lane, document: Document | None = None) -> None:
        self.store = Store(document)
        self.jobs = Jobs(lane, self._deliver)
        self.on = Listeners()
        self.live = Live(self)
        self.descriptions: dict[str, Description] = {}
        self.results: dict[str, tuple[Request, Result]] = {}
        self.failed: dict[str, Request] = {}
        self.wants: list[tuple[str, Wants]] = []
        self.wanted: dict[str, Request] = {}
        self.shown: Source | None = None
        self.pictures = Cache(PICTURES_BYTES)
        self.unreadable: set[Source] = set()
        self.reading, self._target, self._reads, self.good = False, -1, 0, DEFAULT_MODEL
        self.truths = Truths(self)
        self.beside = Beside(self)
        self.store.listen(self._changed)

    def begin(self, post: Post, wants: Sequence[tuple[str, Wants]], *, started: bool = False) -> None:
        """Bring the engine up, unless it was `started`, and ask for what the document wants."""
        self.wants = list(wants)
        self.jobs.start(post, started=started)
        self.truths.follow()
        self.replan()

    def replan(self) -> None:
        """Ask for what the document wants now, and no longer for what it does not."""
        document = self.store.document
        self.live.follow()
        self.wanted = plan(document, self.description, self.wants) | self.beside.wanted()
        if self.description is not None:
            self.wanted.pop(DESCRIBE_SLOT)
        for slot, request in self.wanted.items():
            if self._answered(slot) or self.failed.get(slot) == request:
                self.jobs.keep(slot)
            else:
                self.failed.pop(slot, None)
                self.jobs.want(slot, request)
        for slot in self.jobs.slots:
            if slot not in self.wanted and slot != OPENING:
                self.jobs.forget(slot)
        for slot in set(self.results) - set(self.wanted) - ({DETECT_SLOT} if self.live.playing else set()):
            del self.results[slot]
        if document.file is not None and document.file != self.shown and not self.reading:
            self._read_own()
        self._tell_state()

    @property
    def description(self) -> Description | None:
        """What is known of the document's model, once the engine opened it."""
        return self.descriptions.get(self.store.document.model)

    @property
    def truth(self) -> Truth | None:
        """The ground truth that is open, once it was read."""
        return self.truths.current

    @property
    def stale(self) -> bool:
        """Whether an answer on screen is not the one wanted: not yet, or after a failure. Queues take their time."""
        return not all(self._answered(slot) or queue_of(slot) for slot in self.wanted)

    def open_paths(self, paths: Sequence[str | Path]) -> None:
        """Open pictures and folders, the first readable picture shown; weights open as the model, a JSON file as ground
        truth, a folder with ground truth as both. Failures are told.
        """
        weights = [p for p in paths if Path(p).suffix.lower() in MODEL_SUFFIXES]
        for path in weights[:1]:
            self.open_model(str(Path(path).absolute()))
        truths = [p for p in paths if recognise(p)]
        paths = [p for p in paths if p not in weights and p not in truths]
        if truths:
            self.truths.open(truths[0], pictures=not paths and Path(truths[0]).is_dir())
        sources: list[Source] = []
        for path in paths:
            try:
                sources += images.sources([path])
            except Refusal as refusal:
                self._tell_failure("open", Failure(str(refusal), refusal.advice))
        if sources:
            self.open_sources(tuple(sources))

    def open_sources(self, sources: tuple[Source, ...], *, truth: Source | None = None) -> None:
        """Open pictures, the first readable one shown, and with them their ground truth."""
        self._read(sources, lambda index: self._open(sources, index, truth))

    def go(self, index: int) -> None:
        """Go to a picture of the film strip, once it could be read."""
        sources = self.store.document.sources
        index = max(0, min(index, len(sources) - 1))
        if not sources or index == self.store.document.current:
            self._call_off()
        else:
            self._target = index
            self._read([Source.file(sources[index].path)], lambda _: self._go(index))

    def step(self, by: int) -> None:
        """Go one picture on or back from where the last step leads, past those that could not be read."""
        sources = self.store.document.sources
        index = (self._target if self._target >= 0 else self.store.document.current) + by
        while 0 <= index < len(sources) and Source.file(sources[index].path) in self.unreadable:
            index += by
        if 0 <= index < len(sources):
            self.go(index)

    def open_model(self, name: str) -> None:
        """Open a model by name or weights file; it becomes the document's once the engine could open it."""
        self.jobs.want(OPENING, Request("describe", name), first=True)
        self._tell_state()

    def undo(self) -> None:
        """Take the last step back, once the picture it leads to could be read."""
        self._travel(lambda: self.store.previous, self.store.undo)

    def redo(self) -> None:
        """Do the last undone step again, once the picture it leads to could be read."""
        self._travel(lambda: self.store.following, self.store.redo)

    def again(self) -> None:
        """Ask everything anew: what was cancelled or failed, the picture or the model after its file changed."""
        self.failed.clear()
        self.results.clear()
        self.truths.again()
        document = self.store.document
        fresh = Source.file(document.file.path) if document.file else None
        if fresh is not None and fresh != self.shown:
            self._read([fresh], lambda _: self._go(document.current))
        self.jobs.want(OPENING, Request("describe", document.model))
        self.replan()

    def _answered(self, slot: str) -> bool:
        return slot in self.results and self.results[slot][0] == self.wanted[slot]

    def tick(self) -> None:
        """Look after the engine, and ask again what was answered in part; to be called a few times a second."""
        for slot in firsts(slot for slot in self.wanted if self._answered(slot) and self._partial(slot)):
            if self.jobs.idle(slot):
                self.jobs.want(slot, self.wanted[slot], urgent=False)
        self.jobs.tick()
        self.live.tick()

    def stop(self) -> None:
        """Finish what is recorded, and end the engine."""
        self.live.stop()
        self.jobs.stop()

    def _partial(self, slot: str) -> bool:
        """Whether an answer says that more comes of itself: its work goes on while the engine is idle."""
        return bool(self.results[slot][1].meta.get("partial"))

    def _open(self, sources: tuple[Source, ...], index: int, truth: Source | None) -> None:
        document = self.store.document.with_sources(sources, current=index)
        if truth is not None:
            document = document.with_truth(truth).with_view(outcomes=True)
        self.store.update(document, title=f"Open {(truth or sources[index]).name}")
        for tell in self.on.opened:
            tell("picture", sources[index].path)
            if truth is not None:
                tell("truth", truth.path)

    def _go(self, index: int) -> None:
        document = self.store.document
        sources = tuple(self.shown if i == index and self.shown else s for i, s in enumerate(document.sources))
        if sources != document.sources:
            document = document.with_sources(sources, current=document.current)
        self.store.update(document.with_current(index), title="Go to " + sources[index].name, merge="go")

    def _travel(self, target: Callable[[], Document | None], step: Callable[[], None]) -> None:
        self._call_off()
        document = target()
        if document is None:
            return

        def accept(_: int) -> None:
            # A slider moved while the picture was read has put another step on top: that one is not meant.
            if target() == document:
                step()
            else:
                self.replan()

        if document.file is None or document.file == self.shown:
            step()
        else:
            self._read([document.file], accept)

    def _call_off(self) -> None:
        self._reads, self._target, self.reading = self._reads + 1, -1, False

    def _read_own(self) -> None:
        """Read the picture of a document that came from elsewhere; go on to the next where it cannot be read."""
        sources, start = self.store.document.sources, self.store.document.current

        def accept(index: int) -> None:
            # Panels may have come into view while the picture was read.
            self.store.update(self.store.document.with_current(start + index))

        self._read(sources[start:], accept, own=True)

    def _read(self, sources: Sequence[Source], accept: Accept, *, own: bool = False) -> None:
        """Read the first of some pictures that can be read, and `accept` its index."""
        self._reads += 1
        self.reading, number = True, self._reads
        self.live.stop_opening()
        if sources[0] in self.pictures:
            self._have(sources, 0, self.pictures[sources[0]], accept)
            return
        if sources[0].moving:
            self.live.open(sources[0], lambda failure: self._begun(number, sources, failure, accept, own=own))
            return

        def work() -> Callable[[], None]:
            failures: list[Failure] = []
            found: Picture | None = None
            for source in sources:
                if source.moving:
                    break
                try:
                    found = images.read(source)
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

        self.jobs.local("picture", work)

    def _begun(
        self, number: int, sources: Sequence[Source], failure: Failure | None, accept: Accept, *, own: bool
    ) -> None:
        """Show what moves, whose first frame is there; where it could not be opened, read what comes after it."""
        if number != self._reads:
            self.live.follow()
            return
        if failure is None:
            self.reading, self._target, self.shown = False, -1, sources[0]
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
            for call in self.on.unreadable:
                call(source, failure)
        if len(failures) > 1:
            text = f"{failures[0].message} {len(failures) - 1:,} more cannot be read either."
            self._tell_failure("picture", Failure(text, "Look for the warning sign among the pictures."))
        elif failures:
            self._tell_failure("picture", failures[0])

    def _have(
        self, sources: Sequence[Source], index: int, picture: Picture | None, accept: Accept, *, own: bool = False
    ) -> None:
        self.reading, self._target = False, -1
        if picture is None:
            if own:
                self.store.update(self.store.document.with_sources(()))
            self.replan()
            return
        source = self.shown = sources[index]
        self.unreadable.discard(source)
        self.pictures[source] = picture
        accept(index)
        if self.shown != source:
            return
        for call in self.on.picture:
            call(source, picture)
        self._tell_state()

    def _changed(self, before: Document, after: Document) -> None:
        if (before.model, before.source) != (after.model, after.source):
            gone = before.file.path if before.file is not None and before.file != after.file else ""
            kept = self.results.items() if before.model == after.model else ()
            others = {s: r.source for s, (r, _) in kept if r.source is None or r.source != before.source}
            self.results = {s: self.results[s] for s, source in others.items() if not source or source.path != gone}
            if (before.model, before.file) != (after.model, after.file):
                self.failed.clear()
        if after.source is None:
            self.shown = None
        self.truths.follow(looking=before.source != after.source)
        self.replan()

    def _deliver(self, event: str, *values: Any) -> None:
        match event, values:
            case "done", (slot, request, answer):
                self._done(slot, request, answer)
            case "progress", (_, fraction, text):
                for call in self.on.progress:
                    call(fraction, text)
            case "local", (name, Failure() as failure):
                if name == "picture":
                    self._call_off()
                if name == "truth":
                    self.truths.cancel()
                self._tell_failure(name, failure)
            case "local", (_, call):
                call()
            case "live", (number, *rest):
                self.live.take(number, *rest)
            case "ready", ():
                self.live.engine_ready()
            case "lost", (text, details):
                self.live.engine_lost()
                self._tell_failure("engine", Failure(text, details=details))
        self._tell_state()

    def _done(self, slot: str, request: Request, answer: Result | Failure) -> None:
        if isinstance(answer, Failure):
            self._failed(slot, request, answer)
        elif "description" in answer.meta:
            self._described(slot, request, answer.meta["description"])
        elif slot in self.wanted and request.subject == self.wanted[slot].subject:
            if self._answered(slot) and not self._partial(slot):
                return
            self.results[slot] = (request, answer)
            for call in self.on.result:
                call(slot, request, answer)

    def _described(self, slot: str, request: Request, description: Description) -> None:
        self.descriptions[request.model] = description
        if slot == OPENING and request.model != self.store.document.model:
            self.store.update(self.store.document.with_model(request.model), title="Open " + description.name)
            for tell in self.on.opened:
                tell("model", request.model)
        if request.model == self.store.document.model:
            self.good = request.model
            for call in self.on.described:
                call(description)
        self.replan()

    def _failed(self, slot: str, request: Request, failure: Failure) -> None:
        if slot != OPENING and request != self.wanted.get(slot):
            return
        self.failed[slot] = request
        self._tell_failure(slot, failure)
        if slot == DESCRIBE_SLOT and request.model != self.good and not failure.cancelled:
            self.store.update(self.store.document.with_model(self.good))

    def _tell_failure(self, slot: str, failure: Failure) -> None:
        for call in self.on.failure:
            call(slot, failure)

    def _tell_state(self) -> None:
        for call in self.on.state:
            call()
