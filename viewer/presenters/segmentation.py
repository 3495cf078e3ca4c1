"""A segmenter's classes as a layer and as text."""

from __future__ import annotations

from collections.abc import Sequence

from models.cards.card import BACKGROUND
from models.types import Result
from viewer.canvas.layers import Labels
from viewer.translation import tr

LAYER = "classes"
TITLES = (tr("Class"), tr("Share of the picture"), tr("Mean probability"))
Line = tuple[int, str, float, float]


def label_layer(result: Result, *, opacity: float = 0.5) -> Labels:
    """Return the class of each pixel as a layer; the background is transparent."""
    arrays, meta = result.arrays, result.meta
    more = {"names": meta["names"], "clear": clear(meta["names"]), "opacity": opacity}
    return Labels(LAYER, arrays["labels"], arrays["probability"], meta["extent"], **more)


def clear(names: Sequence[str]) -> tuple[int, ...]:
    """Return the ids of the classes that are not painted: the background's."""
    return (0,) if names and names[0] in BACKGROUND else ()


def lines(result: Result) -> list[Line]:
    """Return label, name, share and mean probability of each class present, the largest share first."""
    columns = (result.arrays[name].tolist() for name in ("classes", "share", "mean"))
    return [(label, result.meta["names"][label], share, mean) for label, share, mean in zip(*columns, strict=True)]


def as_text(rows: list[Line]) -> str:
    """Return the classes as tab-separated text."""
    return "\n".join(["\t".join(TITLES), *(f"{name}\t{share:.6f}\t{mean:.6f}" for _, name, share, mean in rows)])
