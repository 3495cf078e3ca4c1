"""Compose many small tiles of equal size into one image of 32-bit pixels, with gaps between them.

Values are converted to indices of colours once, when they arrive. A sheet of any size is then composed from the rows in
view, so that the cost of thousands of tiles is that of their pixels on screen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.types import Float, Int

ZERO = 128  # index of 0 in a diverging scale of 256 colours


@dataclass(frozen=True, eq=False)
class Atlas:
    """Tiles (N, h, w): indices into the colours `table` (256,) 0xAARRGGBB, or these colours themselves if there is no
    table.
    """

    tiles: NDArray[np.uint8] | NDArray[np.uint32]
    table: NDArray[np.uint32] | None = None

    def __len__(self) -> int:
        return len(self.tiles)

    @property
    def aspect(self) -> float:
        """Height of a tile divided by its width."""
        return self.tiles.shape[1] / self.tiles.shape[2]


def table_of(lut: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return a colour map (256, 4) RGBA as opaque colours 0xAARRGGBB."""
    return _opaque(lut[:, :3])


def signed(values: Float, scale: float | Float, lut: NDArray[np.uint8]) -> Atlas:
    """Return tiles of signed values (N, h, w), 0 at the middle colour.

    `scale`, one or one per tile (N,), is the maximum.
    """
    return Atlas(_numbered(values, scale, ZERO - 1, ZERO + 0.5), table_of(lut))


def positive(values: Float, scale: float | Float, lut: NDArray[np.uint8]) -> Atlas:
    """Return tiles of non-negative values (N, h, w); `scale`, one or one per tile (N,), is the maximum."""
    return Atlas(_numbered(values, scale, 255, 0.5), table_of(lut))


def coloured(values: Float, scale: float) -> Atlas:
    """Return tiles of weights over red, green and blue (N, h, w, 3) from -scale to scale; 0 is grey."""
    return Atlas(_opaque((values * (127.5 / max(scale, 1e-30)) + 128).clip(0, 255).astype(np.uint8)))


def tinted(pictures: NDArray[np.uint8]) -> Atlas:
    """Return pictures (N, h, w, 3) RGB as tiles."""
    return Atlas(_opaque(pictures))


def bars(values: Float, lut: NDArray[np.uint8], *, side: int = 24) -> Atlas:
    """Return a bar for each of N values on a common scale, upwards from the middle for positive, downwards for
    negative.
    """
    scale = max(float(np.abs(values).max(initial=0)), 1e-30)
    half = side // 2
    length = np.rint(np.abs(values) / scale * half).astype(np.int64).clip(1, half)
    row = np.arange(side)
    up = (row[None] < half) & (row[None] >= half - length[:, None]) & (values[:, None] >= 0)
    down = (row[None] >= half) & (row[None] < half + length[:, None]) & (values[:, None] < 0)
    filled = np.where(up, 255, np.where(down, 0, ZERO)).astype(np.uint8)
    tiles = np.full((len(values), side, side), ZERO, np.uint8)
    margin = side // 6
    tiles[:, :, margin:-margin] = filled[:, :, None]
    return Atlas(tiles, table_of(lut))


def sheet(atlas: Atlas, rows: Int, *, columns: int, cell: tuple[int, int], gap: int) -> NDArray[np.uint32]:
    """Return the tiles of some rows side by side, each `cell` (h, w) pixels, `gap` pixels apart; gaps are 0."""
    height, width = cell
    lines = -(-len(rows) // columns)
    down = np.arange(height) * atlas.tiles.shape[1] // height
    across = np.arange(width) * atlas.tiles.shape[2] // width
    found = atlas.tiles[rows][:, down][:, :, across]
    out = np.zeros((lines, height + gap, columns, width + gap), np.uint32)
    whole = len(rows) // columns
    colours = found if atlas.table is None else atlas.table[found]
    body = colours[: whole * columns].reshape(whole, columns, height, width)
    out[:whole, :height, :, :width] = body.transpose(0, 2, 1, 3)
    rest = colours[whole * columns :]
    out[whole:, :height, : len(rest), :width] = rest.transpose(1, 0, 2)
    return out.reshape(lines * (height + gap), columns * (width + gap))


def _opaque(colours: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return red, green, blue (..., 3) as opaque colours 0xAARRGGBB (...)."""
    bytes_of = np.full((*colours.shape[:-1], 4), 255, np.uint8)
    bytes_of[..., :3] = colours[..., ::-1]
    return bytes_of.view("<u4")[..., 0].astype(np.uint32, copy=False)


def _numbered(values: Float, scale: float | Float, factor: float, offset: float) -> NDArray[np.uint8]:
    step = factor / np.maximum(np.asarray(scale, np.float32), 1e-30).reshape(-1, 1, 1)
    scaled = np.multiply(values, step, dtype=np.float32)
    scaled += np.float32(offset)
    return scaled.astype(np.uint8)
