"""Fuzzy matching of typed letters against names."""

from __future__ import annotations

from dataclasses import dataclass

START = 8
NEIGHBOUR = 10
MATCH = 1
JUMP = 3
EXACT = 5


@dataclass(frozen=True)
class Match:
    """A match's score, higher is better, and the indices of the matched characters."""

    score: float
    places: tuple[int, ...]


def match(query: str, text: str) -> Match | None:
    """Match the letters of `query` in order anywhere in `text`, ignoring case and blanks; return None without a match.

    Of all alignments the best-scoring one counts. Consecutive letters, starts of words and a complete match score
    higher; jumps lower the score. An empty query matches with score 0.
    """
    wanted, folded = "".join(query.split()).lower(), text.lower()
    if not wanted:
        return Match(0.0, ())
    if len(folded) != len(text):
        folded = text  # some letters lower-case to two letters, and `places` must index `text`
    previous: dict[int, tuple[float, tuple[int, ...]]] = {-1: (0.0, ())}
    for letter in wanted:
        current: dict[int, tuple[float, tuple[int, ...]]] = {}
        best: tuple[float, tuple[int, ...]] | None = None  # the best among matches that end at least two places back
        for place, found in enumerate(folded):
            if (older := previous.get(place - 2)) is not None and (best is None or older[0] > best[0]):
                best = older
            if found != letter:
                continue
            ways = []
            if (near := previous.get(place - 1)) is not None:
                ways.append((near[0] + (NEIGHBOUR if place else 0), near[1]))
            if best is not None:
                ways.append((best[0] - JUMP, best[1]))
            if ways:
                score, places = max(ways)
                begins = place == 0 or not folded[place - 1].isalnum()
                current[place] = (score + MATCH + (START if begins else 0), (*places, place))
        previous = current
    if not previous:
        return None
    score, places = max(previous.values())
    exact = len(places) == sum(not letter.isspace() for letter in text)
    return Match(score + (EXACT if exact else 0), places)
