"""Keep the folder in which the program was started out of the module search path.

Python searches the current folder for modules when started with `-c` or `-m`, which is how child processes are started.
Folders in PYTHONPATH are the user's own choice and stay.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAFE_PATH = "PYTHONSAFEPATH"  # like `python -P`, and inherited by all descendant processes

_lock = threading.Lock()  # all threads share the environment


def leave_out_folder() -> None:
    """Remove the folder in which this process was started from its module search path."""
    named = {os.path.realpath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    begun = _folder()
    sys.path[:] = [entry for entry in sys.path if entry and not _is_begun(entry, begun, named)]


@contextlib.contextmanager
def environment(more: Mapping[str, str] | None = None) -> Iterator[None]:
    """Set variables for processes started inside the block: no modules from the current folder, and those in `more`."""
    values = {SAFE_PATH: "1", **(more or {})}
    with _lock:
        before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _is_begun(entry: str, begun: str, named: set[str]) -> bool:
    place = os.path.realpath(entry)
    return place == begun and place != str(ROOT) and place not in named


def _folder() -> str:
    try:
        return os.path.realpath(os.getcwd())  # noqa: PTH109
    except OSError:  # the folder was deleted
        return ""
