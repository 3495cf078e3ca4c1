"""Search of commands by a few letters, forgiving and in any order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from viewer.commands.command import Command, menu_titles

START = 8
NEIGHBOUR = 10
MATCH = 1
JUMP = 3
EXACT = 5
TYPO_LEAST = 4  # letters of a word in which a slip is forgiven; two swapped letters are in any
HELP_LEAST = 3  # letters of a word that is looked for in the help texts
# Of equally good matches these come later, by the first word of their menu.
LATER = {"Glossary": 12.0, "Help": 6.0}


class Way(IntEnum):
    """How a text matches a command, the best way first."""

    TITLE = 0  # in one piece, or the beginnings of words
    WORDS = 1  # every word, in any order, some in the name of the menu
    SLIP = 2  # the same with a letter wrong, missing, too many or swapped
    MENU = 3  # the menu's name first: "edit redo"
    SCATTERED = 4  # the letters somewhere in the title
    HELP = 5  # every word in what is said of the command


@dataclass(frozen=True)
class Hit:
    """A command that matches: higher scores are better; `places` are the letters of the title that matched."""

    command: Command
    available: bool
    score: float = 0.0
    places: tuple[int, ...] = ()
    way: Way = Way.TITLE


@dataclass(frozen=True)
class Match:
    """A match's score, higher is better, and the indices of the matched characters."""

    score: float
    places: tuple[int, ...]


def ranked(text: str, hits: list[Hit]) -> list[Hit]:
    """Return the commands that match a text: what is possible now first, then the best.

    What matches only by a slip, or by scattered letters, is left out where something matches by its title.
    """
    found = [hit for each in hits if (hit := find(text, each)) is not None]
    if text.strip() and any(hit.way <= Way.WORDS for hit in found):
        found = [hit for hit in found if hit.way not in (Way.SLIP, Way.SCATTERED)]
    return sorted(found, key=lambda hit: (not hit.available, hit.way, -hit.score))


def find(text: str, hit: Hit) -> Hit | None:
    """Match a text with a command: its title, its menu, its help; slips and any order of the words are forgiven."""
    command, words = hit.command, text.lower().split()
    later = LATER.get(command.menu.split("/")[0], 0.0)
    title, menu = command.title.lower(), "/".join([command.menu, *menu_titles(command)]).lower()

    def by(way: Way, score: float = 0.0, places: tuple[int, ...] = ()) -> Hit:
        return Hit(command, hit.available, score - later, places, way)

    direct = match(text, command.title)
    if direct is not None and (not words or _together(direct.places, command.title)):
        return by(Way.TITLE, direct.score, direct.places)
    if words and all(word in title or word in menu for word in words) and any(word in title for word in words):
        return by(Way.WORDS)
    first, _, rest = text.strip().lower().partition(" ")
    if any(part.startswith(first) for part in menu.split("/")) and (found := match(rest, command.title)):
        return by(Way.MENU, found.score, found.places)
    if all(word in title or word in menu or _slip(word, f"{title} {menu}") for word in words):
        return by(Way.SLIP)
    if direct is not None:
        return by(Way.SCATTERED, direct.score, direct.places)
    told = f"{title} {menu} {command.help.lower()}"
    if all(len(word) >= HELP_LEAST and word in told for word in words):
        return by(Way.HELP)
    return None


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
    # Dynamic programming: the best match of the letters so far, by the place of its last letter.
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


def _together(places: tuple[int, ...], title: str) -> bool:
    """Return whether each matched letter follows the one before it or begins a word."""
    before = (-2, *places)
    return all(
        place == last + 1 or place == 0 or not title[place - 1].isalnum()
        for last, place in zip(before, places, strict=False)
    )


def _slip(word: str, text: str) -> bool:
    """Return whether a word of `text` begins with `word` but for one wrong, missing, further or swapped letter."""
    others = text.replace("-", " ").split()
    if len(word) >= TYPO_LEAST:
        return any(_near(word, other) for other in others)
    swaps = {word[:k] + word[k + 1] + word[k] + word[k + 2 :] for k in range(len(word) - 1)}
    return any(other in swaps for other in others)


def _near(word: str, other: str) -> bool:
    """Return whether the beginning of `other` is at most one edit from `word` (a swap of neighbours counts as one)."""
    at = next((k for k, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other)))
    rest, tail = word[at:], other[at:]
    return any(
        given == kept[: len(given)]
        for given, kept in (
            (rest[1:], tail[1:]),  # another letter
            (rest[1:], tail),  # one too many
            (rest, tail[1:]),  # one missing
            (rest[1::-1] + rest[2:], tail),  # two swapped
        )
        if rest
    )
