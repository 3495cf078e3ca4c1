"""Show the texts of models/ in the language of the window. They are English there, as on the command line.

`shown` recognises an English text by its template, such as "{path} cannot be read: {error}.", and fills the places of
the translation with what stands in those of the text, which may be such texts themselves. Several sentences in one
text are recognised one by one. What is not recognised stays as it is. Call it where a text that came from models/ is
shown: a result's sentence, a refusal. Descriptions of models and failures are translated on their arrival, by
`arrived`. The templates are found in the code by docs/engine_texts.py.
"""

from __future__ import annotations

import dataclasses
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from models.capabilities import lacks
from models.inspection import Description, Offer
from models.params import Parameter
from models.types import Answer, Failure, Result
from viewer import korean, translation

DEEPEST = 3  # texts within the places of texts
LONGEST = 4000  # characters; a longer text is no sentence of ours
WORD = re.compile(r"[A-Za-zÀ-ÿ']+")
FULL_STOP = re.compile(r"(?<=[.!?:;…])\s+|\n+")
DOT = " · "  # between facts, and between the parts of a model's title
SENTENCE_END = re.compile(rf"{FULL_STOP.pattern}|(?<=[^\s·]){DOT}")
# Keys under which a result holds names, which are no texts even where they read like one.
NAMED = {"classes", "names", "point_names", "paths", "path", "layer", "layers", "model", "target", "type", "id", "ids"}
NAMED |= {"method", "parameters", "unit_names", "labels", "concept", "name", "axes"}
ABOUT = ("title", "knows", "note", "readings", "confinement", "preparation")  # what a model says of itself in words


def shown(text: str) -> str:
    """Return a text of models/ in the language of the window, itself if it is not recognised."""
    if translation.language() == translation.ENGLISH or not text or len(text) > LONGEST:
        return text
    return _shown(text, translation.language())


def all_shown(texts: Iterable[str]) -> tuple[str, ...]:
    """Return several texts in the language of the window."""
    return tuple(shown(text) for text in texts)


def arrived(answer: Answer) -> Answer:
    """Return an answer of the engine with what it says of a model, or of a failure, in the language of the window."""
    if translation.language() == translation.ENGLISH:
        return answer
    if isinstance(answer, Failure):
        return failed(answer)
    if isinstance(description := answer.meta.get("description"), Description):
        return dataclasses.replace(answer, meta={**answer.meta, "description": described(description)})
    return answer


def failed(failure: Failure) -> Failure:
    """Return a failure with its sentences in the language of the window."""
    if translation.language() == translation.ENGLISH:
        return failure
    return dataclasses.replace(failure, message=shown(failure.message), advice=shown(failure.advice))


def described(description: Description) -> Description:
    """Return a model's description with titles, helps and reasons in the language of the window."""
    if translation.language() == translation.ENGLISH:
        return description
    about: dict[str, Any] = {
        key: shown(value) if key in ABOUT and isinstance(value, str) else value
        for key, value in description.about.items()
    }
    about |= {
        "behaviour": all_shown(str(text) for text in about.get("behaviour", ())),
        "assumptions": {name: _assumption(item) for name, item in about.get("assumptions", {}).items()},
        "figures": _figures(about.get("figures", {})),
    }
    offers = {name: _offer(offer) for name, offer in description.offers.items()}
    title, stages = shown(description.title), _values(description.stages)
    return dataclasses.replace(description, title=title, stages=stages, offers=offers, about=about)


