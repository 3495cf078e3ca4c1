"""Convert arrays to QImages: an image, a map of tiles, speeds as colours."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QImage

from models.types import Bool, Float, Pixels
from viewer import theme


def joined(pictures: Pixels, known: Bool) -> QImage:
    """Join tiles (n, n, H, W, 3) to one image.

    If only every 2nd, 4th or 8th tile is `known`, enlarge those to fill it.
    """
    side, height, width = len(pictures), *pictures.shape[2:4]
    step = _step(known)
    coarse = pictures[::step, ::step].transpose(0, 2, 1, 3, 4).reshape(-1, -(-side // step) * width, 3)
    if step == 1:
        return rgb(coarse)
    down = np.arange(side * height) * len(coarse) // (side * height)
    across = np.arange(side * width) * coarse.shape[1] // (side * width)
    whole = coarse[down][:, across]
    if step == 2:  # the last round fills in row by row, so some tiles are known at full resolution
        whole.reshape(side, height, side, width, 3).transpose(0, 2, 1, 3, 4)[known] = pictures[known]
    return rgb(whole)


def _step(known: Bool) -> int:
    """Return the smallest step (1, 2, 4 or 8) at which every row and column is known."""
    return next((step for step in (1, 2, 4, 8) if known[::step, ::step].all()), 8)


def shaded(speed: Float) -> QImage:
    """Map the speeds (n, n) to colours, the largest at the end of the scale."""
    table = theme.heat_lut("sequential")
    level = (speed / max(float(speed.max()), 1e-30) * 255).astype(np.uint8)
    return rgb(table[level][..., :3])


def rgb(pixels: Pixels) -> QImage:
    """Convert pixels (H, W, 3), uint8, to a QImage that owns its data."""
    height, width = pixels.shape[:2]
    return QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
