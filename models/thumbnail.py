"""Thumbnails for the film strip."""

from __future__ import annotations

import numpy as np
from PIL import Image

from models import images
from models.types import Pixels, Source


def thumbnail(source: Source, *, side: int) -> Pixels:
    """Return a picture (h, w, 3) uint8 whose longer side is at most `side` pixels. Raises Refusal as `images.read`."""
    pixels = images.read(source).pixels
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), reducing_gap=2.0)
    return np.ascontiguousarray(image)
