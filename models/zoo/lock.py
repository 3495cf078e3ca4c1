"""A lock shared by threads and processes, made of a locked file."""

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
    """Hold the lock at `path`, waiting for other holders. Its file is removed afterwards.

    Raises Cancelled while waiting.
    """
    while (number := _locked(path)) < 0:
        if cancelled():
            raise Cancelled
        time.sleep(WAIT_S)
    try:
        yield
    finally:
        # Windows cannot delete an open file, so close first; if another waiter has it open, it stays.
        if os.name == "nt":
            os.close(number)
        with contextlib.suppress(OSError):
            path.unlink()
        if os.name != "nt":
            os.close(number)


def _locked(path: Path) -> int:
    """Return the descriptor of the locked file, or -1 while another holds the lock."""
    number = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(number)
        # The previous holder deleted the file: if the path names another file by now, this lock excludes nobody.
        if os.path.samestat(os.fstat(number), os.stat(path)):  # noqa: PTH116
            return number
    except (BlockingIOError, PermissionError, FileNotFoundError):
        pass
    except OSError:
        os.close(number)
        raise
    os.close(number)
    return -1
