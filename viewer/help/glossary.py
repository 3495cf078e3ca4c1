"""The glossary: the field's words, each explained in a few sentences, and how they are found in a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from viewer.help import answer_terms, network_terms
from viewer.help.glossary_term import Term

# Names of at most so many letters with a capital after the first must be written like that: "map" is not mAP.
AS_WRITTEN_MOST = 4


@dataclass(frozen=True)
class Found:
    """A term within a text, from the index `start` to before `end`."""

    term: Term
    start: int
    end: int


def terms() -> tuple[Term, ...]:
    """Return every term."""
    return (*answer_terms.terms(), *network_terms.terms())


def sorted_terms() -> list[Term]:
    """Return every term in alphabetical order."""
    return sorted(terms(), key=lambda term: term.title.casefold())


def by_id(name: str) -> Term:
    """Return the term with an id. Raises KeyError."""
    return {term.id: term for term in terms()}[name]


def in_text(text: str) -> list[Found]:
    """Return the terms that a text contains, in order; of those that overlap the longest counts."""
    hits = [Found(term, hit.start(), hit.end()) for term, look in _patterns(terms()) for hit in look.finditer(text)]
    taken: list[Found] = []
    for hit in sorted(hits, key=lambda hit: (hit.start - hit.end, hit.start)):
        if all(hit.end <= other.start or hit.start >= other.end for other in taken):
            taken.append(hit)
    return sorted(taken, key=lambda hit: hit.start)


def find(text: str, *, at: int = -1) -> Term | None:
    """Return the term that contains the letter with the index `at`, without one the first in the text, else None."""
    hits = in_text(text)
    if at >= 0:
        return next((hit.term for hit in hits if hit.start <= at < hit.end), None)
    return hits[0].term if hits else None


def search(text: str) -> list[Term]:
    """Return the terms with every word of a text: first those whose name begins with it, then named, then told so."""
    wanted, words = text.strip().casefold(), text.casefold().split()
    every = sorted_terms()
    names = {term.id: " ".join((term.title, *term.names)).casefold() for term in every}
    begin = [term for term in every if any(name.casefold().startswith(wanted) for name in term.names)]
    named = [term for term in every if all(word in names[term.id] for word in words)]
    told = [term for term in every if all(word in f"{names[term.id]} {term.text.casefold()}" for word in words)]
    return list(dict.fromkeys([*begin, *named, *told]))


@cache
def _patterns(words: tuple[Term, ...]) -> Sequence[tuple[Term, re.Pattern[str]]]:
    return [(term, _pattern(name)) for term in words for name in term.names]


def _pattern(name: str) -> re.Pattern[str]:
    """Match a name as a whole word, also in the plural; one that is not in Latin letters anywhere, whatever follows."""
    words = r"[\s-]+".join(re.escape(word) for word in re.split(r"[\s-]+", name))
    if not name.isascii():
        return re.compile(words)
    exact = len(name) <= AS_WRITTEN_MOST and not name[1:].islower()
    plural = "" if name.endswith("s") else "(?:s|es)?"
    return re.compile(rf"(?<![A-Za-z0-9_-]){words}{plural}(?![A-Za-z0-9_-])", 0 if exact else re.IGNORECASE)
