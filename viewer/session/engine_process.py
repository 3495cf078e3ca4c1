"""Lanes to the engine, in its own process or in this one, and the thread pool for the window's own work.

Apart from `engine_start` and `reading_process`, only this file of the window starts threads or processes. Messages go
back through the `post` function that the owner provides.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from models import output_files
from models.engine.process import FLAGS, receive, send
from models.live.shared_frames import SharedMemoryReader, SharedMemoryWriter
from models.live.status import Facts, Shown
from models.pictures import reading
from models.requests import Request
from models.runtime import kept_folder, memory_limits, sandbox
from models.types import Source
from viewer.session import engine_start
from viewer.session.reading_process import ReadingProcesses, Wanted
from viewer.translation import tr

OVER_MEMORY = -1000  # in place of an exit code, if the window killed it for using too much memory
WINDOWS_CODES = {
    0xC0000005: tr("it crashed (access violation)"),
    0xC00000FD: tr("it crashed (stack overflow)"),
    0xC0000409: tr("it crashed (damaged stack)"),
    0xC000001D: tr("it crashed (illegal instruction)"),
    0xC0000017: tr("it ran out of memory"),
}
SIGNALS = {
    "SIGKILL": tr("it was ended by the system, probably because memory ran out"),
    "SIGSEGV": tr("it crashed (segmentation fault)"),
    "SIGBUS": tr("it crashed (bus error)"),
    "SIGILL": tr("it crashed (illegal instruction)"),
    "SIGFPE": tr("it crashed (arithmetic error)"),
    "SIGABRT": tr("it crashed (aborted)"),
    "SIGTERM": tr("it was ended by another program"),
    "SIGXCPU": tr("it used up the processor time it may have"),
}

GRACE_S = 2.0
ENDING_S = 0.5  # wait between the end of an engine's messages and its exit code
TAIL_BYTES, FRESH_BYTES, CHUNK_BYTES = 8192, 2048, 1 << 16
TAIL_S = 0.3
WATCH_S = 0.1
OVER = 1.05  # factor on the memory limit; where the system enforces the limit, it is never reached
Post = Callable[[tuple[Any, ...]], None]


class Mailbox:
    """Messages from other threads, in order, until the window's thread takes them. `wake` is set once Qt is running."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self.wake: Callable[[], None] | None = None

    def post(self, message: tuple[Any, ...]) -> None:
        """Add a message; thread-safe."""
        self._messages.put(message)
        if self.wake is not None:
            self.wake()

    def empty(self, handle: Callable[[tuple[Any, ...]], None]) -> None:
        """Pass every message to `handle`, on the calling thread."""
        while True:
            try:
                message = self._messages.get_nowait()
            except queue.Empty:
                return
            handle(message)


class Lane(Protocol):
    """Access to the engine. Messages come back through `post`: ("ready"|"progress"|"done"|"live"|"lost", ...)."""

    def start(self, post: Post) -> None:
        """Start the engine."""

    def submit(self, number: int, request: Request) -> None:
        """Submit a request; numbers increase."""

    def cancel(self, number: int) -> None:
        """Cancel a request, or playback."""

    def live(self, number: int, command: str, *given: Any) -> None:
        """Send a playback command, as defined in `models.live.frame_loop`."""

    def tick(self) -> None:
        """Do periodic work; called a few times a second."""

    def finish(self) -> None:
        """Finish a recording before the engine is stopped."""

    def restart(self) -> None:
        """Kill the engine, whatever it is doing, and start a new one."""

    def reaches(self, path: str) -> bool:
        """Return whether the engine can read a file, which may have been created after the engine started."""
        ...

    def stop(self) -> None:
        """Stop the engine."""

    def read(
        self, task: str, source: Source, option: int = 0, *, wanted: Wanted, progress: reading.Progress | None = None
    ) -> Any:
        """Return the result of `reading.read`; thread-safe. Raises Cancelled once `wanted` returns False."""


