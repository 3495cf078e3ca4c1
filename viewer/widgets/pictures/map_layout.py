"""The layout of a grid of heat maps, which keeps cells that belong together in line."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF


def cells(count: int, across: int, room: QRectF, *, aspect: float, gap: float, text: float) -> list[QRectF]:
    """Return the rectangles of `count` cells in `room`, in the arrangement with the largest pictures.

    `aspect` is a picture's width over height; each cell also needs `text` pixels of height for text. Each run of
    `across` cells belongs together, as the methods of one class do. A group is one row, several groups share a row, or
    the layout is transposed so that like members of the groups are side by side.
    """
    if not count:
        return []
    groups = -(-count // across)
    ways = [(across * j, False) for j in range(1, groups + 1) if groups % j == 0]
    ways += [(groups * j, True) for j in range(1, across + 1) if across % j == 0]

    def large(way: tuple[int, bool]) -> float:
        columns = way[0]
        rows = -(-across * groups // columns)
        width = (room.width() - (columns - 1) * gap) / columns
        height = (room.height() - (rows - 1) * gap) / rows - text
        return min(width, height * aspect)

    columns, turned = max(ways, key=large)
    rows = -(-across * groups // columns)
    width = (room.width() - (columns - 1) * gap) / columns
    height = (room.height() - (rows - 1) * gap) / rows
    placed = []
    for index in range(count):
        group, member = divmod(index, across)
        at = member * groups + group if turned else index
        row, column = divmod(at, columns)
        left, top = room.left() + column * (width + gap), room.top() + row * (height + gap)
        placed.append(QRectF(round(left), round(top), round(width), round(height)))
    return placed


def beside(placed: list[QRectF], index: int, across: int, down: int) -> int:
    """Return the nearest cell in a direction (`across`, `down` in -1, 0, 1), or `index` itself if there is none."""
    here = placed[index].center()

    def far(other: QRectF) -> float:
        way: QPointF = other.center() - here
        along = way.x() * across + way.y() * down
        aside = abs(way.x() * down) + abs(way.y() * across)
        return along + 4 * aside if along > 1 else float("inf")

    distance = [far(one) for one in placed]
    nearest = min(range(len(placed)), key=distance.__getitem__)
    return nearest if distance[nearest] < float("inf") else index
