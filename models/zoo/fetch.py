"""Brings the weights of a model of the zoo into the cache, unless they are there. Opens none. No torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from models import model_name
from models.cards import card, zoo_catalogue
from models.cards.zoo_catalogue import Entry
from models.types import Refusal
from models.zoo import cached

if TYPE_CHECKING:
    from models.zoo.download import Report

PARTS = 10  # of a download, told one by one


def missing(name: str) -> Entry | None:
    """Return the entry of a model's name, without its assumptions, if it is the zoo's and is still to be downloaded."""
    if not card.is_zoo(name):
        return None
    try:
        entry = zoo_catalogue.find(name)
    except Refusal:
        return None  # told better by whoever opens it
    return entry if entry.url and cached.find(entry) is None else None


def fetch(
    entry: Entry,
    *,
    report: Report = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Path:
    """Return the file of an entry's weights, downloaded if need be. Raises as `download` does."""
    found = cached.find(entry)
    if found is not None:
        return found
    from models.zoo.download import download  # and with it a client for HTTP, which most starts have no use for

    return download(entry.url, cached.place(entry), digest=cached.digest(entry), report=report, cancelled=cancelled)


def bring(name: str, say: Callable[[str], None]) -> None:
    """Download the weights of a model of the zoo unless they are there, and `say` how far it is.

    Any other name is passed over. Raises Refusal when it cannot be downloaded.
    """
    entry = missing(model_name.split(name)[0])
    if entry is None:
        return
    told = -1

    def report(done: int, total: int) -> None:
        nonlocal told
        if total and PARTS * done // total > told:
            told = PARTS * done // total
            say(f"Downloading {entry.name}: {done / 1e6:,.1f} of {total / 1e6:,.1f} MB")

    fetch(entry, report=report)
