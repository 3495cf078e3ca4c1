"""What every kind of opener gives: a network with its card, and the files that both come from. It opens nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from models.cards import Card


@dataclass(frozen=True)
class Opened:
    """A network and what is known of it.

    `files` are what it was made from besides the card's weights: when one changes, it is opened again. `adapter` is the
    class that serves it, None for the first of Vitrine's own that matches.
    """

    net: nn.Module
    card: Card
    files: tuple[Path, ...] = ()
    adapter: Any = None
