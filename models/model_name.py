"""What is taken for granted of a model's file because its tensors do not tell: `FILE?activation=relu`. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from models.types import Refusal

MARK = "?"
PLAIN = "/:.,_-~ "


def split(name: str) -> tuple[str, dict[str, str]]:
    """Return a model's name or path without its assumptions, and these by name."""
    base, mark, rest = name.partition(MARK)
    pairs = (part.partition("=") for part in rest.split("&") if part) if mark else ()
    return base, {key: unquote(value) for key, _, value in pairs}


def join(base: str, assumed: Mapping[str, str]) -> str:
    """Return the full name of a model under assumptions; without any it is `base`."""
    return base + (MARK + "&".join(f"{key}={quote(assumed[key], PLAIN)}" for key in sorted(assumed)) if assumed else "")


def title(name: str) -> str:
    """Return what people call a model: the last parts of its path and that of its weights, and what is assumed."""
    base, assumed = split(name)
    weights = assumed.pop("weights", "")
    told = ", ".join(f"{key} {value}" for key, value in assumed.items())
    parts = (base.rpartition("/")[2], weights.rpartition("/")[2], told)
    return " · ".join(part for part in parts if part)


def check(given: Mapping[str, str], offered: Mapping[str, Mapping[str, Any]], *, name: str) -> dict[str, str]:
    """Return every assumption in force: what was given, else the first choice of what is `offered`.

    `offered` are the assumptions by name, each with its "choices". Raises Refusal for what is not offered.
    """
    for key, value in given.items():
        if key not in offered:
            known = f"It assumes {', '.join(offered)}." if offered else "Nothing is assumed of it."
            raise Refusal(f"{name} has no assumption {key!r}.", advice=known)
        if value not in offered[key]["choices"]:
            raise Refusal(f"{key} cannot be {value!r}.", advice=f"It is one of {', '.join(offered[key]['choices'])}.")
    return {key: given.get(key, item["choices"][0]) for key, item in offered.items()}
