"""YAML of untrusted files: strings, lists and mappings only, without aliases, bounded in depth and length."""

from __future__ import annotations

from typing import Any

import yaml

MOST_EVENTS = 200_000
MOST_DEPTH = 20
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class TooMuchError(ValueError):
    """YAML that is nested too deep, is too long, uses aliases, or is not what was asked for."""


def loaded(text: str) -> Any:
    """Return what a YAML text holds, every scalar as a string. Raises TooMuchError or yaml.YAMLError."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if isinstance(event, yaml.AliasEvent):
            raise TooMuchError("it refers to parts of itself (*), which is not read")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH or number > MOST_EVENTS:
            raise TooMuchError("it is nested too deep or too long")
    return yaml.load(text, Loader=_LOADER)
