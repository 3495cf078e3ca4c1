"""Paths of downloaded weights in the caches of torch hub and Hugging Face, and whether they exist."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from models.cards import packaged, zoo_catalogue
from models.cards.zoo_catalogue import Entry
from models.runtime import user_folders
from models.zoo import hub_model

PART = ".part"  # suffix of an unfinished download

_HASH = re.compile(r"-([0-9a-f]{8,64})\.")  # as in torch.hub
_COMMIT = re.compile(r"[0-9a-f]{40}")


def checkpoints() -> Path:
    """Return the folder in which torch hub keeps what it downloads (`torch.hub.get_dir()`, and in it checkpoints)."""
    home = os.environ.get("TORCH_HOME")
    return (Path(home).expanduser() if home else user_folders.caches() / "torch") / "hub" / "checkpoints"


def hub_cache() -> Path:
    """Return the folder in which `huggingface_hub` keeps what it downloads."""
    named, home = os.environ.get("HF_HUB_CACHE"), os.environ.get("HF_HOME")
    if named:
        return Path(named).expanduser()
    return (Path(home).expanduser() if home else user_folders.caches() / "huggingface") / "hub"


def place(entry: Entry) -> Path:
    """Return the path to which an entry's weights are downloaded, with the name that torch hub gives them.

    All files on the Hugging Face hub have the same name, so those are named after their repository.
    """
    name = Path(urlsplit(entry.url).path).name
    return checkpoints() / (f"{entry.hub.replace('/', '--')}{Path(name).suffix}" if entry.hub else name)


def find(entry: Entry) -> Path | None:
    """Return the file with an entry's weights, or its folder, or None if they have not been downloaded."""
    if not entry.url:
        return None
    if hub_model.is_hub(entry):
        return hub_model.find(entry, hub_cache())
    own = place(entry)
    if own.is_file():
        return own
    return _on_hub(entry.hub, Path(urlsplit(entry.url).path).name) if entry.hub else None


def found(entries: Iterable[Entry]) -> set[str]:
    """Return the names of the entries whose weights are cached or installed, listing each cache only once."""
    entries = list(entries)
    folders = {entry.name for entry in entries if hub_model.is_hub(entry) and find(entry) is not None}
    own, hub = _names(checkpoints()), _names(hub_cache())
    plain = (entry for entry in entries if not hub_model.is_hub(entry))
    likely = (e for e in plain if e.url and (place(e).name in own or f"models--{e.hub.replace('/', '--')}" in hub))
    installed = {e.name for e in entries if e.packages and packaged.installed(e.name)}
    return folders | installed | {entry.name for entry in likely if find(entry) is not None}


def listed() -> tuple[Entry, ...]:
    """Return the entries of the catalogue, and after them the models of the hub that are on this computer."""
    return (*zoo_catalogue.entries(), *hub_model.cached(hub_cache()))


def begun(entry: Entry) -> int:
    """Return how many bytes of an entry's unfinished download are on disk."""
    if hub_model.is_hub(entry):
        return 0
    try:
        return place(entry).with_name(place(entry).name + PART).stat().st_size if entry.url else 0
    except OSError:
        return 0


def digest(entry: Entry) -> str:
    """Return the leading digits of an entry's SHA-256 if its file's name has them, as torch hub's do; else ""."""
    found = _HASH.search(Path(urlsplit(entry.url).path).name)
    return found[1] if found else ""


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))  # noqa: PTH208 - names are enough
    except OSError:
        return set()


def _on_hub(hub: str, name: str) -> Path | None:
    """Return a file of a repository's newest cached revision, in the layout of `huggingface_hub`."""
    folder = hub_cache() / f"models--{hub.replace('/', '--')}"
    try:
        commit = (folder / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    file = folder / "snapshots" / commit / name
    return file if _COMMIT.fullmatch(commit) and file.is_file() else None
