"""Read files in separate processes, so that a decoder's crash or hang cannot affect the window.

A process is reused for the next file. It is killed if a file takes too long, if its result is no longer wanted, and
when the window closes.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from models.pictures import reading
from models.runtime.module_paths import environment
from models.types import Cancelled, Refusal, Source
from viewer.session.engine_start import EngineStart
from viewer.translation import tr

MOST_S = 60.0  # for one picture; the largest allowed ones take a tenth of it
START_S = 120.0  # for a process to start
PATIENCE_S = 0.5  # before an unwanted read is killed; most finish by then, and the process is kept
POLL_S = 0.05
MOST_IDLE = 2
ADVICE = tr("Copy or export it again with another program.")
Wanted = Callable[[], bool]


class ReadingProcesses:
    """Reads in as many processes as there are threads that ask, each started when it is first needed."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._idle: list[_Reader] = []
        self._all: set[_Reader] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def warm(self, engine: EngineStart) -> None:
        """Start a process in advance.

        It is forked where that is safe, as long as this process has a single thread: it shares what is imported, and
        takes nothing from the engine that imports at the same time.
        """
        if _single_thread():
            self._context, spawn = multiprocessing.get_context("fork"), self._context
            try:
                self._give_back(self._take(engine.pipe, engine.printed))
            finally:
                self._context = spawn
        else:
            self._give_back(self._take())

    def read(
        self,
        task: str,
        source: Source,
        option: int = 0,
        *,
        wanted: Wanted = lambda: True,
        progress: reading.Progress | None = None,
    ) -> Any:
        """Return the result of `reading.read`; thread-safe.

        Raises Refusal, or Cancelled once `wanted` returns False.
        """
        reader = self._take()
        whole = False
        try:
            value = reader.ask(task, source, option, lambda: wanted() and not self._stopped, progress)
            whole = True
            return value
        except Refusal:
            whole = reader.sound
            raise
        finally:
            if whole:
                self._give_back(reader)
            else:
                self._end(reader)

    def stop(self) -> None:
        """Kill every process now."""
        self._stopped = True
        with self._lock:
            found = list(self._all)
        for reader in found:
            self._end(reader)

    def _take(self, *inherited: Any) -> _Reader:
        with self._lock:
            if self._stopped:
                raise Cancelled
            if self._idle:
                return self._idle.pop()
            reader = _Reader(self._context, inherited)
            self._all.add(reader)
            return reader

    def _give_back(self, reader: _Reader) -> None:
        with self._lock:
            keep = len(self._idle) < MOST_IDLE and not self._stopped
            if keep:
                self._idle.append(reader)
        if not keep:
            self._end(reader)

    def _end(self, reader: _Reader) -> None:
        with self._lock:
            self._all.discard(reader)
        reader.end()


def _single_thread() -> bool:
    """Return whether this is a Linux process with one thread, those of libraries included."""
    return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208


class _Reader:
    """One process. `sound` says whether it is ready for another file."""

    def __init__(self, context: Any, inherited: tuple[Any, ...] = ()) -> None:
        """Start it. `inherited` are pipes that a forked one has and must close, like its parent's end of its own."""
        self.sound = True
        self._pipe, theirs = context.Pipe()
        closed = (*inherited, self._pipe) if context.get_start_method() == "fork" else ()
        self._process = context.Process(
            target=reading.serve, args=(theirs, *closed), name="vitrine-reading", daemon=True
        )
        with environment():
            self._process.start()
        theirs.close()
        self._ready = False

    def ask(self, task: str, source: Source, option: int, wanted: Wanted, progress: reading.Progress | None) -> Any:
        """Read a file in the process. Raises Refusal or Cancelled."""
        self.sound = False
        began = time.monotonic()
        try:
            if not self._ready:
                self._wait(wanted, began, START_S, source)
                self._pipe.recv()
                self._ready, began = True, time.monotonic()
            self._pipe.send((task, source, option))
            while True:
                self._wait(wanted, began, MOST_S, source)
                message = self._pipe.recv()
                if message[0] == "progress":
                    began = time.monotonic()
                    if progress is not None:
                        progress(message[1], message[2])
                    continue
                if message[0] == "refused":
                    self.sound = True
                    raise Refusal(message[1], advice=message[2], details=message[3])
                value = reading.receive(self._pipe, message)
                self.sound = True
                return value
        except (EOFError, OSError, ValueError) as error:
            if not wanted():
                raise Cancelled from error
            text = tr("{source} could not be read: its decoder crashed, or needed too much memory.", source=source.name)
            raise Refusal(text, advice=ADVICE) from error

    def end(self) -> None:
        """Kill the process."""
        with contextlib.suppress(OSError, ValueError):
            self._process.kill()
            self._process.join(1.0)
        with contextlib.suppress(OSError):
            self._pipe.close()

    def _wait(self, wanted: Wanted, began: float, most_s: float, source: Source) -> None:
        """Wait for a message. Raises Refusal if none arrives in time, Cancelled if the result is no longer wanted."""
        while not self._pipe.poll(POLL_S):
            spent = time.monotonic() - began
            if spent > PATIENCE_S and not wanted():
                raise Cancelled
            if spent > most_s:
                raise Refusal(
                    tr(
                        "{source} took longer than {most_s:.0f} s to read, so it was given up.",
                        source=source.name,
                        most_s=most_s,
                    ),
                    advice=ADVICE,
                )
