"""The pictures of a result in rows, as one picture: changed beside original, training pictures for and against."""

from __future__ import annotations

import numpy as np

from models.types import Pixels, Result

GAP_PX = 4
PAPER = 255
ROBUSTNESS, INFLUENCE = "robustness", "influence"
ROWS = (ROBUSTNESS, INFLUENCE)


def joined(inspection: str, result: Result) -> Pixels:
    """Return the rows of a result (H, W, 3) uint8 on white: for robustness the picture, the changed one and their
    difference around grey; for influence what supports the answer above what opposes it.
    """
    arrays = result.arrays
    if inspection == ROBUSTNESS:
        change = arrays["difference"]
        end = max(float(np.abs(change).max()), 1e-6)
        grey = (change * (127.5 / end) + 128).clip(0, 255).astype(np.uint8)
        return _row([arrays["picture"], arrays["changed"], grey])
    rows = [_row(list(arrays[name])) for name in ("supporting", "opposing") if len(arrays[name])]
    width = max((row.shape[1] for row in rows), default=1)
    padded = [np.pad(row, ((0, GAP_PX), (0, width - row.shape[1]), (0, 0)), constant_values=PAPER) for row in rows]
    return np.concatenate(padded)[:-GAP_PX] if padded else np.full((1, 1, 3), PAPER, np.uint8)


def _row(pictures: list[Pixels]) -> Pixels:
    parts = [np.pad(one, ((0, 0), (0, GAP_PX), (0, 0)), constant_values=PAPER) for one in pictures]
    return np.concatenate(parts, axis=1)[:, :-GAP_PX]
