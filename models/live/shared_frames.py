"""Frames passed between the two processes through shared memory.

A pipe splits a frame into dozens of pieces, and both sides must be scheduled for each. With all cores busy that costs
more than running the model.
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

MEMORY = Path("/dev/shm")  # where Linux keeps shared memory; writing beyond the free space kills the process
ROOM_BYTES = 16 << 20
_numbers = count()


@dataclass(frozen=True)
class SharedArray:
    """Where the other process finds an array: the name of the shared memory, and the array's shape."""

    name: str
    shape: tuple[int, ...]


class SharedMemoryWriter:
    """Puts one array at a time into shared memory. The next may be put only after the other process fetched it."""

    def __init__(self) -> None:
        self._memory: SharedMemory | None = None

    def put(self, pixels: Pixels) -> SharedArray | Pixels:
        """Return a shared of the array, or the array itself if there is no room in shared memory."""
        if self._memory is None or self._memory.size < pixels.nbytes:
            self.close()
            self._memory = _made(pixels.nbytes)
        if self._memory is None:
            return pixels
        np.ndarray(pixels.shape, np.uint8, self._memory.buf)[:] = pixels
        return SharedArray(self._memory.name, pixels.shape)

    def close(self) -> None:
        """Release the memory, fetched or not."""
        if self._memory is not None:
            self._memory.close()
            with contextlib.suppress(FileNotFoundError):
                self._memory.unlink()
            self._memory = None


class SharedMemoryReader:
    """Fetches arrays put by a SharedMemoryWriter.

    It unlinks the memory on opening it, so that none is left over after a crash.
    """

    def __init__(self) -> None:
        self._memory: SharedMemory | None = None

    def fetch(self, shared: SharedArray | Pixels) -> Pixels:
        """Return a copy of a shared array, or the array itself if it was not shared."""
        if not isinstance(shared, SharedArray):
            return shared
        if self._memory is None or self._memory.name != shared.name:
            self.close()
            from multiprocessing.shared_memory import SharedMemory

            self._memory = SharedMemory(shared.name)
            # Unlinked while both sides have it open: the system frees it when the last process ends, even after a
            # crash.
            self._memory.unlink()
        return np.ndarray(shared.shape, np.uint8, self._memory.buf).copy()

    def close(self) -> None:
        """Release the memory."""
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
