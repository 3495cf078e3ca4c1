"""Search in the zoo: the entries that match a few words, best first."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from models.cards.zoo_catalogue import HUGGING_FACE, Entry, hub_entry


def search(entries: Sequence[Entry], query: str, *, task: str = "", only: Collection[str] | None = None) -> list[Entry]:
    """Return the entries that have every word of `query`; if there are none, those that have its letters in order.

    Name, family and task are searched. Names that begin with the first word come first, then shorter ones; without a
    query the order is kept. `task` and `only`, a collection of names, filter the entries. A
    full name `hf:ORG/NAME` is an entry of its own.
    """
    if query.strip().startswith(f"{HUGGING_FACE}:") and only is None and not task:
        named = hub_entry(query.strip().partition(":")[2])
        entries = [*entries, *([named] if named is not None and named not in entries else [])]
    pool = [e for e in entries if (not task or e.task == task) and (only is None or e.name in only)]
    words = query.lower().split()
    if not words:
        return pool
    found = [e for e in pool if all(word in e.words for word in words)]
    if not found:
        # Each letter skips over others but never over itself, so the match is unique and needs no backtracking.
        letters = re.compile("".join(f"[^{re.escape(letter)}]*{re.escape(letter)}" for letter in "".join(words)))
        spread = [(match.end(), len(e.name), e.name, e) for e in pool if (match := letters.match(e.words))]
        return [e for *_, e in sorted(spread, key=lambda row: row[:3])]
    return sorted(found, key=lambda e: _rank(e, words[0]))


def _rank(entry: Entry, word: str) -> tuple[int, int]:
    name = entry.architecture.lower()
    place = 0 if name == word else 1 if name.startswith(word) else 2 if word in name else 3
    return place, len(entry.architecture)
