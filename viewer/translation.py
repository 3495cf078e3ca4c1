"""Translate the texts of the window. Knows no Qt, so that every room may use it.

Write each text that a person sees in English, as the argument of one of these:

    tr("Open pictures…")                                       a text
    tr("{shown:,} of {total:,} shown", shown=a, total=b)       a text with places: never an f-string in `tr`
    trn("{n:,} box", "{n:,} boxes", count)                     one and many of something, as `n`

The places take what an f-string takes ("{score:.2f}"), and values that are texts are translated where they are made.
Names of files, models, classes and layers, bare numbers and units are not translated; nor are ids, keys of settings
and whatever is written to be read by programs. One text is one sentence or one name: no sentence is put together from
parts, because other languages have another order.

The language is chosen by `use` before any other module of the window is imported, and stays until the program ends.
So `tr` may stand anywhere, in tables at the top of a module too. In English, and wherever a text has no translation, it
gives back its text. The translations are Qt's files `assets/translations/LANGUAGE.ts`, which Qt Linguist edits;
`python -m docs.translations` enters new texts and says which are still to be translated (docs/translation.md).
They are read directly: a compiled .qm could not be merged, and would be one more file that can be out of date.
"""

from __future__ import annotations

import os
import string
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from viewer import korean

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "translations"
ENGLISH = "en"
NAMES = {ENGLISH: "English", "ko": "한국어"}
PSEUDO = "pseudo"  # English in brackets, which shows what is not translated
WINDOW, ENGINE = "Vitrine", "Engine"  # the contexts in a file: texts of the window, and of models/

# Which of a message's forms belongs to a number, in Qt's order of forms, where it is not "one, else".
FORMS: dict[str, Callable[[int], int]] = {
    "ja": lambda n: 0,
    "ko": lambda n: 0,
    "zh": lambda n: 0,
    "fr": lambda n: int(n > 1),
    "ru": lambda n: 0 if n % 10 == 1 and n % 100 != 11 else 1 if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else 2,
    "pl": lambda n: 0 if n == 1 else 1 if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else 2,
    "cs": lambda n: 0 if n == 1 else 1 if 2 <= n <= 4 else 2,
}
# The signs of numbers, decimal and thousands, where they are not those of English.
SIGNS = {"de": (",", "."), "es": (",", "."), "it": (",", "."), "pt": (",", "."), "fr": (",", "\u202f")}
SIGNS |= {"ru": (",", "\xa0"), "pl": (",", "\xa0"), "cs": (",", "\xa0")}


class _Language:
    """The language in force, and its texts by their English, a tuple of forms for those with a number."""

    code = ENGLISH
    window: dict[str, str | tuple[str, ...]]
    engine: dict[str, str | tuple[str, ...]]

    def __init__(self) -> None:
        self.window, self.engine = {}, {}


_now = _Language()


def tr(text: str, /, **values: Any) -> str:
    """Return a text in the language of the window, with its places filled."""
    if _now.code == ENGLISH:
        return text.format(**values) if values else text
    found = _now.window.get(text, text)
    return _finish(found if isinstance(found, str) else found[-1], values)


def trn(one: str, many: str, n: int, /, **values: Any) -> str:
    """Return a text about `n` things in the language of the window, with `n` and its other places filled."""
    values = {"n": n, **values}
    if _now.code == ENGLISH:
        return (one if n == 1 else many).format(**values)
    forms = _now.window.get(many)
    if not isinstance(forms, tuple) or not forms:
        return _finish(one if n == 1 else many, values)
    at = FORMS.get(_now.code, lambda n: int(n != 1))(n)
    return _finish(forms[min(at, len(forms) - 1)], values)


def language() -> str:
    """Return the code of the language in force."""
    return _now.code


def engine_texts() -> dict[str, str | tuple[str, ...]]:
    """Return the translations of the texts of models/ by their English templates."""
    return _now.engine


def offered() -> dict[str, str]:
    """Return the languages that there are, with the names they have for themselves."""
    return {code: name for code, name in NAMES.items() if code == ENGLISH or (FOLDER / f"{code}.ts").exists()}


def use(code: str = "") -> str:
    """Put a language in force, by default the system's, and return it; English if there is no such translation."""
    chosen = code or system()
    if chosen != PSEUDO and chosen not in offered():
        chosen = ENGLISH
    _now.code, _now.window, _now.engine = chosen, {}, {}
    if chosen not in (ENGLISH, PSEUDO):
        texts = read(FOLDER / f"{chosen}.ts")
        _now.window, _now.engine = texts.get(WINDOW, {}), texts.get(ENGINE, {})
    if chosen == PSEUDO:
        known = read(FOLDER / "ko.ts").get(ENGINE, {})
        _now.engine = {text: text for text in known}
    return chosen


def system() -> str:
    """Return the code of the first of the system's languages that there is a translation for."""
    known = offered()
    return next((code for each in _system() if (code := each.replace("_", "-").split("-")[0]) in known), ENGLISH)


def _system() -> list[str]:
    if sys.platform in ("win32", "darwin"):
        from PySide6.QtCore import QLocale

        return list(QLocale.system().uiLanguages())
    found = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), "")
    if found.partition(".")[0] in ("", "C", "POSIX"):
        return []
    return [*filter(None, os.environ.get("LANGUAGE", "").split(":")), found]


@cache
def read(path: Path) -> dict[str, dict[str, str | tuple[str, ...]]]:
    """Return the translations in a Qt file by context and English text; unfinished and vanished ones are left out."""
    from xml.etree import ElementTree  # English needs none

    contexts: dict[str, dict[str, str | tuple[str, ...]]] = {}
    for context in ElementTree.parse(path).getroot().iter("context"):
        texts = contexts.setdefault(context.findtext("name") or "", {})
        for message in context.iter("message"):
            source, given = message.findtext("source"), message.find("translation")
            if not source or given is None or given.get("type"):
                continue
            forms = tuple(form.text or "" for form in given.iter("numerusform"))
            if forms or given.text:
                texts[source] = forms or given.text or ""
    return contexts


class _Formatter(string.Formatter):
    """Writes numbers with the signs of the language."""

    def format_field(self, value: Any, format_spec: str) -> str:
        text = format(value, format_spec)
        signs = SIGNS.get(_now.code)
        if signs is None or not isinstance(value, int | float) or isinstance(value, bool):
            return text
        return text.translate(str.maketrans({".": signs[0], ",": signs[1]}))


_formatter = _Formatter()


def _finish(text: str, values: dict[str, Any]) -> str:
    if values:
        text = _formatter.vformat(text, (), values)
    if _now.code == PSEUDO:
        return f"⟦{text}⟧"
    return korean.particles(text) if _now.code == "ko" else text
