"""The result of an opener: a network with its card and the files it was made from, or another model's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from models.cards.card import Card


@dataclass(frozen=True)
class Opened:
    """A network and its card.

    `files` are the files it was made from besides the card's weights; it is reopened when one changes. `adapter` is the
    class to use, None for the first matching adapter of Vitrine's. `assumed` are the user's assumptions that are left
    to the code which interprets networks of unknown families. `measured` is the size in bytes of an exported program's
    file that has not run yet and bounds the resources of its first run; 0 for anything else. `preparation` prepares
    pictures where that has no form in the card, with the methods of `Preprocess`.
    """

    net: nn.Module
    card: Card
    files: tuple[Path, ...] = ()
    adapter: Any = None
    assumed: Mapping[str, str] = field(default_factory=dict)
    measured: int = 0
    preparation: Any = None


@dataclass(frozen=True)
class Elsewhere:
    """The model that a file of code names in place of holding one, and what the file says of it.

    `name` is its full name, `assume` are assumptions that hold unless the user chooses others, `classes` and `title`
    replace those of its card unless they are empty, `files` are the files that said so.
    """

    name: str
    assume: Mapping[str, str]
    classes: tuple[str, ...] = ()
    title: str = ""
    files: tuple[Path, ...] = ()
