"""A lock that one holds at a time, among threads and programs: a locked file. It protects nothing by itself."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from models.types import Cancelled

WAIT_S = 0.1

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    def _take(number: int) -> None:
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)  # pyright: ignore[reportAttributeAccessIssue]
else:

    def _take(number: int) -> None:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def held(path: Path, cancelled: Callable[[], bool]) -> Iterator[None]:
    """Hold the lock at `path` once nobody else does; its file is gone afterwards. Raises Cancelled while it waits."""
    while (number := _locked(path)) < 0:
        if cancelled():
            raise Cancelled
        time.sleep(WAIT_S)
    try:
        yield
    finally:
        # On Windows a file that is open cannot be taken away; where another waits for it, it stays.
        if os.name == "nt":
            os.close(number)
        with contextlib.suppress(OSError):
            path.unlink()
        if os.name != "nt":
            os.close(number)


def _locked(path: Path) -> int:
    """Return the number of the lock's file, locked, or -1 while another holds it."""
    number = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(number)
        # Whoever held it took the file away: what was locked is not what the next one finds.
        if os.path.samestat(os.fstat(number), os.stat(path)):  # noqa: PTH116
            return number
    except (BlockingIOError, PermissionError, FileNotFoundError):
        pass
    except OSError:
        os.close(number)
        raise
    os.close(number)
    return -1
