"""Models of the Hugging Face hub, `hf:ORG/NAME`: where their files lie on this computer, and their download."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import files
from models.cards import model_folder
from models.cards.zoo_catalogue import HUB, HUGGING_FACE, Entry, hub_entry
from models.output_files import write_whole
from models.runtime import user_folders
from models.types import Refusal

if TYPE_CHECKING:
    from models.zoo.download import Report

ENDPOINT = "HF_ENDPOINT"  # the variable by which Hugging Face's own tools are pointed to a mirror
REVISION = "main"
MOST_BYTES = 16 << 20  # of the list of a repository's files
MOST_SHARDS = 64
SMALL = (
    *(model_folder.CONFIG, "processor_config.json", "preprocessor_config.json", "README.md"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt", "spiece.model"),
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_hub(entry: Entry) -> bool:
    """Return whether an entry is a model of the hub, whose files form a folder."""
    return entry.library == HUGGING_FACE


def find(entry: Entry, cache: Path) -> Path | None:
    """Return the folder of a model on this computer: downloaded by Vitrine, or in Hugging Face's own `cache`."""
    own = _own(entry)
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


def fetch(entry: Entry, *, report: Report, cancelled: Callable[[], bool]) -> Path:
    """Download a model's files and return their folder; what is there already is not downloaded again.

    Raises as `download` does, and Refusal for a repository without safetensors. The folder counts only once all of it
    is there.
    """
    from models.zoo.download import download

    place, endpoint = _own(entry), os.environ.get(ENDPOINT, HUB).rstrip("/")
    listing = place / "revision.json"
    listing.unlink(missing_ok=True)
    download(f"{endpoint}/api/models/{entry.hub}/revision/{REVISION}?blobs=true", listing, cancelled=cancelled)
    commit, wanted = _wanted(entry, listing)
    total, done = sum(size for size, _ in wanted.values()), 0
    folder = place / "snapshots" / commit
    for name, (size, digest) in wanted.items():
        download(
            f"{endpoint}/{entry.hub}/resolve/{commit}/{name}",
            folder / name,
            digest=digest,
            report=lambda now, of, before=done: report(before + now, max(total, before + of)),
            cancelled=cancelled,
        )
        done += size
    (place / "refs").mkdir(parents=True, exist_ok=True)
    write_whole(place / "refs" / REVISION, commit)
    return folder


def _wanted(entry: Entry, listing: Path) -> tuple[str, dict[str, tuple[int, str]]]:
    """Return the commit of a repository, and the files that are wanted with their sizes and SHA-256 ("" unknown)."""
    try:
        found: Any = json.loads(files.text_of(listing, most=MOST_BYTES))
        commit, siblings = str(found["sha"]), list(found["siblings"])
        there = {str(one["rfilename"]): one for one in siblings}
        if not _COMMIT.fullmatch(commit):
            raise ValueError("no commit")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        listing.unlink(missing_ok=True)
        raise Refusal(f"The hub does not list the files of {entry.hub} as it should.", advice="Try later.") from error
    shards = sorted(name for name in there if _SHARD.fullmatch(name))
    if model_folder.WEIGHTS in there:
        weights = [model_folder.WEIGHTS]
    elif model_folder.INDEX in there and 0 < len(shards) <= MOST_SHARDS:
        weights = [model_folder.INDEX, *shards]
    else:
        message = f"{entry.hub} has no safetensors weights at its newest revision, so it was not downloaded."
        raise Refusal(message, advice="Its pickled files could run code. Ask its makers, or convert it yourself.")
    if model_folder.CONFIG not in there:
        raise Refusal(f"{entry.hub} has no config.json: it is no model of transformers.", advice="Choose another.")
    return commit, {name: _facts(there[name]) for name in (*SMALL, *weights) if name in there}


def _facts(told: Any) -> tuple[int, str]:
    size, large = told.get("size"), told.get("lfs")
    digest = str(large.get("sha256", "")) if isinstance(large, dict) else ""
    return (size if isinstance(size, int) and size > 0 else 0), digest if _SHA256.fullmatch(digest) else ""


def _home() -> Path:
    return user_folders.caches() / "vitrine" / "hugging-face"


def _own(entry: Entry) -> Path:
    return _home() / entry.hub.replace("/", "--")


def _snapshots(place: Path) -> Iterator[Path]:
    """Yield the folder of the newest revision of a model, in the layout of `huggingface_hub`."""
    try:
        commit = (place / "refs" / REVISION).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return
    if _COMMIT.fullmatch(commit):
        yield place / "snapshots" / commit


def _whole(folder: Path) -> bool:
    """Return whether a folder has a configuration and weights as safetensors, all parts of them."""
    if not (folder / model_folder.CONFIG).is_file():
        return False
    if (folder / model_folder.WEIGHTS).is_file():
        return True
    try:
        listed = json.loads(files.text_of(folder / model_folder.INDEX, most=MOST_BYTES))["weight_map"].values()
        return all(_SHARD.fullmatch(name) and (folder / name).is_file() for name in set(map(str, listed)))
    except (Refusal, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
