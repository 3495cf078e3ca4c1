"""The zoo for the command line: its entries as lines of text, its downloads told a tenth at a time. Prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from models import assume
from models.zoo import cached, catalogue
from models.zoo.catalogue import NOT_STATED
from models.zoo.fetch import fetch, missing
from models.zoo.search import search

PARTS = 10


def lines(text: str) -> Iterator[str]:
    """Return a line for each entry that `text` means, all of them for "", best first; the last line sums up."""
    entries = catalogue.entries()
    found, there = search(entries, text), cached.found(entries)
    for entry in found:
        size = f"{'' if entry.measured else '~'}{entry.bytes / 1e6:,.0f} MB" if entry.bytes else "no weights"
        licence = (entry.licence or NOT_STATED) if entry.tag else ""
        state = "in the cache" if entry.name in there else ""
        parameters = f"{entry.parameters / 1e6:,.1f} M"
        yield f"{entry.name:64} {entry.task:14} {parameters:>10} {size:>10}  {licence:20} {state}".rstrip()
    yield f"{len(found):,} of {len(entries):,}; {len(there):,} in the cache"


def bring(name: str, say: Callable[[str], None]) -> None:
    """Download the weights of a model of the zoo unless they are there, and `say` how far it is.

    Any other name is passed over. Raises Refusal when it cannot be downloaded.
    """
    entry = missing(assume.split(name)[0])
    if entry is None:
        return
    told = -1

    def report(done: int, total: int) -> None:
        nonlocal told
        if total and PARTS * done // total > told:
            told = PARTS * done // total
            say(f"Downloading {entry.name}: {done / 1e6:,.1f} of {total / 1e6:,.1f} MB")

    fetch(entry, report=report)
