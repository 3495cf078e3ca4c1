"""Gets the weights of a zoo model into the cache, downloading them if necessary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from models import model_name
from models.cards import card, zoo_catalogue
from models.cards.zoo_catalogue import Entry
from models.types import Refusal
from models.zoo import cached, hub_model

if TYPE_CHECKING:
    from models.zoo.download import Report

PARTS = 10  # of a download, reported one by one


def missing(name: str) -> Entry | None:
    """Return the entry of a model's name, without its assumptions, if it is a zoo model that is not downloaded yet."""
    if not card.is_zoo(name):
        return None
    try:
        entry = zoo_catalogue.find(name)
    except Refusal:
        return None  # opening it gives the better message
    return entry if entry.url and cached.find(entry) is None else None


def fetch(
    entry: Entry,
    *,
    report: Report = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Path:
    """Return the file of an entry's weights or its folder, downloading it if necessary. Raises as `download` does."""
    found = cached.find(entry)
    if found is not None:
        return found
    if hub_model.is_hub(entry):
        from models.zoo import hub_download

        return hub_download.fetch(entry, report=report, cancelled=cancelled)
    from models.zoo.download import download  # slow to import (an HTTP client), and rarely needed

    return download(entry.url, cached.place(entry), digest=cached.digest(entry), report=report, cancelled=cancelled)


def bring(name: str, say: Callable[[str], None]) -> None:
    """Download the weights of a zoo model unless they are cached, calling `say` with the progress.

    Other names are ignored. Raises Refusal when the download fails.
    """
    entry = missing(model_name.split(name)[0])
    if entry is None:
        return
    reported = -1

    def report(done: int, total: int) -> None:
        nonlocal reported
        if total and PARTS * done // total > reported:
            reported = PARTS * done // total
            say(f"Downloading {entry.name}: {done / 1e6:,.1f} of {total / 1e6:,.1f} MB")

    fetch(entry, report=report)