def _assumption(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an assumption with its title, help and titles of choices in the language of the window."""
    words = {name: shown(str(item[name])) for name in ("title", "help") if name in item}
    return {**item, **words, "titles": _values(item.get("titles", {}))}


def _figures(given: object) -> object:
    """Return a card's figures with the names of pictures and figures in the language of the window."""
    if not isinstance(given, Mapping):
        return given
    return {
        shown(str(pictures)): {shown(str(name)): value for name, value in figures.items()}
        if isinstance(figures, Mapping)
        else figures
        for pictures, figures in given.items()
    }


def _offer(offer: Offer) -> Offer:
    return dataclasses.replace(
        offer,
        title=shown(offer.title),
        help=shown(offer.help),
        reason=shown(offer.reason),
        parameters=tuple(named(parameter) for parameter in offer.parameters),
        greyed=_values(offer.greyed),
        group=shown(offer.group),
    )


def named(parameter: Parameter) -> Parameter:
    """Return a parameter with its title, help, unit and the titles of its choices in the language of the window."""
    return dataclasses.replace(
        parameter,
        title=shown(parameter.title),
        help=shown(parameter.help),
        unit=shown(parameter.unit),
        titles=all_shown(parameter.titles),
    )


def _values(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: shown(text) for name, text in texts.items()}


@lru_cache(maxsize=4096)
def _shown(text: str, language: str) -> str:
    cuts = [0, *(match.end() for match in SENTENCE_END.finditer(text)), len(text)]
    if len(cuts) == 2:
        return _whole(text, 0) or text
    pieces, unknown = _sentences(text, cuts)
    return pieces if not unknown else _whole(text, 0) or pieces


def _piece(text: str) -> str:
    """Return the translation of a sentence with the blanks and signs that end it, "" if it is not recognised."""
    bare = text.rstrip(" ·\n")
    return f"{found}{text[len(bare) :]}" if (found := _whole(bare, 0, part=True)) else ""


def _whole(text: str, depth: int, *, part: bool = False) -> str:
    """Return the translation of a text that is one template, "" if there is none.

    In a `part` of a text only the last place may hold several sentences, such as an error: the first one would swallow
    the sentences before its own. A model's title with its dots may stand in any place but at the beginning.
    """
    matcher = _matcher(translation.language())
    bare = text.strip()
    found = matcher.find(bare)
    if found is None:
        return ""
    target, values = found
    for value in [*values.values()][:-1] if part else ():
        if FULL_STOP.search(value) or (DOT in value and bare.startswith(value)):
            return ""
    given = {name: _inner(value, depth + 1) for name, value in values.items()}
    filled = target.format(**given)
    if translation.language() == translation.PSEUDO:
        filled = f"⟦{filled}⟧"
    filled = korean.particles(filled) if translation.language() == "ko" else filled
    return text.replace(bare, filled, 1)


def _inner(text: str, depth: int) -> str:
    if depth > DEEPEST or not re.search("[a-z]{3}", text):
        return text
    if found := _whole(text, depth):
        return found
    return DOT.join(", ".join(_counted(each, depth) for each in part.split(", ")) for part in text.split(DOT))


def _counted(text: str, depth: int) -> str:
    """Return an item of a list, with its number as in "2 × Gate"."""
    if found := _whole(text, depth):
        return found
    number, times, name = text.rpartition(" × ")
    return f"{number}{times}{_whole(name, depth) or name}"


def _sentences(text: str, cuts: Sequence[int]) -> tuple[str, int]:
    """Return a text with its sentences translated, the longest runs first, and how many were not recognised."""
    parts: list[str] = []
    first = unknown = 0
    while first < len(cuts) - 1:
        for last in range(len(cuts) - 1, first, -1):
            if (first, last) != (0, len(cuts) - 1) and (found := _piece(text[cuts[first] : cuts[last]])):
                parts.append(found)
                first = last
                break
        else:
            parts.append(text[cuts[first] : cuts[first + 1]])
            unknown += 1
            first += 1
    return "".join(parts), unknown


class _Matcher:
    """Finds the template of a text: by equality, else among those that share its rarest words."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._exact: dict[str, str] = {}
        self._by_word: dict[str, list[tuple[int, re.Pattern[str], str]]] = {}
        self._first: list[tuple[int, re.Pattern[str], str]] = []
        templates = []
        for source, target in texts.items():
            fixed = [part[0] for part in string.Formatter().parse(source)]
            if len(fixed) == 1 and "{" not in source:
                self._exact[source.strip()] = target.strip()
            else:
                templates.append((source.strip(), target.strip(), WORD.findall(" \0 ".join(fixed))))
        often: dict[str, int] = {}
        for _, _, words in templates:
            for word in {*words}:
                often[word] = often.get(word, 0) + 1
        for source, target, words in templates:
            entry = (len(PLACE.sub("", source)), _pattern(source), target)
            inner = [word for word in words if re.search(rf"(?<![\w{{}}]){re.escape(word)}(?![\w{{}}])", source)]
            if inner:
                self._by_word.setdefault(min(inner, key=lambda word: (often[word], -len(word))), []).append(entry)
            else:
                self._first.append(entry)

    def find(self, text: str) -> tuple[str, dict[str, str]] | None:
        """Return the translation and the values of its places; of several templates the one with most fixed letters."""
        if text in self._exact:
            return self._exact[text].replace("{", "{{").replace("}", "}}"), {}
        asked: Sequence[tuple[int, re.Pattern[str], str]] = self._first
        asked = [*asked, *(entry for word in {*WORD.findall(text)} for entry in self._by_word.get(word, ()))]
        for _, pattern, target in sorted(asked, key=lambda entry: -entry[0]):
            if match := pattern.fullmatch(text):
                return target, match.groupdict()
        return None


PLACE = re.compile(r"\{[^{}]*\}")


def _pattern(source: str) -> re.Pattern[str]:
    """Return what matches a filled template; places take at least one character, also line breaks."""
    parts, used = [], set()
    for fixed, name, _, _ in string.Formatter().parse(source):
        parts.append(re.escape(fixed))
        if name is not None:
            parts.append(f"(?P={name})" if name in used else f"(?P<{name}>.+?)")
            used.add(name)
    return re.compile("".join(parts), re.DOTALL)


@lru_cache(maxsize=4)
def _matcher(language: str) -> _Matcher:
    texts = translation.engine_texts()
    return _Matcher({source: given if isinstance(given, str) else given[-1] for source, given in texts.items()})


def spoken(result: Result) -> Result:
    """Return a result for panels to show, with the sentences in its metadata in the language of the window.

    What is exported keeps the engine's own words.
    """
    if translation.language() == translation.ENGLISH:
        return result
    meta = {key: _said(value, key) for key, value in result.meta.items()}
    return result if meta == dict(result.meta) else dataclasses.replace(result, meta=meta)


def _said(value: Any, key: str) -> Any:
    if isinstance(value, str):
        return value if key in NAMED or (" " not in value and "title" not in key) else shown(value)
    if isinstance(value, Mapping):
        return {name: _said(inner, str(name)) for name, inner in value.items()} if key not in NAMED else value
    if (
        isinstance(value, list | tuple)
        and key not in NAMED
        and value
        and isinstance(value[0], str | Mapping | list | tuple)
    ):
        return type(value)(_said(inner, key) for inner in value)
    return value


def lacking(name: str, capabilities: Sequence[str]) -> str:
    """Return in a sentence that a model lacks capabilities, in one for each where the language has no "and" for it."""
    if translation.language() == translation.ENGLISH:
        return f"{name} {lacks(capabilities)}."
    return " ".join(shown(f"{name} {lacks([capability])}.") for capability in capabilities)
