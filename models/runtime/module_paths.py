"""Where modules may come from: not from the folder that the program happens to be started in. It imports nothing.

Python looks for modules in the current folder when it is started with `-c` or `-m`, which is how child processes are.
What stands in PYTHONPATH is the user's own choice.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAFE_PATH = "PYTHONSAFEPATH"  # as with `python -P`, for processes that this one starts, and those that they start

_lock = threading.Lock()  # the environment is one for all threads


def leave_out_folder() -> None:
    """Have this process find no module in the folder it was started in, whatever lies there."""
    named = {os.path.realpath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    begun = _folder()
    sys.path[:] = [entry for entry in sys.path if entry and not _is_begun(entry, begun, named)]


@contextlib.contextmanager
def environment(more: Mapping[str, str] | None = None) -> Iterator[None]:
    """Have a process that starts inside find no module in the current folder, and give it `more` variables."""
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
    except OSError:  # it is gone
        return ""