class ProcessLane:
    """An engine in its own process (spawned). One thread passes its messages on, another sends ours.

    Sending needs a thread because the engine reads only between tasks, and a picture is larger than the pipe's buffer.
    """

    def __init__(
        self, *, confined: bool = True, cluster: str = "", begun: engine_start.EngineStart | None = None
    ) -> None:
        """Take over an engine that was started already, or start one with `start`."""
        self.confined = confined  # takes effect at the next start, as do the next two
        self.cluster = cluster  # the address of the cluster that goes over data sets, "" for that of the environment
        self.own_code_there = False
        self._plan: sandbox.Plan | None = None
        self._kept = ""  # the folder for what outlives an engine
        self._recording: tuple[str, str] | None = None  # the path the engine writes to, and the final path
        self._begun = begun
        self._called_off: Any = begun.called_off if begun is not None else None
        self._post: Post = lambda message: None
        self._generation = 0
        self._over: set[int] = set()  # process ids of engines that used too much memory
        self._process: Any = None
        self._pipe: Any = None
        self._out: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._finished = threading.Event()
        self._writer, self._reader = SharedMemoryWriter(), SharedMemoryReader()
        self._tail = Tail()
        self._reading = ReadingProcesses()

    @property
    def pid(self) -> int:
        """The engine's process id, 0 if there is none."""
        return int(self._process.pid or 0) if self._process else 0

    def said(self) -> str:
        """Return the end of what the engine, and the model in it, have printed since the last call."""
        return self._tail.fresh()

    def start(self, post: Post) -> None:
        """Spawn the engine and return at once; ("ready", facts) follows."""
        self._post = post
        begun, self._begun = self._begun or engine_start.start(self._called_off), None
        if not self._generation:
            self._reading.warm(begun)
        self._kept = self._kept or kept_folder.make()
        self._generation += 1
        self._plan = self._planned()
        self._pipe, self._process, self._called_off = begun.pipe, begun.process, begun.called_off
        self._out = queue.SimpleQueue()
        tail = self._tail = Tail()
        self._out.put((self._plan, self._kept, self.cluster, self.own_code_there))
        hearing = threading.Thread(target=tail.take, args=(begun.printed,), name="vitrine-hear", daemon=True)
        hearing.start()
        arguments = (self._pipe, self._process, self._generation, lambda: tail.text(hearing))
        most = int(memory_limits.allowed_bytes() * OVER)
        threading.Thread(target=self._watch, args=(self._process, most), name="vitrine-watch", daemon=True).start()
        threading.Thread(target=self._listen, args=arguments, name="vitrine-listen", daemon=True).start()
        threading.Thread(target=_send_on, args=(self._pipe, self._out), name="vitrine-send", daemon=True).start()

    def _planned(self) -> sandbox.Plan | None:
        if not self.confined:
            return None
        try:
            return sandbox.plan(self._kept)
        except OSError:  # no folder can be created: the model panel reports what is restricted
            return None

    def reaches(self, path: str) -> bool:
        """Return whether the engine's sandbox allows it to read a file; an engine started now could read it."""
        return self._plan is None or self._plan.reaches(path)

    def read(
        self, task: str, source: Source, option: int = 0, *, wanted: Wanted, progress: reading.Progress | None = None
    ) -> Any:
        """Read a file in another process, which is stopped with the lane."""
        return self._reading.read(task, source, option, wanted=wanted, progress=progress)

    def submit(self, number: int, request: Request) -> None:
        """Send a request. If the engine is gone, ("lost", ...) follows."""
        self._out.put(("run", number, request))

    def live(self, number: int, command: str, *given: Any) -> None:
        """Send a playback command; a painted frame is passed in shared memory."""
        if self._process is None:
            return
        if command == "record" and self._plan is not None:
            given = (self._scratch_for(given[0]),)
        given = tuple(self._writer.put(value) if isinstance(value, np.ndarray) else value for value in given)
        self._out.put(("live", number, command, *given))

    def tick(self) -> None:
        """Do nothing: the engine process needs no periodic work."""

    def finish(self) -> None:
        """Give the engine `GRACE_S` to finish its recording."""
        self._finished.clear()
        self._out.put(("finish",))
        self._finished.wait(GRACE_S)

    def cancel(self, number: int) -> None:
        """Set the request's shared flag, which the engine checks between module calls."""
        self._called_off[number % FLAGS] = number

    def restart(self) -> None:
        """Kill the engine and spawn another."""
        self._end()
        self.start(self._post)

    def stop(self) -> None:
        """Kill the engine and the reading processes."""
        self._reading.stop()
        self._end()
        kept_folder.remove(self._kept)
        self._kept = ""

    def _end(self) -> None:
        self._generation += 1
        if self._process is None:
            return
        _kill(self._process)
        self._process.join(GRACE_S)
        self._out.put(None)
        self._pipe.close()
        self._writer.close()
        self._process = None
        if self._plan is not None:
            sandbox.remove(self._plan.scratch)

    def _listen(self, pipe: Any, process: Any, generation: int, said: Callable[[], str]) -> None:
        try:
            while True:
                message = receive(pipe)
                if generation == self._generation and message[0] == "live" and isinstance(message[-1], Shown):
                    shown = message[-1]
                    message = (*message[:-1], replace(shown, pixels=self._reader.fetch(shown.pixels)))
                if self._recording is not None and generation == self._generation:
                    message = self._recorded(message)
                if message[0] == "finished":
                    self._finished.set()
                if generation == self._generation:
                    self._post(message)
        except Exception:  # an unreadable message counts as a dead engine, which gives EOFError or OSError
            if generation != self._generation:
                return
            process.join(ENDING_S)
            if process.exitcode is None:
                _kill(process)  # it has closed its pipe and cannot be reached any more
            self._post(("lost", OVER_MEMORY if process.pid in self._over else process.exitcode, said()))

    def _scratch_for(self, path: str) -> str:
        """Return the path at which a sandboxed engine, which may not write elsewhere, records the file for `path`."""
        assert self._plan is not None
        within = os.path.join(self._plan.scratch, os.path.basename(path))  # noqa: PTH118, PTH119
        self._recording = within, path
        return within

    def _recorded(self, message: tuple[Any, ...]) -> tuple[Any, ...]:
        """Replace the temporary path in the engine's messages by the recording's own.

        Move a finished recording there.
        """
        assert self._recording is not None
        within, path = self._recording
        facts = next((part for part in message if isinstance(part, Facts)), None)
        if message[0] == "finished" or (facts is not None and facts.recording != within and os.path.exists(within)):  # noqa: PTH110
            note = self._move_recording(within, path)
            if facts is not None and note:
                facts = replace(facts, note=f"{facts.note} {note}".strip())
        elif facts is not None and facts.recording == within:
            facts = replace(facts, recording=path)
        if facts is not None and within in facts.note:
            facts = replace(facts, note=facts.note.replace(within, path))
        return tuple(facts if isinstance(part, Facts) else part for part in message)

    def _move_recording(self, within: str, path: str) -> str:
        """Move a finished recording to its final path, possibly on another disk.

        Return the error, "" if there is none.
        """
        self._recording = None
        if not os.path.exists(within):  # noqa: PTH110
            return ""
        try:
            output_files.bring(Path(within), Path(path))
        except OSError as error:
            refusal = output_files.refusal(Path(path), error)
            return f"{refusal} {refusal.advice}"
        return ""

    def _watch(self, process: Any, most_bytes: int) -> None:
        """Kill an engine that uses too much memory before the whole machine becomes unresponsive."""
        while most_bytes and not wait([process.sentinel], WATCH_S):
            if memory_limits.resident_bytes(process.pid) > most_bytes:
                self._over.add(process.pid)
                _kill(process)
                return


