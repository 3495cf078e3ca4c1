"""Finds the pictures that a file of annotations names, also when the data set was moved since."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from models.truth.gather import Listing

INNER = ("images", "img", "JPEGImages", "image_2")
MOST_ABOVE, MOST_BESIDE = 4, 200  # folders that are looked into above a file's, and beside each of them


def finder(path: Path, listing: Listing) -> Callable[[str], str]:
    """Return a function that finds a picture by its file name, "" if it is not there.

    It looks beside the file of annotations, one folder up, in `images`, and in the folders nearby, those below the
    file's own first; then in the pictures' folders of those nearby, and where another folder above has the same folders
    below it, as Cityscapes' leftImg8bit and gtFine. If several have the picture, the file's name decides: val2017 for
    instances_val2017.json.
    """
    folder = os.path.dirname(os.path.abspath(path))
    above = os.path.dirname(folder)
    sure = (folder, above, *(f"{f}{os.sep}images" for f in (folder, above)))
    own = [sub for f in (folder, sure[2]) for sub in listing.folders(f) if sub not in sure]
    beside = [sub for f in (above, sure[3]) for sub in listing.folders(f) if sub not in (*sure, *own)]
    far: list[str] = []

    def further() -> list[str]:
        if not far:
            far.extend(f"{sub}{os.sep}{inner}" for sub in (*own, *beside) for inner in INNER)
            far.extend(_mirrored(folder, listing))
        return far

    def find(name: str) -> str:
        name = name.replace("\\", "/").removeprefix("file://").removeprefix("./")
        for given in dict.fromkeys((name, urllib.parse.unquote(name, errors="replace"))):
            if "\0" not in given and (found := find_as(given)):
                return found
        return ""

    def find_as(name: str) -> str:
        if os.path.isabs(name):
            absolute = os.path.normpath(name)
            if listing.has(absolute):
                return absolute
            name = os.path.basename(name)
        parts = [part for part in name.split("/") if part not in ("", "..")]
        # The export may have been moved without its outer folders, so drop them one by one.
        for spelled in dict.fromkeys((name, *("/".join(parts[n:]) for n in range(len(parts))))):
            for root in sure:
                if listing.has(at := os.path.normpath(os.path.join(root, spelled))):
                    return at
            for near in (lambda: own, lambda: beside, further):
                roots = near()
                found = [at for root in roots if listing.has(at := os.path.normpath(os.path.join(root, spelled)))]
                if len(found) > 1:
                    found = [at for at in found if os.path.basename(os.path.dirname(at)) in path.stem]
                if len(found) == 1:
                    return found[0]
        return ""

    return find


def _mirrored(folder: str, listing: Listing) -> list[str]:
    """Return the folders that lie as a folder does, but below another one beside one of those above it."""
    found: list[str] = []
    at, tail = folder, ""
    for _ in range(MOST_ABOVE):
        parent, name = os.path.split(at)
        if not name or parent == os.path.dirname(parent):
            break
        if tail:
            found += [os.path.join(sub, tail) for sub in listing.folders(parent)[:MOST_BESIDE] if sub != at]
            found += [
                os.path.join(sub, os.path.dirname(tail), inner)
                for sub in listing.folders(parent)[:MOST_BESIDE]
                for inner in INNER
                if sub != at
            ]
        at, tail = parent, os.path.join(name, tail) if tail else name
    return found
