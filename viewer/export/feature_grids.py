"""Filters and activations as files: the grid as PNG with a whole number of pixels per cell, and the numbers as JSON."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtGui import QImage

from models.detection import report
from models.requests import Request
from models.types import Result
from viewer import theme
from viewer.canvas.mosaic import Atlas, sheet
from viewer.canvas.painter import png
from viewer.presenters import feature_maps

RAW = {feature_maps.FILTERS: "tiles", feature_maps.ACTIVATIONS: "maps"}  # the array with the values
CELL_PX = 48
GAP_PX = 2


def as_png(request: Request, result: Result) -> bytes:
    """Return the grid of a result, in the requested order, as a PNG file. Raises OSError."""
    kind = request.inspection
    atlas = (feature_maps.filter_atlas if kind == feature_maps.FILTERS else feature_maps.activation_atlas)(
        result, theme.heat_lut
    )
    order = result.arrays["order"]
    order = order if len(order) == len(atlas) else np.arange(len(atlas))  # all input planes of one filter
    pixels = np.ascontiguousarray(_picture(atlas, order))
    height, width = pixels.shape
    return png(QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied))


def as_json(request: Request, result: Result, *, name: str) -> str:
    """Return the numbers of each channel as JSON; the values are in the file `name`."""
    raw = RAW[request.inspection]
    few = {key: array for key, array in result.arrays.items() if key not in ("tiles", "maps")}
    told = {"file": name, "shape": list(result.arrays[raw].shape), "grid_order": "order"}
    return report.as_plain_json(request, Result(few, {**result.meta, "values": told}))


def _picture(atlas: Atlas, order: np.ndarray) -> np.ndarray:
    height, width = atlas.tiles.shape[1:3]
    times = max(1, CELL_PX // max(height, width))
    columns = math.ceil(math.sqrt(len(order) * atlas.aspect))
    return sheet(atlas, order, columns=columns, cell=(height * times, width * times), gap=GAP_PX)
