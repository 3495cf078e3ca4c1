"""List the available models as lines of text for the command line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from models.cards import card as cards
from models.cards import zoo_catalogue
from models.cards.zoo_catalogue import NOT_STATED
from models.zoo import cached
from models.zoo.search import search

WIDTH = 116


def bundled() -> Iterator[str]:
    """Yield lines for the bundled models and for the architectures that open without weights."""
    for card in cards.bundled().values():
        yield f"{card.name:24} {card.task:14} {card.bytes / 1e6:4.1f} MB  {card.licence:8} {card.title}"
    yield "\nWithout weights, for their anchors:"
    for name, title in cards.ARCHITECTURES.items():
        yield f"{name:38} {title}"
    yield "\nSegmenters without weights:"
    for name, title in cards.SEGMENTERS.items():
        yield f"{name:38} {title}"
    yield "\nClassifiers without weights, for their layers:"
    yield textwrap.fill(" ".join(cards.CLASSIFIERS), WIDTH)


def zoo(text: str) -> Iterator[str]:
    """Yield a line for each entry that matches `text` (all for ""), best match first, then a line with the totals."""
    entries = zoo_catalogue.entries()
    found, there = search(entries, text), cached.found(entries)
    for entry in found:
        size = f"{'' if entry.measured else '~'}{entry.bytes / 1e6:,.0f} MB" if entry.bytes else "no weights"
        licence = (entry.licence or NOT_STATED) if entry.tag else ""
        state = "in the cache" if entry.name in there else ""
        parameters = f"{entry.parameters / 1e6:,.1f} M"
        yield f"{entry.name:64} {entry.task:14} {parameters:>10} {size:>10}  {licence:20} {state}".rstrip()
    yield f"{len(found):,} of {len(entries):,}; {len(there):,} in the cache"
