"""Jobs: lanes to the engine, slots where the latest request wins, progress, cancel, restart. The only file that starts
threads or processes. No Qt: messages reach the owner through the `post` it gives, which must be safe from any thread.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from models.requests import Request
from models.serve import FLAGS, receive, send, serve
from models.types import Answer, Failure, Refusal

GRACE_S = 2.0
MOST_DEATHS = 2
MOST_STARTS = 3
Post = Callable[[tuple[Any, ...]], None]


class Mailbox:
    """Messages from other threads, in order, until the window's thread takes them. `wake` is set once Qt is there."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self.wake: Callable[[], None] | None = None

    def post(self, message: tuple[Any, ...]) -> None:
        """Put a message in, from any thread."""
        self._messages.put(message)
        if self.wake is not None:
            self.wake()

    def empty(self, handle: Callable[[tuple[Any, ...]], None]) -> None:
        """Hand every message over, on the calling thread."""
        while True:
            try:
                message = self._messages.get_nowait()
            except queue.Empty:
                return
            handle(message)


class Lane(Protocol):
    """How the engine is reached. Messages come back as ("ready"|"progress"|"done"|"lost", ...) through `post`."""

    def start(self, post: Post) -> None:
        """Bring the engine up."""

    def submit(self, number: int, request: Request) -> None:
        """Have a request answered; numbers rise."""

    def cancel(self, number: int) -> None:
        """Call off a request."""

    def restart(self) -> None:
        """End the engine, whatever it does, and bring a fresh one up."""

    def stop(self) -> None:
        """End the engine."""


class ProcessLane:
    """An engine in a process of its own, spawned; a thread here passes its messages on."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._called_off = self._context.Array("q", FLAGS, lock=False)
        self._post: Post = lambda message: None
        self._generation = 0
        self._process: Any = None
        self._pipe: Any = None

    @property
    def pid(self) -> int:
        """The engine's process id, 0 when there is none."""
        return int(self._process.pid or 0) if self._process else 0

    def start(self, post: Post) -> None:
        """Spawn the engine. Return at once; ("ready", facts) follows."""
        self._post = post
        self._generation += 1
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=serve, args=(theirs, self._called_off), name="vitrine-engine", daemon=True
        )
        self._process.start()
        theirs.close()
        arguments = (self._pipe, self._process, self._generation)
        threading.Thread(target=self._listen, args=arguments, name="vitrine-listen", daemon=True).start()

    def submit(self, number: int, request: Request) -> None:
        """Send a request. If the engine is gone, ("lost", ...) tells."""
        with contextlib.suppress(OSError):
            send(self._pipe, ("run", number, request))

    def cancel(self, number: int) -> None:
        """Raise the request's shared flag, which the engine reads between module calls."""
        self._called_off[number % FLAGS] = number

    def restart(self) -> None:
        """Kill the engine and spawn another."""
        self._end()
        self.start(self._post)

    def stop(self) -> None:
        """Kill the engine."""
        self._end()

    def _end(self) -> None:
        self._generation += 1
        if self._process is None:
            return
        self._process.kill()
        self._process.join(GRACE_S)
        self._pipe.close()
        self._process = None

    def _listen(self, pipe: Any, process: Any, generation: int) -> None:
        try:
            while True:
                message = receive(pipe)
                if generation == self._generation:
                    self._post(message)
        except Exception:  # what cannot be read is as good as a dead engine, which ends with EOFError or OSError
            if generation != self._generation:
                return
            process.join(GRACE_S)
            self._post(("lost", process.exitcode))


class InlineLane:
    """The same engine in this process, answering within `submit`: for tests and headless use."""

    def __init__(self, engine: Any = None) -> None:
        self.engine: Any = engine
        self._post: Post = lambda message: None

    def start(self, post: Post) -> None:
        """Make the engine."""
        self._post = post
        if self.engine is None:
            import importlib

            self.engine = importlib.import_module("models.engine").Engine()
        post(("ready", {}))

    def submit(self, number: int, request: Request) -> None:
        """Answer the request now."""
        from models.context import Context

        context = Context(lambda fraction, text: self._post(("progress", number, fraction, text)))
        answer = self.engine.run(request, context)
        self._post(("done", number, answer))

    def cancel(self, number: int) -> None:
        """Do nothing: requests are answered within `submit`."""

    def restart(self) -> None:
        """Make a fresh engine."""
        self.engine = None
        self.start(self._post)

    def stop(self) -> None:
        """Do nothing."""


