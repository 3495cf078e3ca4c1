"""Frames between the two processes through shared memory. A pipe takes a frame in dozens of pieces, for each of which
both sides must get their turn on a processor; with all of them busy that costs more than the model does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.types import Pixels

if TYPE_CHECKING:
    from multiprocessing.shared_memory import SharedMemory

MEMORY = Path("/dev/shm")  # where Linux keeps it; writing beyond its room kills the process that does
ROOM_BYTES = 16 << 20
_numbers = count()


@dataclass(frozen=True)
class Loan:
    """Where the other process finds an array: the name of the memory, and the array's shape."""

    name: str
    shape: tuple[int, ...]


class Lender:
    """Puts one array at a time where the other process can read it; the next only once that one was fetched."""

    def __init__(self) -> None:
        self._memory: SharedMemory | None = None

    def put(self, pixels: Pixels) -> Loan | Pixels:
        """Return where the array can be fetched, or the array itself where there is no room for it."""
        if self._memory is None or self._memory.size < pixels.nbytes:
            self.close()
            self._memory = _made(pixels.nbytes)
        if self._memory is None:
            return pixels
        np.ndarray(pixels.shape, np.uint8, self._memory.buf)[:] = pixels
        return Loan(self._memory.name, pixels.shape)

    def close(self) -> None:
        """Give the memory back, also where nobody fetched from it."""
        if self._memory is not None:
            self._memory.close()
            with contextlib.suppress(FileNotFoundError):
                self._memory.unlink()
            self._memory = None


class Borrower:
    """Fetches arrays that a Lender put. Its name is taken off the memory at once, so that nothing outlives a crash."""

    def __init__(self) -> None:
        self._memory: SharedMemory | None = None

    def fetch(self, loan: Loan | Pixels) -> Pixels:
        """Return a copy of an array that was put, or one that needed no loan."""
        if not isinstance(loan, Loan):
            return loan
        if self._memory is None or self._memory.name != loan.name:
            self.close()
            from multiprocessing.shared_memory import SharedMemory

            self._memory = SharedMemory(loan.name)
            self._memory.unlink()
        return np.ndarray(loan.shape, np.uint8, self._memory.buf).copy()

    def close(self) -> None:
        """Let go of the memory."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None


def _made(size: int) -> SharedMemory | None:
    from multiprocessing.shared_memory import SharedMemory

    try:
        if MEMORY.exists() and shutil.disk_usage(MEMORY).free < size + ROOM_BYTES:
            return None
        return SharedMemory(f"vitrine-{os.getpid()}-{next(_numbers)}", create=True, size=size)
    except OSError:
        return None
