"""Draw the rooms of the house from the imports: which folder knows which. Writes docs/images/rooms.svg.

Run: python -m docs.rooms. A test fails when the drawing is no longer that of the code.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
DRAWING = ROOT / "docs" / "images" / "rooms.svg"
PARTS = ("models", "viewer")
OWN = ("models.capabilities", "models.command_line", "models.recipe", "viewer.app")  # flat files that know rooms
VOCABULARY = "models/*"
TRAINING = "models/training"  # scripts that nothing imports
WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 150, 34, 26, 46, 24
FILL = {"models": "#dcebf7", "viewer": "#fde9d2"}


def room_of(module: str) -> str:
    """Return the room of a module: its folder two levels deep, "models/*" for the vocabulary that lies flat."""
    parts = module.split(".")
    if len(parts) == 1 or ROOT.joinpath(*parts[:2]).is_dir() or module in OWN:
        return "/".join(parts[:2])
    return f"{parts[0]}/*"


def imports(path: Path) -> set[str]:
    """Return the modules of the house that a file imports, at the top, in functions and for type checking."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if _is_module(name) else node.module for name in whole}
    return {name for name in found if name.split(".")[0] in PARTS}


def rooms() -> dict[str, dict[str, int]]:
    """Return, for every room, the rooms that it imports with the number of its files that do."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")):
            own = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
            known = {room_of(name) for name in imports(path)} - {own}
            for other in sorted(known):
                found[own][other] += 1
            found.setdefault(own, defaultdict(int))
    found[VOCABULARY].clear()  # it stands at the bottom: `models/types.py` takes kinds of source from pictures/media.py
    return {room: dict(sorted(found[room].items())) for room in sorted(found) if room != TRAINING}


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def ranks(graph: dict[str, dict[str, int]]) -> dict[str, int]:
    """Return the row of each room: one above the highest of those that it imports."""
    found: dict[str, int] = {}

    def rank(room: str, above: tuple[str, ...]) -> int:
        if room not in found:
            below = [rank(other, (*above, room)) for other in graph[room] if other not in (*above, room)]
            found[room] = 1 + max(below, default=-1)
        return found[room]

    for room in sorted(graph):
        rank(room, ())
    return found


def layers(graph: dict[str, dict[str, int]]) -> list[list[str]]:
    """Return the rooms row by row, from the one that imports most down to the vocabulary."""
    row = ranks(graph)
    found = [sorted(room for room in graph if row[room] == level) for level in range(max(row.values()) + 1)]
    place = {room: number for level in found for number, room in enumerate(level)}
    for level in found[1:]:
        level.sort(key=lambda room: sum(place[o] for o in graph[room]) / max(1, len(graph[room])))
        place |= {room: number for number, room in enumerate(level)}
    return found[::-1]


def arrows(graph: dict[str, dict[str, int]]) -> list[tuple[str, str]]:
    """Return the arrows to draw: an import that goes through a room drawn between is left out."""
    row = ranks(graph)
    down = {room: [other for other in graph[room] if row[other] < row[room]] for room in graph}
    reach: dict[str, set[str]] = {}
    for room in sorted(graph, key=lambda name: row[name]):
        reach[room] = set(down[room]).union(*(reach[other] for other in down[room]))
    return [
        (room, other)
        for room in down
        for other in down[room]
        if not any(other in reach[between] for between in down[room])
    ]


def drawing() -> str:
    """Return the drawing as SVG."""
    graph = rooms()
    rows = layers(graph)
    wide = max(len(level) for level in rows) * (WIDTH + GAP_X) - GAP_X + 2 * MARGIN
    at: dict[str, tuple[float, float]] = {}
    for number, level in enumerate(rows):
        left = (wide - len(level) * (WIDTH + GAP_X) + GAP_X) / 2
        for place, room in enumerate(level):
            at[room] = left + place * (WIDTH + GAP_X), MARGIN + number * (HEIGHT + GAP_Y)
    high = MARGIN * 2 + len(rows) * (HEIGHT + GAP_Y) - GAP_Y
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" '
        'font-family="sans-serif" font-size="13">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#667"/></marker></defs>',
        f'<rect width="{wide}" height="{high}" fill="#ffffff"/>',
    ]
    for room, other in sorted(arrows(graph)):
        (x0, y0), (x1, y1) = at[room], at[other]
        x0, y0, x1 = x0 + WIDTH / 2, y0 + HEIGHT, x1 + WIDTH / 2
        bend = (y1 - y0) / 2
        curve = f"M{x0:g} {y0:g}C{x0:g} {y0 + bend:g} {x1:g} {y1 - bend:g} {x1:g} {y1:g}"
        lines.append(f'<path d="{curve}" fill="none" stroke="#99a" stroke-width="1.2" marker-end="url(#tip)"/>')
    for room, (x, y) in at.items():
        fill = FILL[room.split("/")[0]]
        lines.append(
            f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{fill}" stroke="#778"/>'
        )
        text = f'<text x="{x + WIDTH / 2:g}" y="{y + HEIGHT / 2 + 5:g}" text-anchor="middle">{escape(room)}</text>'
        lines.append(text)
    return "\n".join((*lines, "</svg>", ""))


if __name__ == "__main__":
    DRAWING.write_text(drawing(), encoding="utf-8")
