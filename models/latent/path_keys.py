"""The keys of a path as text, and NPY files in such a text replaced by their numbers.

`seed:1 slerp | seed:2 lerp easeInOutQuad | 0.1,-0.7` are three codes separated by bars. A code may be followed by the
interpolation and the easing of the segment after it; if left out, the path's own apply. A code with several rows makes
several keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from models.latent import space as spaces
from models.latent.path import EASINGS, Segment
from models.latent.space import Space
from models.types import Float, Refusal

BETWEEN = "|"
# From the names that users write to those in `models.latent.path`.
PATHS = {"auto": "prior", "slerp": "slerp", "lerp": "lerp", "variance_preserving": "variance-preserving"}


@dataclass(frozen=True)
class Stop:
    """A code as text, and the interpolation and easing of the segment after it; "" means the path's own."""

    code: str
    path: str = ""
    easing: str = ""


def read(text: str) -> list[Stop]:
    """Parse a text into stops; an empty text has none. Raises Refusal for an interpolation or easing given twice."""
    return [_stop(part.strip()) for part in text.split(BETWEEN) if part.strip()]


def write(stops: Iterable[Stop]) -> str:
    """Format stops as a text that `read` parses."""
    return f" {BETWEEN} ".join(" ".join(part for part in (s.code, s.path, s.easing) if part) for s in stops)


def keys_of(stops: Iterable[Stop], space: Space, *, path: str, easing: str) -> tuple[Float, list[Segment]]:
    """Return the codes (K, D) of stops, and the segment after each. Raises Refusal naming the key that is wrong."""
    codes: list[Float] = []
    segments: list[Segment] = []
    for number, stop in enumerate(stops, 1):
        try:
            rows = space.parse(stop.code)
        except Refusal as refusal:
            raise Refusal(f"Key {number}: {refusal}", advice=refusal.advice) from refusal
        codes.append(rows)
        segments += [Segment(PATHS[stop.path or path], stop.easing or easing)] * len(rows)
    return np.concatenate(codes) if codes else np.zeros((0, space.size), np.float32), segments


def settled(text: str, space: Space) -> str:
    """Return the text with numbers in place of NPY files, so that it keeps its meaning when the files change.

    Raises Refusal for a file that cannot be read or holds no codes of this space.
    """
    if ".npy" not in text.lower():
        return text
    stops = [_stop(part.strip()) for part in text.split(BETWEEN)]
    return write(
        Stop(spaces.write(space.parse(s.code)), s.path, s.easing) if s.code.lower().endswith(".npy") else s
        for s in stops
    )


def _stop(text: str) -> Stop:
    """Parse one stop: trailing words that name an interpolation or easing are split off; the rest is the code."""
    found: dict[str, str] = {}
    words = text.split(" ")
    while len(words) > 1 and (words[-1] in PATHS or words[-1] in EASINGS or not words[-1]):
        word = words.pop()
        kind = "path" if word in PATHS else "easing"
        if word and kind in found:
            raise Refusal(f"{text[-60:]!r} names two ways to go on.", advice="Give one path and one easing.")
        if word:
            found[kind] = word
    if len(words) > 1 and words[-1].isalpha() and not words[-2].endswith((",", ";")):
        known = f"Paths: {', '.join(PATHS)}; easings: {', '.join(EASINGS)}."
        raise Refusal(f"{words[-1]!r} is neither a path nor an easing.", advice=known)
    return Stop(" ".join(words), found.get("path", ""), found.get("easing", ""))
