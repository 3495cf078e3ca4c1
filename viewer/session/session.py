"""The session: submits the requests of documents and passes results to whoever shows them. It can start before Qt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.cards import card
from models.cards.card import DEFAULT_MODEL
from models.cards.model_folder import is_model
from models.inspection import Description
from models.pictures import images
from models.requests import Request
from models.truth.read import recognise
from models.truth.types import Truth
from models.types import Failure, Refusal, Result, Source
from viewer.session.document import Document
from viewer.session.ground_truth import GroundTruth
from viewer.session.job_queue import Lane, Post, firsts, queue_of
from viewer.session.live_playback import LivePlayback
from viewer.session.picture_loading import PictureLoading
from viewer.session.request_plan import DESCRIBE_SLOT, DETECT_SLOT, Wants, plan
from viewer.session.second_model import SecondModel
from viewer.session.state import SessionState
from viewer.translation import tr

OPENING = "opening"


class Session:
    """A state and the parts that change it: picture `loading`, `live` playback, `truths`, and the second model
    `beside`.
    """

    def __init__(self, lane: Lane, document: Document | None = None) -> None:
        self._state = state = SessionState(lane, document, self._deliver)
        self.store, self.jobs, self.on, self.pictures = state.store, state.jobs, state.on, state.pictures
        self.descriptions, self.failed = state.descriptions, state.failed
        self.wants: list[tuple[str, Wants]] = []
        self.good = DEFAULT_MODEL
        self.live = LivePlayback(state)
        self.loading = PictureLoading(state, self.live, replan=self.replan)
        self.truths = GroundTruth(state, open_pictures=self.loading.open)
        self.beside = SecondModel(state, replan=self.replan)
        self.store.listen(self._changed)

    def begin(self, post: Post, wants: Sequence[tuple[str, Wants]], *, started: bool = False) -> None:
        """Start the engine, unless it was `started`, and submit the document's requests."""
        self.wants = list(wants)
        self.jobs.start(post, started=started)
        self.truths.follow()
        self.replan()

    def replan(self) -> None:
        """Submit the document's current requests, and drop those it no longer has."""
        document = self.store.document
        self.live.follow()
        self._state.wanted = plan(document, self.description, self.wants) | self.beside.wanted()
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
            self.loading.read_own()
        self._state.report_state()

    @property
    def description(self) -> Description | None:
        """The description of the document's model, once the engine has opened it."""
        return self._state.description

    @property
    def results(self) -> dict[str, tuple[Request, Result]]:
        """The last good results by slot, with their requests."""
        return self._state.results

    @property
    def wanted(self) -> dict[str, Request]:
        """The document's current requests by slot."""
        return self._state.wanted

    @property
    def shown(self) -> Source | None:
        """The picture on screen."""
        return self._state.shown

    @property
    def reading(self) -> bool:
        """Whether a picture is being read."""
        return self._state.reading

    @property
    def truth(self) -> Truth | None:
        """The open ground truth, once it has been read."""
        return self.truths.current

    @property
    def stale(self) -> bool:
        """Whether a result on screen is not for the current request: still pending, or failed.

        Queues are not counted.
        """
        return not all(self._answered(slot) or queue_of(slot) for slot in self.wanted)

    def open_paths(self, paths: Sequence[str | Path]) -> None:
        """Open pictures and folders, and show the first readable picture; report failures.

        Weights and a model's folder are opened as the model, a JSON file as ground truth, and a folder with ground
        truth as both.
        """
        weights = [p for p in paths if is_model(p)]
        for path in weights[:1]:
            self.open_model(card.canonical(str(path)))
        truths = [p for p in paths if p not in weights and recognise(p)]
        paths = [p for p in paths if p not in weights and p not in truths]
        if truths:
            self.truths.open(truths[0], pictures=not paths and Path(truths[0]).is_dir())
        sources: list[Source] = []
        for path in paths:
            try:
                sources += images.sources([path])
            except Refusal as refusal:
                self._state.report_failure("open", Failure(str(refusal), refusal.advice))
        if sources:
            self.loading.open(tuple(sources))

    def open_picture(self, path: str) -> None:
        """Show a picture: the one of the film strip, or a further one added to it."""
        sources = self.store.document.sources
        known = next((row for row, source in enumerate(sources) if source.path == path), None)
        if known is not None:
            self.loading.go(known)
        else:
            self.loading.add(Source.file(path))

    def go(self, index: int) -> None:
        """Go to a picture of the film strip, once it has been read."""
        self.loading.go(index)

    def remove(self, index: int) -> None:
        """Take a picture out of the film strip; its file stays."""
        self.loading.remove(index)

    def step(self, by: int) -> None:
        """Go one picture forwards or backwards, skipping unreadable ones."""
        self.loading.step(by)

    def undo(self) -> None:
        """Undo the last step, once the picture it leads to has been read."""
        self.loading.undo()

    def redo(self) -> None:
        """Redo the last undone step, once the picture it leads to has been read."""
        self.loading.redo()

    def open_model(self, name: str) -> None:
        """Open a model by name or weights file; it becomes the document's model once the engine has opened it."""
        self.jobs.want(OPENING, Request("describe", name), first=True)
        self._state.report_state()

    def again(self) -> None:
        """Submit all requests again: cancelled and failed ones, and those whose picture or model file changed."""
        self.failed.clear()
        self.results.clear()
        self.truths.again()
        document = self.store.document
        self.loading.again()
        self.jobs.want(OPENING, Request("describe", document.model))
        self.replan()

    def _answered(self, slot: str) -> bool:
        return slot in self.results and self.results[slot][0] == self.wanted[slot]

    def tick(self) -> None:
        """Supervise the engine, and repeat requests with partial results; call this a few times a second."""
        for slot in firsts(slot for slot in self.wanted if self._answered(slot) and self._partial(slot)):
            if self.jobs.idle(slot):
                self.jobs.want(slot, self.wanted[slot], urgent=False)
        self.jobs.tick()
        self.live.tick()

    def stop(self) -> None:
        """Finish a recording, and stop the engine."""
        self.live.stop()
        self.truths.stop()
        self.jobs.stop()

    def _partial(self, slot: str) -> bool:
        """Whether a result says that it will be completed while the engine is idle."""
        return bool(self.results[slot][1].meta.get("partial"))

    def _changed(self, before: Document, after: Document) -> None:
        if (before.model, before.source) != (after.model, after.source):
            gone = before.file.path if before.file is not None and before.file != after.file else ""
            kept = self.results.items() if before.model == after.model else ()
            others = {s: r.source for s, (r, _) in kept if r.source is None or r.source != before.source}
            self._state.results = {
                s: self.results[s] for s, source in others.items() if not source or source.path != gone
            }
            if (before.model, before.file) != (after.model, after.file):
                self.failed.clear()
        if after.source is None:
            self._state.shown = None
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
                    self.loading.call_off()
                if name == "truth":
                    self.truths.cancel()
                self._state.report_failure(name, failure)
            case "local", (_, call):
                call()
            case "live", (number, *rest):
                self.live.take(number, *rest)
            case "ready", ():
                self.live.engine_ready()
            case "lost", (text, details):
                self.live.engine_lost()
                self._state.report_failure("engine", Failure(text, details=details))
        self._state.report_state()

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
            self.store.update(self.store.document.with_model(request.model), title=tr("Open ") + description.name)
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
        self._state.report_failure(slot, failure)
        if slot == DESCRIBE_SLOT and request.model != self.good and not failure.cancelled:
            self.store.update(self.store.document.with_model(self.good))
