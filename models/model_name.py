"""A model's full name, with the assumptions that its file leaves open: `FILE?activation=relu`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from models.types import Refusal

MARK = "?"
PLAIN = "/:.,_-~ "


def split(name: str) -> tuple[str, dict[str, str]]:
    """Split a full name into the model's name or path and its assumptions by name."""
    base, mark, rest = name.partition(MARK)
    pairs = (part.partition("=") for part in rest.split("&") if part) if mark else ()
    return base, {key: unquote(value) for key, _, value in pairs}


def join(base: str, assumed: Mapping[str, str]) -> str:
    """Return the full name of a model under assumptions; without any it is `base`."""
    return base + (MARK + "&".join(f"{key}={quote(assumed[key], PLAIN)}" for key in sorted(assumed)) if assumed else "")


def title(name: str) -> str:
    """Return a readable title: the last parts of its path and of that of its weights, and the assumptions."""
    base, assumed = split(name)
    weights = assumed.pop("weights", "")
    assumptions = ", ".join(f"{key} {value}" for key, value in assumed.items())
    parts = (base.rpartition("/")[2], weights.rpartition("/")[2], assumptions)
    return " · ".join(part for part in parts if part)


def check(given: Mapping[str, str], offered: Mapping[str, Mapping[str, Any]], *, name: str) -> dict[str, str]:
    """Return every assumption in force: the given choice, otherwise the first of the `offered` choices.

    `offered` are the assumptions by name, each with its "choices". Raises Refusal for a choice that is not offered.
    """
    for key, value in given.items():
        if key not in offered:
            known = f"It assumes {', '.join(offered)}." if offered else "Nothing is assumed of it."
            raise Refusal(f"{name} has no assumption {key!r}.", advice=known)
        if value not in offered[key]["choices"]:
            raise Refusal(f"{key} cannot be {value!r}.", advice=f"It is one of {', '.join(offered[key]['choices'])}.")
    return {key: given.get(key, item["choices"][0]) for key, item in offered.items()}
