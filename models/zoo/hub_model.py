"""Models of the Hugging Face hub, `hf:ORG/NAME`: where their files lie on this computer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from models import files
from models.cards import model_folder
from models.cards.zoo_catalogue import HUGGING_FACE, Entry, hub_entry
from models.runtime import user_folders
from models.types import Refusal

REVISION = "main"
MOST_BYTES = 16 << 20  # of the list of a repository's files
COMMIT = re.compile(r"[0-9a-f]{40}")
SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")


def is_hub(entry: Entry) -> bool:
    """Return whether an entry is a model of the hub, whose files form a folder."""
    return entry.library == HUGGING_FACE


def find(entry: Entry, cache: Path) -> Path | None:
    """Return the folder of a model on this computer: downloaded by Vitrine, or in Hugging Face's own `cache`."""
    own = folder_of(entry)
    for place in (own, cache / f"models--{entry.hub.replace('/', '--')}"):
        for folder in _snapshots(place):
            if _whole(folder):
                return folder
    return None


def cached(cache: Path) -> Iterator[Entry]:
    """Yield the models of the hub that are on this computer."""
    seen = set[str]()
    for place in (_home(), cache):
        for folder in sorted(place.glob("*--*")) if place.is_dir() else ():
            parts = folder.name.removeprefix("models--").split("--")
            name = "/".join(parts) if len(parts) == 2 else ""
            entry = hub_entry(name) if name and name not in seen else None
            if entry is not None and find(entry, cache) is not None:
                seen.add(name)
                yield entry


def _home() -> Path:
    return user_folders.caches() / "vitrine" / "hugging-face"


def folder_of(entry: Entry) -> Path:
    """Return the folder to which a model is downloaded, in the layout of `huggingface_hub`."""
    return _home() / entry.hub.replace("/", "--")


def _snapshots(place: Path) -> Iterator[Path]:
    """Yield the folder of the newest revision of a model, in the layout of `huggingface_hub`."""
    try:
        commit = (place / "refs" / REVISION).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return
    if COMMIT.fullmatch(commit):
        yield place / "snapshots" / commit


def _whole(folder: Path) -> bool:
    """Return whether a folder has a configuration and weights as safetensors, all parts of them."""
    if not (folder / model_folder.CONFIG).is_file():
        return False
    if (folder / model_folder.WEIGHTS).is_file():
        return True
    try:
        listed = json.loads(files.text_of(folder / model_folder.INDEX, most=MOST_BYTES))["weight_map"].values()
        return all(SHARD.fullmatch(name) and (folder / name).is_file() for name in set(map(str, listed)))
    except (Refusal, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
