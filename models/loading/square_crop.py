"""Cut the square around a box out of a picture, as networks for one figure want it."""

from __future__ import annotations

import numpy as np

from models.subject import Rect
from models.types import Pixels

BESIDE = 128  # the grey beyond the picture


def square_around(box: Rect, room: float) -> tuple[int, int, int, int]:
    """Return the square of whole pixels x0 y0 x1 y1 around a box, its side `room` times the box's longer side."""
    x0, y0, x1, y1 = box
    side = max(1, round(max(x1 - x0, y1 - y0) * room))
    left, top = round((x0 + x1 - side) / 2), round((y0 + y1 - side) / 2)
    return left, top, left + side, top + side


def cut_out(pixels: Pixels, square: tuple[int, int, int, int]) -> Pixels:
    """Return what lies in a square of pixels (H, W, 3), grey where it reaches beyond the picture."""
    x0, y0, x1, y1 = square
    height, width = pixels.shape[:2]
    made = np.full((y1 - y0, x1 - x0, 3), BESIDE, np.uint8)
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if right > left and bottom > top:
        made[top - y0 : bottom - y0, left - x0 : right - x0] = pixels[top:bottom, left:right]
    return made