@dataclass
class Slot:
    """One question the owner keeps asking: what runs, what waits behind it (only the newest), how often it died."""

    running: Request | None = None
    number: int = 0
    waiting: Request | None = None
    deaths: int = 0
    called_off_at: float = 0.0


class Jobs:
    """Requests in slots over a lane. Every method is called on the owner's thread, `handle` with each posted message.

    `deliver(event, *values)` gets: ready; done slot request answer; progress slot fraction text; lost text; picture
    results of `local`. A slot that is asked anew while it runs answers the running request first if that differs in
    parameters alone (a slider stays alive), else calls it off.
    """

    def __init__(self, lane: Lane, deliver: Callable[..., None]) -> None:
        self.lane = lane
        self.deliver = deliver
        self.slots: dict[str, Slot] = {}
        self.ready = False
        self.down = False
        self._stopped = False
        self._starts = 0
        self._head = (0, 0.0)
        self._next = 1
        # Two, so that a picture need not wait for a data set that is being read.
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="vitrine-local")
        self._local: dict[str, int] = {}
        self._post: Post = lambda message: None

    def start(self, post: Post, *, started: bool = False) -> None:
        """Bring the lane up unless it is; `post` must hand messages to `handle` on the owner's thread."""
        self._post = post
        if not started:
            self.lane.start(post)

    def later(self, call: Callable[[], None]) -> None:
        """Have `call` made on the owner's thread, from any thread."""
        self._post(("call", call))

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""
        return any(slot.running or slot.waiting for slot in self.slots.values())

    def idle(self, name: str) -> bool:
        """Whether nothing runs or waits in a slot."""
        slot = self.slots.get(name)
        return slot is None or not (slot.running or slot.waiting)

    def want(self, name: str, request: Request) -> None:
        """Ask `request` in a slot; what waited there is forgotten."""
        slot = self.slots.setdefault(name, Slot())
        if slot.running is None:
            self._submit(slot, request)
            return
        if request == slot.running and not slot.called_off_at:
            slot.waiting = None
            return
        slot.waiting = request
        running = slot.running
        if (running.model, running.source) != (request.model, request.source):
            self._call_off(slot)

    def keep(self, name: str) -> None:
        """Ask nothing more in a slot; what runs may finish."""
        if name in self.slots:
            self.slots[name].waiting = None

    def forget(self, name: str) -> None:
        """Ask nothing in a slot any more."""
        slot = self.slots.get(name)
        if slot is not None:
            slot.waiting = None
            if slot.running is not None:
                self._call_off(slot)

    def cancel(self) -> None:
        """Call off everything. What does not stop within `GRACE_S` has its engine replaced by `tick`."""
        for name in self.slots:
            self.forget(name)

    def tick(self) -> None:
        """Replace an engine that did not heed a cancel in time; to be called a few times a second while busy.

        Only the oldest request is being worked on; its grace begins when it is both that and called off.
        """
        head = min((slot for slot in self._all() if slot.running), key=lambda slot: slot.number, default=None)
        if head is None or not self.ready:
            return
        now = time.monotonic()
        if head.number != self._head[0]:
            self._head = (head.number, now)
        if head.called_off_at and now - max(head.called_off_at, self._head[1]) > GRACE_S:
            self.deliver("lost", "The engine did not stop when asked and was replaced.")
            self._revive(blame=False)

    def local(self, name: str, work: Callable[[], object]) -> None:
        """Run `work` on this process's pool thread; deliver ("local", name, its value or Failure) if still newest."""
        number = self._local[name] = self._local.get(name, 0) + 1

        def run() -> None:
            if number != self._local[name]:
                return
            try:
                value = work()
            except Refusal as refusal:
                value = Failure(str(refusal), refusal.advice)
            except Exception as error:
                value = Failure(f"{type(error).__name__}: {error}")
            self._post(("local", name, number, value))

        if not self._stopped:
            self._pool.submit(run)

    def stop(self) -> None:
        """End the lane and the pool; what is asked afterwards is not done."""
        self._stopped = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.lane.stop()

    def handle(self, message: tuple[Any, ...]) -> None:
        """Take a message of the lane or the pool."""
        match message:
            case ("ready", _):
                self.ready, self._starts = True, 0
                self.deliver("ready")
            case ("progress", number, fraction, text):
                for name, slot in self.slots.items():
                    if slot.running and slot.number == number and not slot.called_off_at:
                        self.deliver("progress", name, fraction, text)
            case ("done", number, answer):
                self._done(number, answer)
            case ("local", name, number, value):
                if number == self._local[name]:
                    self.deliver("local", name, value)
            case ("call", call):
                call()
            case ("lost", code):
                self._starts += not self.ready
                if self._starts >= MOST_STARTS:
                    self._give_up(code)
                    return
                self.deliver("lost", f"The engine stopped unexpectedly (exit code {code}). A fresh one takes over.")
                self._revive(blame=self.ready)

    def _all(self) -> list[Slot]:
        return list(self.slots.values())

    def _submit(self, slot: Slot, request: Request) -> None:
        if self.down:
            self.down, self._starts = False, 0
            self.lane.restart()
        slot.running, slot.waiting, slot.called_off_at = request, None, 0.0
        slot.number, self._next = self._next, self._next + 1
        self.lane.submit(slot.number, request)

    def _call_off(self, slot: Slot) -> None:
        if not slot.called_off_at:
            slot.called_off_at = time.monotonic()
            self.lane.cancel(slot.number)

    def _done(self, number: int, answer: Answer) -> None:
        for name, slot in self.slots.items():
            if slot.running is None or slot.number != number:
                continue
            request, called_off, waiting = slot.running, slot.called_off_at, slot.waiting
            slot.running, slot.deaths, slot.called_off_at = None, 0, 0.0
            if waiting is not None:
                self._submit(slot, waiting)
            if not called_off:
                self.deliver("done", name, request, answer)
            elif waiting is None:
                self.deliver("done", name, request, Failure("Cancelled.", cancelled=True))
            return

    def _give_up(self, code: int) -> None:
        """Stop trying to start an engine that never gets ready, until something is asked anew."""
        self.down = True
        text = f"The engine could not be started (exit code {code}, {MOST_STARTS} tries)."
        for name, slot in list(self.slots.items()):
            request, slot.running, slot.waiting = slot.running, None, None
            if request is not None:
                failure = Failure(text, "Check that PyTorch and torchvision can be imported, then change a setting.")
                self.deliver("done", name, request, failure)

    def _revive(self, *, blame: bool) -> None:
        """Bring a fresh engine up and ask again what was wanted; what killed it `MOST_DEATHS` times is given up."""
        lost = {name: slot for name, slot in self.slots.items() if slot.running}
        first = min(lost.values(), key=lambda s: s.number, default=None)
        self.ready = False
        self.lane.restart()
        for name, slot in lost.items():
            request, wanted, called_off = slot.running, slot.waiting, slot.called_off_at
            if request is None:
                continue
            slot.running, slot.called_off_at = None, 0.0
            if blame and slot is first:
                slot.deaths += 1
            if wanted is None and called_off:
                self.deliver("done", name, request, Failure("Cancelled.", cancelled=True))
            elif slot.deaths >= MOST_DEATHS:
                slot.deaths = 0
                text = f"The engine stopped {MOST_DEATHS} times while working on {request.inspection}."
                self.deliver("done", name, request, Failure(text, "Try another picture or model."))
                if wanted is not None and wanted != request and slot.running is None:
                    self._submit(slot, wanted)
            else:
                self._submit(slot, wanted or request)
