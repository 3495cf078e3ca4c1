"""Lists the pictures below a folder, in natural order, with progress and without following a loop of links."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from models import files
from models.pictures.images import FOLDER_SUFFIXES, OTHER_SUFFIXES

Progress = Callable[[float | None, str], None]
TOLD_EVERY = 1000  # files
MOST_PICTURES = 20_000_000
MOST_DEPTH = 64


def pictures_below(folder: str, *, progress: Progress | None = None) -> Iterator[str]:
    """Yield the paths of the pictures in a folder and its subfolders, a folder's own before those of its subfolders.

    Hidden files and folders are left out, and a folder that was already listed under another name. A file whose suffix
    says nothing is looked into. `progress` gets the number found so far; its exceptions propagate. A subfolder that
    cannot be listed is passed over; OSError is raised for the folder itself.
    """
    seen: set[tuple[int, int]] = set()
    found = looked = 0
    waiting = [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        try:
            status = os.stat(place)
            if (status.st_dev, status.st_ino) in seen and status.st_ino:
                continue
            seen.add((status.st_dev, status.st_ino))
            names, folders = [], []
            with os.scandir(place) as entries:
                for entry in entries:
                    looked += 1
                    if progress is not None and looked % TOLD_EVERY == 0:
                        progress(None, f"found {found + len(names):,} pictures in {looked:,} files")
                    if entry.name.startswith("."):
                        continue
                    if _is_folder(entry):
                        folders.append(entry.name)
                    elif is_picture(entry.path):
                        names.append(entry.name)
        except OSError:
            if depth == 0:
                raise
            continue
        names.sort(key=natural)
        found += len(names)
        for name in names:
            yield os.path.join(place, name)
        if depth < MOST_DEPTH:
            waiting += [(os.path.join(place, name), depth + 1) for name in sorted(folders, key=natural, reverse=True)]
        if found >= MOST_PICTURES:
            return


def is_picture(path: str) -> bool:
    """Return whether a file is a picture by its suffix or, where that says nothing, by its first bytes."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in FOLDER_SUFFIXES:
        return True
    if suffix in OTHER_SUFFIXES:
        return False
    try:
        from pathlib import Path

        return os.path.isfile(path) and files.kind(Path(path)).endswith("picture")
    except (OSError, ValueError):
        return False


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that compares runs of digits as numbers (img2 before img10)."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [(0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts] + [(2, 0, name)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
