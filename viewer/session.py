"""The session: carries documents to requests and answers to whoever shows them. No Qt: it can begin before Qt is there.

What is opened replaces what is shown only once it could be read: what fails leaves the last good one in place.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models import images
from models.cards import DEFAULT_MODEL
from models.images import Picture
from models.inspection import Description
from models.requests import Request
from models.types import Failure, Refusal, Result, Source
from viewer.document import Document
from viewer.jobs import Jobs, Lane, Post
from viewer.plan import DESCRIBE_SLOT, Wants, plan
from viewer.store import Store

OPENING = "opening"
PICTURES_KEPT = 4


@dataclass
class Listeners:
    """Who wants to know: each list is called with what its name says."""

    picture: list[Callable[[Source, Picture], None]] = field(default_factory=list)
    result: list[Callable[[str, Request, Result], None]] = field(default_factory=list)
    described: list[Callable[[Description], None]] = field(default_factory=list)
    failure: list[Callable[[str, Failure], None]] = field(default_factory=list)
    progress: list[Callable[[float, str], None]] = field(default_factory=list)
    state: list[Callable[[], None]] = field(default_factory=list)
    unreadable: list[Callable[[Source, Failure], None]] = field(default_factory=list)
    opened: list[Callable[[str, str], None]] = field(default_factory=list)


class Session:
    """A store, jobs and the last good answers. `results` holds them by slot, with the request each answers."""

    def __init__(self, lane: Lane, document: Document | None = None) -> None:
        self.store = Store(document)
        self.jobs = Jobs(lane, self._deliver)
        self.on = Listeners()
        self.descriptions: dict[str, Description] = {}
        self.results: dict[str, tuple[Request, Result]] = {}
        self.wants: list[tuple[str, Wants]] = []
        self.wanted: dict[str, Request] = {}
        self.shown: Source | None = None
        self.pictures: OrderedDict[Source, Picture] = OrderedDict()
        self.target = -1
        self.store.listen(self._changed)

    def begin(self, post: Post, wants: Sequence[tuple[str, Wants]]) -> None:
        """Bring the engine up and ask for what the document wants."""
        self.wants = list(wants)
        self.jobs.start(post)
        self.replan()

    def replan(self) -> None:
        """Ask for what the document wants now, and no longer for what it does not."""
        document = self.store.document
        self.wanted = plan(document, self.description, self.wants)
        if self.description is not None:
            self.wanted.pop(DESCRIBE_SLOT)
        for slot, request in self.wanted.items():
            done = self.results.get(slot)
            if done is None or done[0] != request:
                self.jobs.want(slot, request)
            elif slot in self.jobs.slots:
                self.jobs.slots[slot].waiting = None
        for slot in self.jobs.slots:
            if slot not in self.wanted and slot != OPENING:
                self.jobs.forget(slot)
        for slot in set(self.results) - set(self.wanted):
            del self.results[slot]
        if document.source is not None and document.source != self.shown:
            self._read(document.source, "picture")
        self._tell_state()

    @property
    def description(self) -> Description | None:
        """What is known of the document's model, once the engine opened it."""
        return self.descriptions.get(self.store.document.model)

    @property
    def stale(self) -> bool:
        """Whether an answer on screen is not yet the one wanted."""
        return any(slot not in self.results or self.results[slot][0] != r for slot, r in self.wanted.items())

    def open_paths(self, paths: Sequence[str | Path]) -> None:
        """Open pictures and folders, the first picture shown; weights open as the model. Failures are told."""
        weights = [p for p in paths if Path(p).suffix.lower() in images.WEIGHTS_SUFFIXES]
        for path in weights[:1]:
            self.open_model(str(Path(path).absolute()))
        rest = [p for p in paths if p not in weights]
        if not rest:
            return
        try:
            sources = tuple(Source.file(p) for p in images.expand(rest))
        except Refusal as refusal:
            self._tell_failure("open", Failure(str(refusal), refusal.advice))
            return
        self._read(sources[0], "open", sources)

    def go(self, index: int) -> None:
        """Go to a picture of the film strip, once it could be read."""
        sources = self.store.document.sources
        if not sources:
            return
        self.target = max(0, min(index, len(sources) - 1))
        if self.target == self.store.document.current:
            return
        self._read(Source.file(sources[self.target].path), "go", self.target)

    def step(self, by: int) -> None:
        """Go some pictures on from where the last step leads."""
        start = self.target if self.target >= 0 else self.store.document.current
        self.go(start + by)

    def open_model(self, name: str) -> None:
        """Open a model by name or weights file; it becomes the document's once the engine could open it."""
        self.jobs.want(OPENING, Request("describe", name))
        self._tell_state()

    def _read(self, source: Source, why: str, extra: Any = None) -> None:
        if source in self.pictures:
            self._have(source, self.pictures[source], why, extra)
            return

        def work() -> tuple[Source, Picture | Failure, str, Any]:
            try:
                return source, images.read(source), why, extra
            except Refusal as refusal:
                return source, Failure(str(refusal), refusal.advice), why, extra

        self.jobs.local("picture", work)

    def _have(self, source: Source, picture: Picture | Failure, why: str, extra: Any) -> None:
        if isinstance(picture, Failure):
            self.target = -1
            for call in self.on.unreadable:
                call(source, picture)
            self._tell_failure("picture", picture)
            return
        self.pictures[source] = picture
        while len(self.pictures) > PICTURES_KEPT:
            self.pictures.popitem(last=False)
        document = self.store.document
        match why:
            case "open":
                self.shown = source
                self.store.update(document.with_sources(extra), title="Open " + source.name)
            case "go":
                self.target = -1
                sources = tuple(source if i == extra else s for i, s in enumerate(document.sources))
                self.shown = source
                self.store.update(document.with_sources(sources, current=document.current).with_current(extra))
            case _ if document.source != source:
                return
        self.shown = source
        for call in self.on.picture:
            call(source, picture)
        if why == "open":
            for tell in self.on.opened:
                tell("picture", source.path)
        self._tell_state()

    def _changed(self, before: Document, after: Document) -> None:
        if (before.model, before.source) != (after.model, after.source):
            self.results.clear()
        self.replan()

    def _deliver(self, event: str, *values: Any) -> None:
        match event, values:
            case "done", (slot, request, answer):
                self._done(slot, request, answer)
            case "progress", (_, fraction, text):
                for call in self.on.progress:
                    call(fraction, text)
            case "local", ("picture", (source, picture, why, extra)):
                self._have(source, picture, why, extra)
            case "local", (_, Failure() as failure):
                self._tell_failure("picture", failure)
            case "local", (_, call):
                call()
            case "lost", (text,):
                self._tell_failure("engine", Failure(text))
        self._tell_state()

    def _done(self, slot: str, request: Request, answer: Result | Failure) -> None:
        if isinstance(answer, Failure):
            self._failed(slot, request, answer)
        elif "description" in answer.meta:
            self._described(slot, request, answer.meta["description"])
        elif (request.model, request.source) == (self.store.document.model, self.store.document.source):
            self.results[slot] = (request, answer)
            for call in self.on.result:
                call(slot, request, answer)

    def _described(self, slot: str, request: Request, description: Description) -> None:
        self.descriptions[request.model] = description
        if slot == OPENING and request.model != self.store.document.model:
            self.store.update(self.store.document.with_model(request.model), title="Open " + description.title)
            for tell in self.on.opened:
                tell("model", request.model)
        if request.model != self.store.document.model:
            return
        for call in self.on.described:
            call(description)
        self.replan()

    def _failed(self, slot: str, request: Request, failure: Failure) -> None:
        self.wanted.pop(slot, None)
        if not failure.cancelled:
            self._tell_failure(slot, failure)
        if slot == DESCRIBE_SLOT and request.model != DEFAULT_MODEL and not failure.cancelled:
            self.store.update(self.store.document.with_model(DEFAULT_MODEL))

    def _tell_failure(self, slot: str, failure: Failure) -> None:
        for call in self.on.failure:
            call(slot, failure)

    def _tell_state(self) -> None:
        for call in self.on.state:
            call()
