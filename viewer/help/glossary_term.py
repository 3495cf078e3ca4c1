"""One word of the glossary."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A word, what it means in one or two sentences, and the `aliases` that it also has."""

    id: str
    title: str
    text: str
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What it is called in a text: the title, of "NMS (non-maximum suppression)" both parts, and the aliases."""
        short, _, long = self.title.partition(" (")
        parts = (short, long.removesuffix(")")) if long else (self.title,)
        return tuple(dict.fromkeys((*parts, *self.aliases)))
