"""Start the engine's process.

What this imports is light, above all not numpy: the engine is started before the window's process imports anything
else, so that both import at the same time.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import weakref
from dataclasses import dataclass
from typing import Any

from models.engine.process import FLAGS, serve
from models.runtime.module_paths import environment, leave_out_folder

NUMPY_THREADS = "OPENBLAS_NUM_THREADS"  # numpy's start on import; in the engine torch's do the work


@dataclass(frozen=True)
class EngineStart:
    """A process that has begun to import: it waits for the plan of its sandbox, the first message through `pipe`.

    `printed` is the pipe of what it prints, `called_off` the flags of cancelled requests.
    """

    process: Any
    pipe: Any
    printed: Any
    called_off: Any


def start(called_off: Any = None) -> EngineStart:
    """Start an engine that shares the flags `called_off`, by default new ones."""
    leave_out_folder()
    context = multiprocessing.get_context("spawn")
    shared = called_off if called_off is not None else flags(context)
    pipe, theirs = context.Pipe()
    printed, out = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(theirs, shared, out), name="vitrine-engine", daemon=True)
    with environment({NUMPY_THREADS: "1"}):
        process.start()
    theirs.close()
    out.close()
    return EngineStart(process, pipe, printed, shared)


class FileFlags:
    """The flags of requests in memory that has no name, for where there is none to be had by one.

    The other process opens it by this one's number for it, which Linux offers under /proc.
    """

    def __init__(self, path: str = "") -> None:
        self._number = os.open(path, os.O_RDWR) if path else os.memfd_create("vitrine-flags")
        weakref.finalize(self, os.close, self._number)
        if not path:
            os.truncate(self._number, 8 * FLAGS)
        self._numbers = memoryview(mmap.mmap(self._number, 8 * FLAGS)).cast("q")

    def __reduce__(self) -> tuple[type[FileFlags], tuple[str]]:
        return FileFlags, (f"/proc/{os.getpid()}/fd/{self._number}",)

    def __getitem__(self, index: int) -> int:
        return self._numbers[index]

    def __setitem__(self, index: int, number: int) -> None:
        self._numbers[index] = number


def flags(context: Any) -> Any:
    """Return numbers that this process and those it starts share."""
    try:
        return context.Array("q", FLAGS, lock=False)
    except OSError:  # /dev/shm is read-only, or not this user's
        return FileFlags()
