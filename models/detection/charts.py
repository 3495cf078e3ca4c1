"""Charts of a surface, as DensePose has them: a part and a place (u, v) on it for each pixel (Guler et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.subject import Rect
from models.types import Float, Int, Pixels, Real

SIDE = 48  # cells of a chart's side


@dataclass(frozen=True)
class Charts:
    """`part` (h, w) is 0 for none, else the part + 1, with the probability `sure` (h, w) and `chart` (2, h, w), the
    place on the part from 0 to 1: u along it and v across. The cells stretch over `extent` in pixels of the picture.
    """

    part: Int
    sure: Float
    chart: Float
    extent: Rect

    @property
    def nbytes(self) -> int:
        """The size of the arrays in bytes."""
        return self.part.nbytes + self.sure.nbytes + self.chart.nbytes


def centres(shape: tuple[int, int], extent: Rect) -> tuple[Real, Real]:
    """Return the x (w,) and y (h,) of the middles of cells over `extent`."""
    height, width = shape
    x = extent[0] + (np.arange(width) + 0.5) / width * (extent[2] - extent[0])
    y = extent[1] + (np.arange(height) + 0.5) / height * (extent[3] - extent[1])
    return x, y


def unfolded(pixels: Pixels, found: Charts, parts: int, *, side: int = SIDE) -> tuple[Pixels, Int]:
    """Return what of a picture each chart shows (P, side, side, 3), grey where nothing does, and the count of cells.

    Rows are u and columns are v; of several pixels at one place of a chart the mean is shown.
    """
    height, width = pixels.shape[:2]
    x, y = (values.astype(np.int64) for values in centres(found.part.shape, found.extent))
    inside = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))[None]
    colours = pixels[np.ix_(y.clip(0, height - 1), x.clip(0, width - 1))].astype(np.float64)
    seen = (found.part > 0) & inside
    u, v = (found.chart[:, seen] * side).astype(np.int64).clip(0, side - 1)
    at = ((found.part[seen] - 1) * side + u) * side + v
    size = parts * side * side
    count = np.bincount(at, minlength=size)
    sums = np.stack([np.bincount(at, colours[seen][:, c], minlength=size) for c in range(3)], 1)
    made = np.full((size, 3), 128.0)
    made[count > 0] = sums[count > 0] / count[count > 0, None]
    cells = count.reshape(parts, side, side)
    return np.rint(made).astype(np.uint8).reshape(parts, side, side, 3), cells


def dressed(pixels: Pixels, found: Charts, texture: Pixels, *, part: int = -1) -> Pixels:
    """Return the picture at the cells of the charts (h, w, 3), with a texture on the chart of one part or of all.

    The texture's rows run along u and its columns along v.
    """
    height, width = pixels.shape[:2]
    x, y = (values.astype(np.int64) for values in centres(found.part.shape, found.extent))
    made = pixels[np.ix_(y.clip(0, height - 1), x.clip(0, width - 1))].copy()
    seen = found.part > 0 if part < 0 else found.part == part + 1
    rows, columns = texture.shape[:2]
    u, v = found.chart[:, seen]
    made[seen] = texture[
        (u * rows).astype(np.int64).clip(0, rows - 1), (v * columns).astype(np.int64).clip(0, columns - 1)
    ]
    return made


def checkered(*, rows: int = 8, columns: int = 4, cell: int = 8) -> Pixels:
    """Return a checkerboard whose hue turns along u and whose brightness changes from field to field."""
    u, v = np.mgrid[: rows * cell, : columns * cell] / cell
    light = np.where((u.astype(int) + v.astype(int)) % 2, 1.0, 0.45)
    share = u / rows
    colour = np.stack([share, 0.35 + 0.3 * (v / columns), 1 - share], -1)
    return np.rint(255 * colour * light[..., None]).astype(np.uint8)


def steps(values: Float, known: np.ndarray, count: int) -> np.ndarray:
    """Return the cells (h, w) on iso-lines: their neighbour to the left or above lies in another of `count` steps."""
    level = np.where(known, (values * count).astype(np.int64), -1)
    made = np.zeros(level.shape, np.bool_)
    across = (level[:, 1:] != level[:, :-1]) & known[:, 1:] & known[:, :-1]
    down = (level[1:] != level[:-1]) & known[1:] & known[:-1]
    made[:, 1:] |= across
    made[1:] |= down
    return made
