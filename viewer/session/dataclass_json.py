"""Convert frozen dataclasses to plain JSON values and back, by their fields and type hints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from viewer.translation import tr

INT_BITS = 63
SHOWN_CHARACTERS = 40
Tell = Callable[[str], None]
T = TypeVar("T")


class _WrongError(Exception):
    """A value has the wrong type for its place."""


def plain(value: Any) -> Any:
    """Return dataclasses as dictionaries by field name, tuples as lists, and other values unchanged."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def taken(kind: type[T], given: Any, tell: Tell) -> T:
    """Return a dataclass, whose fields must all have defaults, from plain values.

    `tell` is called with a sentence for every unknown key and every value of a wrong type; the field then keeps its
    default, and a list loses that item.
    """
    try:
        return _take(kind, given, "", tell)
    except _WrongError:
        tell(
            tr(
                "{shown} is not a {name}; every value was left at its default.",
                shown=_shown(given),
                name=kind.__name__.lower(),
            )
        )
        return kind()


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a value with `change` applied to every dataclass in it, inner ones first."""
    if isinstance(value, tuple):
        return tuple(mapped(item, change) for item in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    now = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    new = {name: mapped(item, change) for name, item in now.items()}
    same = all(new[name] is now[name] for name in now)
    return change(value if same else dataclasses.replace(value, **new))


def _take(hint: Any, given: Any, where: str, tell: Tell) -> Any:
    """Convert a plain value to the type of a hint. Raises _WrongError, or TypeError for an unsupported hint."""
    if get_origin(hint) in (Union, UnionType):
        return _choose(get_args(hint), given, where, tell)
    if get_origin(hint) is tuple:
        return _items(get_args(hint), given, where, tell)
    if dataclasses.is_dataclass(hint):
        return _object(hint, given, where, tell)
    if hint is float and type(given) in (int, float) and abs(given) < 2.0**INT_BITS:
        return float(given)
    if hint not in (float, int, bool, str, type(None)):
        raise TypeError(f"{where}: {hint} has no plain value")
    if type(given) is not hint or (hint is int and abs(given) >= 2**INT_BITS):
        raise _WrongError
    return given


def _choose(hints: tuple[Any, ...], given: Any, where: str, tell: Tell) -> Any:
    exact = [hint for hint in hints if hint is type(given)]
    for hint in exact or hints:
        try:
            return _take(hint, given, where, tell)
        except _WrongError:
            continue
    raise _WrongError


def _items(hints: tuple[Any, ...], given: Any, where: str, tell: Tell) -> tuple[Any, ...]:
    if not isinstance(given, list):
        raise _WrongError
    if hints[1:] != (Ellipsis,):
        if len(hints) != len(given):
            raise _WrongError
        return tuple(_take(hint, item, where, tell) for hint, item in zip(hints, given, strict=True))
    found = []
    for number, item in enumerate(given):
        try:
            found.append(_take(hints[0], item, f"{where}[{number}]", tell))
        except _WrongError:
            tell(
                tr(
                    "{where}[{number}] cannot be {shown}; it was left out.",
                    where=where,
                    number=number,
                    shown=_shown(item),
                )
            )
    return tuple(found)


def _object(kind: Any, given: Any, where: str, tell: Tell) -> Any:
    if not isinstance(given, dict):
        raise _WrongError
    hints, values = _hints(kind), {}
    for name, item in given.items():
        inner = f"{where}.{name}".strip(".")
        if name not in hints:
            tell(tr("{inner} is unknown and was ignored.", inner=inner[:SHOWN_CHARACTERS]))
            continue
        try:
            values[name] = _take(hints[name], item, inner, tell)
        except _WrongError:
            if name in _needed(kind):
                raise
            tell(tr("{inner} cannot be {shown}; it was left at its default.", inner=inner, shown=_shown(item)))
    if not _needed(kind) <= set(values):
        raise _WrongError
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


@cache
def _needed(kind: Any) -> frozenset[str]:
    missing = dataclasses.MISSING
    own = dataclasses.fields(kind)
    return frozenset(f.name for f in own if f.default is missing and f.default_factory is missing)


def _shown(given: Any) -> str:
    """Return a value for use in a sentence, shortened; a container only by its type."""
    if isinstance(given, list | dict):
        return tr("a list") if isinstance(given, list) else tr("a table")
    text = repr(given[: SHOWN_CHARACTERS + 1] if isinstance(given, str) else given)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
