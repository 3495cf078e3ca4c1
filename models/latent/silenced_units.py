"""Silenced units of a generator as text: `layer#3,17`, several layers separated by semicolons."""

from __future__ import annotations

from collections.abc import Mapping

from models.types import Refusal

MARK = "#"


def parse(text: str) -> dict[str, tuple[int, ...]]:
    """Parse a text into units by layer. Raises Refusal for a malformed text."""
    found: dict[str, tuple[int, ...]] = {}
    for part in filter(None, text.split(";")):
        layer, mark, rows = part.rpartition(MARK)
        try:
            found[layer.strip()] = tuple(sorted({int(row) for row in rows.split(",")}))
        except ValueError:
            mark = ""
        if not mark or not layer or min(found[layer.strip()]) < 0:
            raise Refusal(f"{part[:60]!r} names no units.", advice="Write LAYER#UNIT,UNIT, such as main.6#3,17.")
    return found


def write(units: Mapping[str, tuple[int, ...]]) -> str:
    """Format units by layer as a text that `parse` reads."""
    return ";".join(f"{layer}{MARK}{','.join(map(str, rows))}" for layer, rows in units.items() if rows)
