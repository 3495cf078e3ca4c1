"""Which entries of the zoo a few words mean, best first. No Qt, no torch."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache

from models.zoo.catalogue import Entry


def search(entries: Sequence[Entry], query: str, *, task: str = "", only: Collection[str] | None = None) -> list[Entry]:
    """Return the entries that have every word of `query` in name, family or task, or else its letters in order.

    Names that begin with the first word come first, then the shortest; without a query the order stays. `task` and
    `only`, names of entries, leave others out.
    """
    pool = [e for e in entries if (not task or e.task == task) and (only is None or e.name in only)]
    words = query.lower().split()
    if not words:
        return pool
    found = [e for e in pool if all(word in _text(e) for word in words)]
    if not found:
        letters = re.compile(".*?".join(re.escape(letter) for letter in "".join(words)))
        spread = {e: match.end() - match.start() for e in pool if (match := letters.search(_text(e)))}
        return sorted(spread, key=lambda e: (spread[e], len(e.name)))
    return sorted(found, key=lambda e: _rank(e, words[0]))


def _rank(entry: Entry, word: str) -> tuple[int, int]:
    name = entry.architecture.lower()
    place = 0 if name == word else 1 if name.startswith(word) else 2 if word in name else 3
    return place, len(entry.architecture)


@cache
def _text(entry: Entry) -> str:
    return f"{entry.architecture} {entry.tag} {entry.library} {entry.family} {entry.task} {entry.name}".lower()
