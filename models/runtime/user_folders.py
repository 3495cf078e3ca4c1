"""Where Vitrine keeps what is the user's: settings, cards, what may run, weights that were downloaded.

Where there is no such folder, or none that can be written to, a temporary one stands in, and `note` says so.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

import platformdirs

HOME_VARIABLE = "VITRINE_HOME"
MOST_BYTES = 16_000_000  # of one file of settings
_reported: list[str] = []


def home() -> Path:
    """Return the folder of the settings: $VITRINE_HOME if set, else the user's configuration folder."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named) if named else _configuration() or Path(os.devnull, "vitrine")


def prepare() -> None:
    """Have a temporary folder stand in for one that cannot be written to, in this process and those that it starts.

    Only the program itself does that, before it starts anything: to an engine that is confined the user's folder is
    read-only on purpose, and what it could write in its stead must allow nothing.
    """
    wanted = home()
    if not _writable(wanted) and (made := _temporary(wanted)) is not None:
        os.environ[HOME_VARIABLE] = str(made)


def note() -> str:
    """Return in a sentence that nothing will be remembered, "" where it will; once, and "" from then on."""
    return _reported.pop() if _reported else ""


def user_folder() -> Path:
    """Return the user's own folder, where dialogs begin; the temporary folder where there is none."""
    with contextlib.suppress(RuntimeError):
        found = Path.home()
        if found.is_absolute() and found.is_dir():
            return found
    return Path(tempfile.gettempdir())


def caches() -> Path:
    """Return the folder of what can be had again: $XDG_CACHE_HOME, `~/.cache`, or a temporary one in their stead."""
    wanted = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    with contextlib.suppress(RuntimeError):
        found = wanted.expanduser()
        if found.parts[:1] != ("~",) and (found.is_dir() or _writable(found)):
            return found
    return home() / "cache"


def data_sets() -> Path:
    """Return the folder of what was computed of data sets: in $VITRINE_HOME if that is set, else in the caches."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named, "data-sets") if named else caches() / "vitrine" / "data-sets"


def _configuration() -> Path | None:
    """Return the user's configuration folder, None where the user has no home."""
    try:
        found = platformdirs.user_config_path("vitrine", appauthor=False)
    except RuntimeError:
        return None
    return found if found.is_absolute() else None  # older versions begin it with "~"


@lru_cache(maxsize=64)
def _writable(folder: Path) -> bool:
    """Tell whether a folder can be written to, or be made. Nothing is left behind."""
    with contextlib.suppress(OSError, ValueError):
        there = next((p for p in (folder, *folder.absolute().parents) if p.exists()), None)
        if there is not None:
            with tempfile.TemporaryFile(dir=there):
                return True
    return False


@lru_cache(maxsize=64)
def _temporary(instead: Path) -> Path | None:
    """Return a folder that goes with this process, what was set before in it; None where there is no room for one."""
    try:
        made = Path(tempfile.mkdtemp(prefix="vitrine-"))
    except OSError:
        return None
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    from models.output_files import write_whole  # imports numpy, before which the engine is started

    with contextlib.suppress(OSError):
        for file in instead.glob("*.json"):
            if file.is_file() and file.stat().st_size <= MOST_BYTES:
                write_whole(made / file.name, file.read_bytes())
    where = f"{instead} cannot be written to" if os.fspath(instead.parent) != os.devnull else "There is no home folder"
    _reported.append(
        f"{where}: settings, what you allow and what is open are not remembered beyond this run. "
        f"Set {HOME_VARIABLE} to a folder that can be written to."
    )
    return made
