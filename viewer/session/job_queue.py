"""Jobs: slots over a lane to the engine, in which the latest request wins; progress, cancel, restart.

Messages reach the owner through the `post` function it provides, which must be thread-safe.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from models import model_name
from models.pictures import reading
from models.requests import Request
from models.types import Answer, Cancelled, Failure, Refusal, Source
from viewer.engine_texts import arrived, shown
from viewer.session import engine_process
from viewer.session.document_paths import of_request
from viewer.session.engine_process import GRACE_S, InlineLane, Lane, Mailbox, Pool, Post, ProcessLane
from viewer.translation import tr

__all__ = ["InlineLane", "Jobs", "Lane", "Mailbox", "Post", "ProcessLane"]

MOST_DEATHS = 2
MOST_STARTS = 3
DESCRIBE = "describe"  # the inspection that opens a model and asks nothing


def queue_of(slot: str) -> str:
    """Return the queue of a slot named "queue.name"; the slots of a queue are answered one at a time.

    "" for other slots.
    """
    queue, dot, _ = slot.partition(".")
    return queue if dot else ""


def firsts(slots: Iterable[str]) -> list[str]:
    """Return the slots without all but the first of each queue."""
    return list({queue_of(slot) or slot: slot for slot in reversed(list(slots))}.values())


def _doing(request: Request) -> str:
    """Return in words what the engine does for a request; a model runs already while it is opened."""
    title = model_name.title(request.model)
    return (
        tr("while opening {title}", title=title)
        if request.inspection == DESCRIBE
        else tr("at {inspection} with {title}", inspection=request.inspection, title=title)
    )


EngineState = Literal["starting", "ready", "restarting", "stopped"]


@dataclass
class Slot:
    """A slot: the running request, the newest waiting one, and how many engines died on it."""

    running: Request | None = None
    number: int = 0
    waiting: Request | None = None
    deaths: int = 0
    called_off_at: float = 0.0


class Jobs:
    """Requests in slots over a lane. Every method is called on the owner's thread, `handle` with each posted message.

    `deliver(event, *values)` is called with: ready; done slot request answer; progress slot fraction text; lost text;
    live number and the engine's playback messages; picture results of `local`. If a slot gets a new request while one
    is running, the running one is finished first if they differ only in parameters (so that a slider stays responsive);
    otherwise it is cancelled.
    """

    def __init__(self, lane: Lane, deliver: Callable[..., None]) -> None:
        self.lane = lane
        self.deliver = deliver
        self.slots: dict[str, Slot] = {}
        self.ready = False
        self.down = False
        self.lost = False
        self._stopped = False
        self._starts = 0
        self._head = (0, 0.0)
        self._next = 1
        self._missed: set[str] = set()
        self._pool = Pool()
        self._local: dict[str, int] = {}
        self._post: Post = lambda message: None

    def start(self, post: Post, *, started: bool = False) -> None:
        """Start the lane unless it is `started`; `post` must pass messages to `handle` on the owner's thread."""
        self._post = post
        if not started:
            self.lane.start(post)

    def later(self, call: Callable[[], None]) -> None:
        """Run `call` on the owner's thread; thread-safe."""
        self._post(("call", call))

    @property
    def busy(self) -> bool:
        """Whether anything is running or waiting."""
        return any(slot.running or slot.waiting for slot in self.slots.values())

    def idle(self, name: str) -> bool:
        """Whether nothing is running or waiting in a slot."""
        slot = self.slots.get(name)
        return slot is None or not (slot.running or slot.waiting)

    def want(self, name: str, request: Request, *, urgent: bool = True, first: bool = False) -> None:
        """Submit `request` in a slot, in place of the one waiting there.

        An `urgent` request cancels the queues' running requests; one that goes `first` cancels everything running,
        which might never end by itself.
        """
        slot = self.slots.setdefault(name, Slot())
        if slot.running is None:
            slot.waiting = request
            if first or (urgent and not queue_of(name)):
                self._cancel_running(everything=first)
            self._submit_next(name)
            return
        if request == slot.running and not slot.called_off_at:
            slot.waiting = None
            return
        slot.waiting = request
        running = slot.running
        if (running.model, running.source) != (request.model, request.source):
            self._cancel(slot)

    def number(self) -> int:
        """Return a new number for playback, by which it can be cancelled like a request."""
        number, self._next = self._next, self._next + 1
        return number

    def keep(self, name: str) -> None:
        """Drop the waiting request of a slot; the running one may finish."""
        if name in self.slots:
            self.slots[name].waiting = None

    def forget(self, name: str) -> None:
        """Drop all requests of a slot."""
        slot = self.slots.get(name)
        if slot is not None:
            slot.waiting = None
            if slot.running is not None:
                self._cancel(slot)

    def cancel(self) -> None:
        """Cancel everything. An engine that does not stop within `GRACE_S` is replaced by `tick`."""
        for name in self.slots:
            self.forget(name)

    def tick(self) -> None:
        """Replace an engine that did not react to a cancel in time; call this a few times a second while busy.

        Only the oldest request is being processed, so its grace period starts when it is both the oldest and cancelled.
        """
        head = min((slot for slot in self._all() if slot.running), key=lambda slot: slot.number, default=None)
        if head is None or not self.ready:
            return
        now = time.monotonic()
        if head.number != self._head[0]:
            self._head = (head.number, now)
        if head.called_off_at and now - max(head.called_off_at, self._head[1]) > GRACE_S:
            name = model_name.title(head.running.model) if head.running else tr("The model")
            text = tr(
                "{name} did not stop within {grace_s:g} s when asked, so the engine was replaced.",
                name=name,
                grace_s=GRACE_S,
            )
            self.deliver("lost", text, "")
            self._restart_engine(blame=False)

    def local(self, name: str, work: Callable[[], object]) -> None:
        """Run `work` in this process's thread pool.

        Deliver ("local", name, its value or Failure) if it is still the newest.
        """
        number = self._local[name] = self._local.get(name, 0) + 1

        def run() -> None:
            if number != self._local[name]:
                return
            try:
                value = work()
            except Refusal as refusal:
                value = Failure(str(refusal), refusal.advice)
            except Cancelled:
                return
            except Exception as error:
                value = Failure(f"{type(error).__name__}: {error}")
            self._post(("local", name, number, value))

        if not self._stopped:
            self._pool.submit(run)

    def read(
        self,
        task: str,
        source: Source,
        option: int = 0,
        *,
        wanted: Callable[[], bool] = lambda: True,
        progress: reading.Progress | None = None,
    ) -> Any:
        """Return the result of `models.pictures.reading.read` through the lane; to be called by `work` of `local`."""
        return self.lane.read(task, source, option, wanted=wanted, progress=progress)

    @property
    def state(self) -> EngineState:
        """The engine's state; a lost engine is not ready, whatever it was before."""
        if self.ready:
            return "ready"
        return "stopped" if self.down else "restarting" if self.lost else "starting"

    def stop(self) -> None:
        """Stop the lane and the pool; later requests are ignored."""
        self._stopped = True
        self._pool.stop()
        self.lane.stop()

    def handle(self, message: tuple[Any, ...]) -> None:
        """Handle a message of the lane or the pool."""
        match message:
            case ("ready", _):
                self.ready, self.lost, self._starts = True, False, 0
                self.deliver("ready")
            case ("progress", number, fraction, text):
                for name, slot in self.slots.items():
                    if slot.running and slot.number == number and not slot.called_off_at:
                        self.deliver("progress", name, fraction, shown(text))
            case ("done", number, answer):
                self._done(number, arrived(answer))
            case ("live", number, *rest):
                self.deliver("live", number, *rest)
            case ("local", name, number, value):
                if number == self._local[name]:
                    self.deliver("local", name, arrived(value) if isinstance(value, Failure) else value)
            case ("call", call):
                call()
            case ("lost", code, *said):
                was_ready, self.ready, self.lost = self.ready, False, True
                self._starts += not was_ready
                details = "".join(said)
                if self._starts >= MOST_STARTS:
                    self._give_up(code, details)
                    return
                head, how = self._first(), engine_process.ending_words(code)
                at = f" {_doing(head)}" if head is not None and was_ready else ""
                text = tr("The engine stopped unexpectedly{at}: {how}. A fresh one takes over.", at=at, how=how)
                self.deliver("lost", text, details)
                self._restart_engine(
                    blame=was_ready, how=how, details=details, again=code != engine_process.OVER_MEMORY
                )

    def _all(self) -> list[Slot]:
        return list(self.slots.values())

    def restart_for(self, paths: Iterable[str]) -> bool:
        """Replace an engine that cannot read one of these files; return whether that was necessary.

        A sandboxed engine cannot read files that were created in a restricted place after it started.
        """
        missed = [path for path in paths if path not in self._missed and not self.lane.reaches(path)]
        self._missed.update(missed)  # once per file, in case a new engine cannot read it either
        if missed:
            name = os.path.basename(missed[0])  # noqa: PTH119
            self.renew(tr("{name} was added after the engine had started, so a fresh one takes over.", name=name))
        return bool(missed)

    def renew(self, text: str) -> None:
        """Start a new engine and submit all requests again."""
        self.deliver("lost", text, "")
        self._restart_engine(blame=False)

    def _submit(self, slot: Slot, request: Request) -> None:
        self.restart_for(of_request(request))
        if self.down:
            self.down, self._starts = False, 0
            self.lane.restart()
        slot.running, slot.waiting, slot.called_off_at = request, None, 0.0
        slot.number = self.number()
        self.lane.submit(slot.number, request)

    def _submit_next(self, name: str) -> None:
        """Submit the request waiting in a slot, or the next one in its queue if none of the queue is running."""
        queue = queue_of(name)
        line = (
            {n: slot for n, slot in self.slots.items() if queue_of(n) == queue} if queue else {name: self.slots[name]}
        )
        if not any(slot.running for slot in line.values()):
            first = next((slot for slot in line.values() if slot.waiting), None)
            if first is not None and first.waiting is not None:
                self._submit(first, first.waiting)

    def _cancel_running(self, *, everything: bool) -> None:
        """Cancel running requests, in queues or everywhere.

        They are submitted again after the one they made way for.
        """
        for name, slot in self.slots.items():
            if (everything or queue_of(name)) and slot.running is not None and not slot.called_off_at:
                slot.waiting = slot.waiting or slot.running
                self._cancel(slot)

    def _cancel(self, slot: Slot) -> None:
        if not slot.called_off_at:
            slot.called_off_at = time.monotonic()
            self.lane.cancel(slot.number)

    def _done(self, number: int, answer: Answer) -> None:
        for name, slot in self.slots.items():
            if slot.running is None or slot.number != number:
                continue
            request, called_off, waiting = slot.running, slot.called_off_at, slot.waiting
            slot.running, slot.deaths, slot.called_off_at = None, 0, 0.0
            self._submit_next(name)
            if not called_off:
                self.deliver("done", name, request, answer)
            elif waiting is None:
                self.deliver("done", name, request, Failure("Cancelled.", cancelled=True))
            return

    def _first(self) -> Request | None:
        """Return the request that is being processed."""
        running = [slot for slot in self._all() if slot.running]
        return min(running, key=lambda slot: slot.number).running if running else None

    def _give_up(self, code: int | None, details: str) -> None:
        """Stop trying to start an engine that never becomes ready, until there is a new request."""
        self.down = True
        text = tr(
            "The engine could not be started (exit code {code}, {most_starts} tries).",
            code=code,
            most_starts=MOST_STARTS,
        )
        for name, slot in list(self.slots.items()):
            request, slot.running, slot.waiting = slot.running or slot.waiting, None, None
            if request is not None:
                failure = Failure(
                    text, tr("Check that PyTorch and torchvision can be imported, then change a setting."), details
                )
                self.deliver("done", name, request, failure)

    def _restart_engine(self, *, blame: bool, how: str = "", details: str = "", again: bool = True) -> None:
        """Start a new engine and submit the wanted requests again.

        A request on which the engine died `MOST_DEATHS` times is given up, or after the first time unless `again`.
        """
        slots = sorted(self.slots.items(), key=lambda item: bool(item[1].called_off_at))  # cancelled ones go last
        lost = {name: slot for name, slot in slots if slot.running}
        first = min(lost.values(), key=lambda s: s.number, default=None)
        self.ready = False
        self.lane.restart()
        for name, slot in lost.items():
            request, wanted, called_off = slot.running, slot.waiting, slot.called_off_at
            if request is None:
                continue
            slot.running, slot.called_off_at = None, 0.0
            if blame and slot is first:
                slot.deaths += 1 if again else MOST_DEATHS
            if wanted is None and called_off:
                self.deliver("done", name, request, Failure("Cancelled.", cancelled=True))
            elif slot.deaths >= MOST_DEATHS:
                slot.deaths = 0
                text = tr(
                    "The engine stopped {what}{doing}: {how}.",
                    what=tr("{most_deaths} times ", most_deaths=MOST_DEATHS) if again else "",
                    doing=_doing(request),
                    how=how,
                )
                opening = request.inspection == DESCRIBE
                advice = tr("Try another model.") if opening else tr("Try another picture or model.")
                self.deliver("done", name, request, Failure(text, advice, details))
                if wanted is not None and wanted != request and slot.running is None:
                    self._submit(slot, wanted)
            else:
                self._submit(slot, wanted or request)
            if queue_of(name):
                self._submit_next(name)
