"""Keeps the folder of all part files within a size: what was used longest ago goes first."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

MOST_BYTES = 20 * 10**9
IN_USE_S = 3600.0  # a job used more recently than that may be running in another window


def use(folder: str | Path) -> None:
    """Note that the parts of a job, which lie in this folder, are used now."""
    with contextlib.suppress(OSError):
        os.utime(folder)


def prune(root: str | Path, keep: str | Path, *, most: int = MOST_BYTES, in_use_s: float = IN_USE_S) -> int:
    """Remove the folders of jobs used longest ago until all take `most` bytes at most; return how many bytes went.

    The folder `keep` stays, and what was used in the last `in_use_s` seconds.
    """
    now, found = time.time(), []
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    found.append((entry.stat(follow_symlinks=False).st_mtime, entry.path, _bytes(entry.path)))
    total = sum(size for _, _, size in found)
    gone = 0
    for used, path, size in sorted(found):
        if total - gone <= most:
            break
        if Path(path) == Path(keep) or now - used < in_use_s:
            continue
        shutil.rmtree(path, ignore_errors=True)
        gone += size - _bytes(path)
    return gone


def _bytes(folder: str) -> int:
    """Return the size of the files in a folder."""
    found = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                found += entry.stat(follow_symlinks=False).st_size
    return found
