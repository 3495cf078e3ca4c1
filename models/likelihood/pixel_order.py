"""Orders in which the values of a picture follow each other: a rank for each, from 0, as an array (C, H, W)."""

from __future__ import annotations

import numpy as np

from models.types import Bool, Int

ROWS, COLUMNS, ROWS_UP, COLUMNS_BACK = "rows", "columns", "rows_up", "columns_back"
ORDERS = {
    ROWS: "row by row from the top left",
    COLUMNS: "column by column from the top left",
    ROWS_UP: "row by row from the bottom right, backwards",
    COLUMNS_BACK: "column by column from the bottom right, backwards",
}


def rank(name: str, shape: tuple[int, int, int]) -> Int:
    """Return the ranks (C, H, W) of an order by its name; the colours of a pixel follow each other, red first."""
    channels, height, width = shape
    plain = np.arange(height * width).reshape(height, width)
    if name in (COLUMNS, COLUMNS_BACK):
        plain = np.arange(height * width).reshape(width, height).T
    if name in (ROWS_UP, COLUMNS_BACK):
        plain = height * width - 1 - plain
    return (plain[None] * channels + np.arange(channels)[:, None, None]).astype(np.int64)


def follows(ranks: Int, hole: Bool) -> Bool:
    """Return where kept values come after the first of those in a hole (C, H, W), as a mask.

    Only if there are none can a model in this order fill the hole from its conditionals.
    """
    if not hole.any():
        return np.zeros_like(hole, dtype=np.bool_)
    return (ranks > ranks[hole].min()) & ~hole


def last(ranks: Int, share: float) -> Bool:
    """Return the mask of the last `share` (0 to 1) of the values in an order."""
    return ranks >= round(ranks.size * (1 - share))
