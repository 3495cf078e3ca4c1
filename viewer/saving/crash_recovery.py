"""What is open, kept in a file for after a crash: one for each process that runs, told apart by locks. No Qt, no clock.

Beside each file lies another that its process holds locked: the system lets go of it when the process ends, however it
ends. So what can be locked was left behind, on every system, also when process ids are used again.
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

FOLDER = "recovery"
LOCK = ".lock"
BROKEN = ".broken"
DISCARDED = ".discarded"
KEPT_S = 7 * 24 * 3600  # for how long what was discarded can be had back


class Kept:
    """The file of this process. Its methods may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FOLDER / f"{os.getpid()}-{time.time_ns()}{SUFFIX}"
        self._lock: IO[bytes] | None = None
        self._guard = threading.Lock()
        self._ended = False

    def write(self, document: Document, *, of: Path | None = None) -> None:
        """Keep a document instead of the one before. Raises Refusal."""
        with self._guard:
            if self._ended:
                return
            if self._lock is None:
                self._lock = self._locked()
            session_file.write_here(self.path, document, of=of)

    def end(self) -> None:
        """Keep nothing any more: the program closes as it should."""
        with self._guard:
            self._ended = True
            if self._lock is not None:
                _remove(self.path, self._lock)

    def _locked(self) -> IO[bytes]:
        refusal = Refusal(f"{self.path.parent} cannot be written to.", advice="Set VITRINE_HOME to a folder that can.")
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
    """What a process that ended otherwise left behind. It is this process's to answer for, until it is let go."""

    path: Path
    lock: IO[bytes]
    opened: Opened
    written_s: float

    def remove(self) -> None:
        """Forget it: another file holds what it held."""
        _remove(self.path, self.lock)

    def discard(self) -> None:
        """Ask about it no more, but keep it for a week."""
        with contextlib.suppress(OSError):
            self.path.replace(self.path.with_suffix(f".{time.time_ns()}{DISCARDED}"))
        _remove(self.path, self.lock)

    def let_go(self) -> None:
        """Leave it to whoever starts next."""
        self.lock.close()


@dataclass(frozen=True)
class Discarded:
    """What the user chose to discard less than a week ago."""

    path: Path
    opened: Opened
    written_s: float


def discarded(folder: Path) -> list[Discarded]:
    """Return what was discarded, the newest first; what was a week ago is removed."""
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
            continue  # it cannot be read, and goes after its week
    return [one for _, one in sorted(found, key=lambda pair: -pair[0])]


def left(folder: Path) -> list[Left]:
    """Return what was left behind and no other process is asking about, the newest first.

    What cannot be read any more is put aside under another name.
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
    """Lock the file beside one that is kept; return None when another process holds it, or it cannot be made."""
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
    """Remove a kept file, then its lock: in this order nobody finds the one without the other."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    lock.close()
    with contextlib.suppress(OSError):
        path.with_suffix(LOCK).unlink(missing_ok=True)
