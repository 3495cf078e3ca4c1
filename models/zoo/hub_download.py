"""Downloads a model of the Hugging Face hub: the files that Vitrine reads, of the newest revision, with checksums."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models import files
from models.cards import model_folder
from models.cards.zoo_catalogue import HUB, Entry
from models.output_files import write_whole
from models.types import Refusal
from models.zoo.download import Report, download
from models.zoo.hub_model import COMMIT, MOST_BYTES, REVISION, SHARD, folder_of

ENDPOINT = "HF_ENDPOINT"  # the variable by which Hugging Face's own tools are pointed to a mirror
MOST_SHARDS = 64
SMALL = (
    *(model_folder.CONFIG, "processor_config.json", "preprocessor_config.json", "README.md"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt", "spiece.model"),
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def fetch(entry: Entry, *, report: Report, cancelled: Callable[[], bool]) -> Path:
    """Download a model's files and return their folder; what is there already is not downloaded again.

    Raises as `download` does, and Refusal for a repository without safetensors. The folder counts only once all of it
    is there.
    """
    place, endpoint = folder_of(entry), os.environ.get(ENDPOINT, HUB).rstrip("/")
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
        if not COMMIT.fullmatch(commit):
            raise ValueError("no commit")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        listing.unlink(missing_ok=True)
        raise Refusal(f"The hub does not list the files of {entry.hub} as it should.", advice="Try later.") from error
    shards = sorted(name for name in there if SHARD.fullmatch(name))
    if model_folder.WEIGHTS in there:
        weights = [model_folder.WEIGHTS]
    elif model_folder.INDEX in there and 0 < len(shards) <= MOST_SHARDS:
        weights = [model_folder.INDEX, *shards]
    else:
        message = f"{entry.hub} has no safetensors weights at its newest revision, so it was not downloaded."
        raise Refusal(message, advice="Its pickled files could run code. Ask its makers, or convert it yourself.")
    if model_folder.CONFIG not in there:
        raise Refusal(f"{entry.hub} has no config.json: it is not a transformers model.", advice="Choose another.")
    return commit, {name: _facts(there[name]) for name in (*SMALL, *weights) if name in there}


def _facts(listed: Any) -> tuple[int, str]:
    size, large = listed.get("size"), listed.get("lfs")
    digest = str(large.get("sha256", "")) if isinstance(large, dict) else ""
    return (size if isinstance(size, int) and size > 0 else 0), digest if _SHA256.fullmatch(digest) else ""
