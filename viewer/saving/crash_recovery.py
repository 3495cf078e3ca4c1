"""Keep the open document in a file for recovery after a crash: one file per running process, distinguished by locks.

Beside each file is a lock file that its process holds locked. The system releases the lock when the process ends,
however it ends. A lock that can be acquired therefore belongs to a dead process, on every system, even if process ids
are reused.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from models.types import Refusal
from viewer.saving import session_file
from viewer.saving.session_file import SUFFIX, Opened
from viewer.session.document import Document
from viewer.translation import tr

FOLDER = "recovery"
LOCK = ".lock"
BROKEN = ".broken"
DISCARDED = ".discarded"
KEPT_S = 7 * 24 * 3600  # how long discarded work can be restored


class Kept:
    """The file of this process. Its methods are thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FOLDER / f"{os.getpid()}-{time.time_ns()}{SUFFIX}"
        self._lock: IO[bytes] | None = None
        self._guard = threading.Lock()
        self._ended = False

    def write(self, document: Document, *, of: Path | None = None) -> None:
        """Write a document in place of the previous one. Raises Refusal."""
        with self._guard:
            if self._ended:
                return
            if self._lock is None:
                self._lock = self._locked()
            session_file.write_here(self.path, document, of=of)

    def end(self) -> None:
        """Remove the file: the program is closing normally."""
        with self._guard:
            self._ended = True
            if self._lock is not None:
                _remove(self.path, self._lock)

    def _locked(self) -> IO[bytes]:
        refusal = Refusal(
            tr("{parent} cannot be written to.", parent=self.path.parent),
            advice=tr("Set VITRINE_HOME to a folder that can."),
        )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refusal from error
        lock = _lock(self.path)
        if lock is None:
            raise refusal
        return lock


@dataclass(frozen=True)
class Left:
    """The work left by a process that crashed. This process holds its lock until `let_go`."""

    path: Path
    lock: IO[bytes]
    opened: Opened
    written_s: float

    def remove(self) -> None:
        """Delete it: its content is now in another file."""
        _remove(self.path, self.lock)

    def discard(self) -> None:
        """Stop offering it, but keep it for a week."""
        with contextlib.suppress(OSError):
            self.path.replace(self.path.with_suffix(f".{time.time_ns()}{DISCARDED}"))
        _remove(self.path, self.lock)

    def release(self) -> None:
        """Release it, so that the next process to start offers it."""
        self.lock.close()


@dataclass(frozen=True)
class Discarded:
    """Work that the user discarded less than a week ago."""

    path: Path
    opened: Opened
    written_s: float


def discarded(folder: Path) -> list[Discarded]:
    """Return discarded work, newest first; delete what is older than a week."""
    found: list[tuple[float, Discarded]] = []
    for path in (folder / FOLDER).glob("*" + DISCARDED):
        stamp = path.stem.rpartition(".")[2]
        try:
            when_s = int(stamp) / 1e9 if stamp.isascii() and stamp.isdigit() else path.stat().st_mtime
            if time.time() - when_s > KEPT_S:
                path.unlink(missing_ok=True)
                continue
            found.append((when_s, Discarded(path, session_file.read(path), path.stat().st_mtime)))
        except (Refusal, OSError):
            continue  # unreadable; deleted after its week
    return [one for _, one in sorted(found, key=lambda pair: -pair[0])]


def left(folder: Path) -> list[Left]:
    """Return the work left by crashed processes that no other process is offering, newest first.

    Unreadable files are renamed.
    """
    found = []
    for path in (folder / FOLDER).glob("*" + SUFFIX):
        lock = _lock(path)
        if lock is None:
            continue
        try:
            found.append(Left(path, lock, session_file.read(path), path.stat().st_mtime))
        except (Refusal, OSError):
            with contextlib.suppress(OSError):
                path.replace(path.with_suffix(BROKEN))
            _remove(path, lock)
    return sorted(found, key=lambda one: -one.written_s)


def _lock(path: Path) -> IO[bytes] | None:
    """Lock a kept file's lock file; return None if another process holds it, or it cannot be created."""
    try:
        handle = path.with_suffix(LOCK).open("ab")
    except OSError:
        return None
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle


def _remove(path: Path, lock: IO[bytes]) -> None:
    """Delete a kept file, then its lock; in this order no process can find the file without the lock."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    lock.close()
    with contextlib.suppress(OSError):
        path.with_suffix(LOCK).unlink(missing_ok=True)
