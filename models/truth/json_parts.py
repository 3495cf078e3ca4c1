"""Parts of parsed JSON that readers of labelling tools share: numbers, sizes, boxes and lists of objects."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from models.truth.gather import Size, number, whole
from models.truth.marked import Box, around


def box(read: Callable[[], Box | str]) -> Box | str:
    """Return the box that a reader makes of numbers in a file, or a text where they are none."""
    try:
        return read()
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, OverflowError, zlib.error):
        return "has no box of four numbers"


def numbers(values: Sequence[Any]) -> list[float]:
    """Return values as numbers. Raises ValueError, TypeError or OverflowError."""
    return [number(value) for value in values]


def size(width: Any, height: Any) -> Size:
    """Return a picture's width and height, 0 for what is no whole number."""
    return max(whole(width) or 0, 0), max(whole(height) or 0, 0)


def points(points: Sequence[Sequence[Any]]) -> Box | str:
    """Return the box around points x, y."""
    return around(numbers([p[0] for p in points]), numbers([p[1] for p in points]))


def each(items: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the objects of a list with what they are called in messages."""
    for row, item in enumerate(items or (), 1):
        if isinstance(item, Mapping):
            yield f"object {row}", item


def first(content: Any) -> Mapping[str, Any]:
    """Return the first object of a list, an empty one for anything else."""
    if not isinstance(content, list):
        return {}
    return next((item for item in content if isinstance(item, Mapping)), {})


def has(content: Any, *keys: str) -> bool:
    """Return whether parsed JSON is an object with all these keys."""
    return isinstance(content, Mapping) and all(key in content for key in keys)