def _send_on(pipe: Any, out: queue.SimpleQueue[Any]) -> None:
    """Send the messages in a queue until None arrives or the engine is gone."""
    with contextlib.suppress(OSError):
        while (message := out.get()) is not None:
            send(pipe, message)


class Tail:
    """The end of a process's output. All output is read, so that the process never blocks on a full pipe."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._read = self._returned = 0

    def take(self, pipe: Any) -> None:
        """Read until every process that writes to the pipe has exited."""
        with contextlib.suppress(OSError, EOFError), pipe:
            while chunk := pipe.recv_bytes() if sys.platform == "win32" else os.read(pipe.fileno(), CHUNK_BYTES):
                self._bytes += chunk
                del self._bytes[:-TAIL_BYTES]
                self._read += len(chunk)

    def fresh(self) -> str:
        """Return the end of the output since the last call, at most `FRESH_BYTES`."""
        read = self._read
        new, self._returned = min(read - self._returned, FRESH_BYTES), read
        return bytes(self._bytes[-new:]).decode(errors="replace") if new else ""

    def text(self, reading: threading.Thread) -> str:
        """Return the last `TAIL_BYTES`, after giving the thread `reading` a moment to read them."""
        reading.join(TAIL_S)
        return bytes(self._bytes).decode(errors="replace")


def _kill(process: Any) -> None:
    """Kill a process, and on POSIX all its child processes."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


