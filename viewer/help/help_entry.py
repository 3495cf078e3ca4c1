"""The help on one panel: what it is for, the paper behind it, and where the documentation says more."""

from __future__ import annotations

from dataclasses import dataclass

PAGE = "features.md"


@dataclass(frozen=True)
class PanelHelp:
    """The help on one panel: `text` in two sentences, the `paper` with its `address`, "" where there is none.

    `part` is a heading of docs/<page>, or the words in bold with which a paragraph or a list item begins.
    """

    text: str
    paper: str
    address: str
    part: str
    page: str = PAGE
