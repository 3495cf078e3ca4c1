"""Turns the values of a layer into one vector per picture: mean, maximum, class token, one position, or a region."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.subject import Rect
from models.tracing.tensor_layout import OTHER, VECTOR, Layout
from models.types import Refusal

AUTOMATIC, MEAN, MAX, TOKEN, POSITION = "automatic", "mean", "max", "class token", "position"
POOLINGS = (AUTOMATIC, MEAN, MAX, TOKEN, POSITION)
TITLES = ("Automatic", "Mean over places", "Largest over places", "Class token", "One place")


def settled(layout: Layout, pooling: str) -> str:
    """Return which pooling "automatic" stands for: the class token where there is one, else the mean."""
    if pooling != AUTOMATIC:
        return pooling
    return TOKEN if layout.before and layout.name != VECTOR else MEAN


def pooled(value: Tensor, layout: Layout, pooling: str, place: tuple[float, float] = (0.5, 0.5)) -> Tensor:
    """Return vectors (N, C) of a layer's values (N, ...). `place` is x, y of one position, as shares of the input.

    Raises Refusal if the layer has no such vector.
    """
    value = value.float()
    if value.ndim == 2:
        return value
    way = settled(layout, pooling)
    if way == TOKEN:
        if not layout.before:
            raise Refusal("This layer has no class token.", advice="Choose the mean over its places.")
        return value[:, 0]
    if way == POSITION and not layout.spatial:
        raise Refusal("This layer has no places.", advice="Choose the mean, or a layer with places.")
    if layout.name == OTHER or not (layout.spatial or value.ndim == 4):
        if value.ndim < 2:
            raise Refusal("This layer gives no vector for each picture.", advice="Choose another layer.")
        flat = value.flatten(2) if value.ndim == 4 else value.transpose(1, 2) if value.ndim == 3 else value.flatten(1)
        return flat if flat.ndim == 2 else flat.amax(2) if way == MAX else flat.mean(2)
    planes = layout.planes(value)
    if way == POSITION:
        rows, columns = planes.shape[2:]
        x, y = (min(max(v, 0.0), 1.0) for v in place)
        return planes[:, :, min(int(y * rows), rows - 1), min(int(x * columns), columns - 1)]
    flat = planes.flatten(2)
    return flat.amax(2) if way == MAX else flat.mean(2)


def within(value: Tensor, layout: Layout, pooling: str, region: Rect, extent: Rect) -> Tensor:
    """Return the vector (1, C) of the places of a map (1, ...) that lie in a region, by the share that they cover.

    `region` and `extent` of the network's input are in pixels of the picture. Raises Refusal for a layer without places
    and for a region outside the input.
    """
    if not layout.spatial:
        text = "This layer has no places, so a region of it has no vector."
        raise Refusal(text, advice="Choose a layer with places.")
    planes = layout.planes(value.float())
    rows, columns = planes.shape[2:]
    across = _cover(region[0], region[2], extent[0], extent[2], columns)
    down = _cover(region[1], region[3], extent[1], extent[3], rows)
    weights = torch.from_numpy(np.outer(down, across).astype(np.float32)).to(planes.device)
    if not float(weights.sum()):
        raise Refusal(
            "The region lies outside what the network sees of the picture.", advice="Draw it nearer to the middle."
        )
    if pooling == MAX:
        return planes.flatten(2)[:, :, weights.flatten() > 0].amax(2)
    return (planes * weights).sum((2, 3)) / weights.sum()


def _cover(low: float, high: float, begin: float, end: float, cells: int) -> np.ndarray:
    """Return the share (cells,) of each cell that an interval covers."""
    edges = np.linspace(begin, end, cells + 1)
    inside = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
    return np.clip(inside / max((end - begin) / cells, 1e-12), 0.0, 1.0)
