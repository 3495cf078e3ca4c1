"""Charts of a surface as layers and as tiles: parts, u and v, iso-lines, textures, and the place under the pointer."""

from __future__ import annotations

import numpy as np

from models.types import Pixels, Result
from viewer.canvas import mosaic
from viewer.canvas.layers import TRUTH, WRONG, Heat, Labels, Layer, Overlay, Points
from viewer.translation import tr

LAYER, LINES, DRESSED = "surface parts", "iso-lines", "textured"
PARTS, U, V, TEXTURE = VIEWS = ("parts", "u", "v", "texture")
MARK = (255, 64, 200)
Place = tuple[int, float, float]


def layers(result: Result, *, view: str, at: tuple[float, float] | None = None) -> list[Layer]:
    """Return the layers of a view, the iso-lines over them, annotated points, and a chart's place."""
    arrays, meta = result.arrays, result.meta
    extent = meta["extent"]
    found: list[Layer] = []
    if view == TEXTURE and "dressed" in arrays:
        found.append(Overlay(DRESSED, arrays["dressed"], extent))
    elif view in (U, V):
        found.append(Heat(f"chart {view}", arrays[view], extent, 0.0, 1.0, opacity=0.8, smooth=False))
    else:
        more = {"names": meta["names"], "clear": (0,), "opacity": 0.55}
        found.append(Labels(LAYER, arrays["labels"], arrays["probability"], extent, **more))
    if arrays["lines"].any():
        lines = np.where(arrays["lines"], np.float32(1), np.float32(np.nan))
        found.append(Heat(LINES, lines, extent, 0.0, 1.0, opacity=0.55, smooth=False))
    if "points" in arrays:
        right = arrays["found"][:, 0] == arrays["true"][:, 0]
        colours = np.where(right, TRUTH, WRONG)
        found.append(Points("surface points", arrays["points"].astype(np.float32), colours, 2.0))
    if at is not None:
        found.append(Points("chart place", np.array([at], np.float32), np.zeros(1, np.int64), 7.0, hollow=True))
    return found


def atlas(result: Result, mark: Place | None = None) -> mosaic.Atlas:
    """Return what each chart shows of the picture as tiles, with a place (part, u, v) marked."""
    tiles: Pixels = result.arrays["unfolded"]
    if mark is not None:
        part, u, v = mark
        side = tiles.shape[1]
        tiles = tiles.copy()
        row, column = (min(int(value * side), side - 1) for value in (u, v))
        tiles[part, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = MARK
    return mosaic.tinted(tiles)


def place_at(result: Result, point: tuple[float, float]) -> Place | None:
    """Return part, u and v at a point of the picture, None where there is no part."""
    x0, y0, x1, y1 = result.meta["extent"]
    labels = result.arrays["labels"]
    row = int((point[1] - y0) / (y1 - y0) * labels.shape[0] // 1)
    column = int((point[0] - x0) / (x1 - x0) * labels.shape[1] // 1)
    if not (0 <= row < labels.shape[0] and 0 <= column < labels.shape[1]) or not labels[row, column]:
        return None
    u, v = (float(result.arrays[name][row, column]) for name in ("u", "v"))
    return int(labels[row, column]) - 1, u, v


def nearest(result: Result, place: Place) -> tuple[float, float] | None:
    """Return the point of the picture that lies nearest to a place (part, u, v) of a chart, None if it is not seen."""
    part, u, v = place
    arrays = result.arrays
    rows, columns = np.nonzero(arrays["labels"] == part + 1)
    if not len(rows):
        return None
    away = (arrays["u"][rows, columns] - u) ** 2 + (arrays["v"][rows, columns] - v) ** 2
    best = int(away.argmin())
    x0, y0, x1, y1 = result.meta["extent"]
    height, width = arrays["labels"].shape
    return x0 + (columns[best] + 0.5) / width * (x1 - x0), y0 + (rows[best] + 0.5) / height * (y1 - y0)


def told(result: Result, place: Place) -> str:
    """Return a place in words."""
    return tr("{part}: u {u:.2f}, v {v:.2f}", part=result.meta["part_names"][place[0]], u=place[1], v=place[2])


def rows(result: Result) -> list[tuple[str, ...]]:
    """Return each part with its share of the picture, and with annotated points its hits and mean error."""
    arrays, names = result.arrays, result.meta["part_names"]
    share = {int(label): float(value) for label, value in zip(arrays["classes"], arrays["share"], strict=True)}
    made = []
    for part, name in enumerate(names, 1):
        own: tuple[str, ...] = ("", "")
        if "true" in arrays:
            mine = arrays["true"][:, 0] == part
            error = arrays["error"][mine]
            known = error[np.isfinite(error)]
            own = (f"{len(known)} / {int(mine.sum())}", f"{known.mean():.3f}" if len(known) else "–")
        made.append((name, f"{share.get(part, 0.0):.1%}", *own))
    return made