class InlineLane:
    """The same engine in this process, which answers within `submit`: for tests and headless use."""

    def __init__(self, engine: Any = None) -> None:
        self.engine: Any = engine
        self._show: Any = None
        self._post: Post = lambda message: None

    def start(self, post: Post) -> None:
        """Create the engine."""
        self._post = post
        if self.engine is None:
            import importlib

            self.engine = importlib.import_module("models.engine.engine").Engine()
        post(("ready", {}))

    def read(
        self, task: str, source: Source, option: int = 0, *, wanted: Wanted, progress: reading.Progress | None = None
    ) -> Any:
        """Read a file in this process."""
        return reading.read(task, source, option, progress=progress)

    def submit(self, number: int, request: Request) -> None:
        """Answer the request now."""
        from models.runtime.context import Context

        context = Context(lambda fraction, text: self._post(("progress", number, fraction, text)))
        answer = self.engine.run(request, context)
        self._post(("done", number, answer))

    def live(self, number: int, command: str, *given: Any) -> None:
        """Execute a playback command now; `tick` continues playback."""
        if self._show is None:
            import importlib

            made = importlib.import_module("models.live.frame_loop").Show
            self._show = made(self.engine, self._post, lambda number: False)
        self._show.handle(number, command, *given)

    def tick(self) -> None:
        """Show the next frame, if one is due."""
        if self._show is not None:
            self._show.advance()

    def cancel(self, number: int) -> None:
        """Do nothing: requests are answered within `submit`."""

    def finish(self) -> None:
        """Finish a recording."""
        if self._show is not None:
            self._show.close()

    def reaches(self, path: str) -> bool:
        """Return True: this process can read any file the user can."""
        return True

    def restart(self) -> None:
        """Create a new engine."""
        self.stop()
        self.engine = self._show = None
        self.start(self._post)

    def stop(self) -> None:
        """Stop playback."""
        self.finish()


class Pool:
    """Threads for the window's own work: two, so that a picture need not wait while a data set is read."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(2, thread_name_prefix="vitrine-local")

    def submit(self, work: Callable[[], None]) -> None:
        """Run `work` as soon as a thread is free."""
        self._executor.submit(work)

    def stop(self) -> None:
        """Drop work that has not started."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def ending_words(code: int | None) -> str:
    """Return how a process ended, as part of a sentence; on POSIX a negative code is minus the signal's number."""
    if code == OVER_MEMORY:
        return tr("it took more memory than this machine can spare")
    if code is None:
        return tr("it no longer answers")
    if code & 0xFFFFFFFF in WINDOWS_CODES:
        return WINDOWS_CODES[code & 0xFFFFFFFF]
    if code == 1:
        return tr("it ended with an error (exit code 1)")
    if code >= 0:
        return tr("something in it called exit (exit code {code})", code=code)
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = tr("signal {code}", code=-code)
    return SIGNALS.get(name, tr("it was ended by {name}", name=name))
