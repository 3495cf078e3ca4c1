"""What every kind of opener gives: a network with its card, and the files that both come from. It opens nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from models.cards.card import Card


@dataclass(frozen=True)
class Opened:
    """A network and what is known of it.

    `files` are what it was made from besides the card's weights: when one changes, it is opened again. `adapter` is the
    class that serves it, None for the first of Vitrine's own that matches. `assumed` are assumptions of the user's that
    the opener left to whoever tells what a network of no known family is for. `measured` is the size in bytes of the
    file of a program that nobody has run yet: what it takes when it first is, is bounded by that; 0 for any other.
    """

    net: nn.Module
    card: Card
    files: tuple[Path, ...] = ()
    adapter: Any = None
    assumed: Mapping[str, str] = field(default_factory=dict)
    measured: int = 0
