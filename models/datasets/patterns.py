"""Opens a list of paths and patterns (globs) as a data set: given as text, or one a line in a file."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from models import files
from models.datasets import folders
from models.datasets.listing import Progress, is_picture, natural
from models.datasets.types import MOST_NOTES, DataSet
from models.types import Refusal

WILD = "*?["
MOST_BYTES = 500_000_000
TOLD_EVERY = 1000  # files


def split(text: str) -> list[str]:
    """Return the paths and patterns in a text: separated by lines or semicolons."""
    return [each.strip() for each in re.split(r"[;\n\r]+", text) if each.strip()]


def is_pattern(text: str) -> bool:
    """Return whether a text is a pattern or several paths, rather than the path of one thing that is there."""
    return not files.exists(text) and (any(mark in text for mark in WILD) or len(split(text)) > 1)


def read_list(path: str, *, progress: Progress | None = None) -> DataSet:
    """Return the data set of a text file with a path or pattern a line; lines with # are remarks. Raises Refusal."""
    place = files.check(path)
    try:
        text = files.text_of(place, most=MOST_BYTES)
    except ValueError as error:
        raise Refusal(f"{place.name} is no list of paths.", advice="Write one path or pattern a line.") from error
    given = [line for line in split(text) if not line.startswith("#")]
    return read(given, base=str(place.parent), file=place.name, progress=progress)


def read(given: list[str], *, base: str = "", file: str = "", progress: Progress | None = None) -> DataSet:
    """Return the pictures that paths and patterns name, each once. Raises Refusal if there is none.

    `**` in a pattern stands for any number of folders. A folder stands for the pictures below it. `file` is the name of
    the file that lists them, if one does.
    """
    base = base or os.getcwd()
    found: dict[str, None] = {}
    notes: list[str] = []
    for number, each in enumerate(given):
        place = os.path.normpath(os.path.join(base, os.path.expanduser(each)))
        before = len(found)
        if os.path.isdir(place):
            found |= dict.fromkeys(folders.read(place, progress=progress).paths)
        elif os.path.isfile(place):
            found[place] = None
        elif any(mark in each for mark in WILD):
            for row, path in enumerate(sorted(_matching(place, progress), key=natural)):
                if progress is not None and row % TOLD_EVERY == 0:
                    progress(number / len(given), f"found {len(found):,} pictures")
                if is_picture(path) and os.path.isfile(path):
                    found[path] = None
        if len(found) == before and len(notes) < MOST_NOTES:
            notes.append(f"{each[:200]} names no further picture.")
    if not found and file and given:
        raise Refusal(
            f"{file} was read as a list of pictures, and none of its lines names a picture that is there. "
            f"The first line is “{given[0][:60]}”.",
            advice="Write one path or pattern such as photos/*.jpg a line; paths count from the folder of the file.",
        )
    if not found:
        first = file or (given[0][:200] if given else "An empty list")
        raise Refusal(f"{first} names no picture.", advice="Patterns are written like photos/*.jpg or photos/**/*.png.")
    places = {os.path.dirname(path) for path in found}
    try:
        root = os.path.commonpath(list(places))
    except ValueError:  # several drives
        root = ""
    title = Path(file).stem or (Path(root).name if root else "") or "list"
    return DataSet(title, "list", root or base, tuple(found), notes=tuple(notes))


def _matching(pattern: str, progress: Progress | None) -> list[str]:
    listed = []
    for number, path in enumerate(glob.iglob(pattern, recursive=True)):
        if progress is not None and number % TOLD_EVERY == 0:
            progress(None, f"found {number:,} files")
        listed.append(path)
    return listed
