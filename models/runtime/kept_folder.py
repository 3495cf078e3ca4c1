"""The folder that outlives an engine: what one engine of a window has measured, the next need not measure again.

It is removed when the window closes. Without a window there is none, and nothing is kept.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import platformdirs

BEGIN = "kept-"
_now: list[Path] = []


def make() -> str:
    """Create the folder for the engines of this process, and remove those left behind by killed programs.

    Return "" where none can be created.
    """
    try:
        there = platformdirs.user_cache_path("vitrine", appauthor=False)
        there.mkdir(parents=True, exist_ok=True)
        for left in there.glob(f"{BEGIN}*-*"):
            if sys.platform == "linux" and not Path(f"/proc/{left.name.split('-')[1]}").exists():
                remove(str(left))
        return tempfile.mkdtemp(prefix=f"{BEGIN}{os.getpid()}-", dir=there)
    except (OSError, RuntimeError):
        return ""


def remove(path: str) -> None:
    """Remove a folder with everything in it."""
    if path:
        shutil.rmtree(path, ignore_errors=True)


def use(path: str) -> None:
    """Have this process keep what is to outlive it in a folder; "" for nowhere."""
    _now[:] = [Path(path)] if path else []


def current() -> Path | None:
    """Return the folder of this process, None if nothing is kept."""
    return _now[0] if _now else None
