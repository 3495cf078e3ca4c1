"""The heat maps of a network for the key points of one figure, in its box or in the whole picture, also mirrored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.capabilities import provides
from models.features.adversarial_training import Uncached
from models.subject import Rect
from models.types import Pixels, Real, Refusal


@dataclass(frozen=True)
class PointMaps:
    """Heat maps (P, h, w) that stretch over `extent`, x0 y0 x1 y1 in pixels of the picture.

    `cell_px` (2,) are the width and height of a cell in pixels of the network's input.
    """

    maps: Real
    extent: Rect
    cell_px: Real

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a map in cells."""
        return self.maps.shape[1], self.maps.shape[2]

    @property
    def scale(self) -> Real:
        """Width and height of a cell in pixels of the picture (2,)."""
        x0, y0, x1, y1 = self.extent
        return np.array([(x1 - x0) / self.size[1], (y1 - y0) / self.size[0]])

    def in_cells(self, points: Real) -> Real:
        """Return places in pixels of the picture (..., 2) in cells from the upper left corner of the maps."""
        return (points - np.array(self.extent[:2])) / self.scale

    @property
    def nbytes(self) -> int:
        """The size of the maps in bytes."""
        return self.maps.nbytes


def reason_without(model: Any) -> str:
    """Return why a model's heat maps of key points cannot be looked at, "" if they can."""
    name = model.card.name
    if hasattr(model, "maps_in"):
        return ""
    if not provides(model, "FindsLandmarks"):
        return f"{name} has no heat maps of key points."
    if not model.landmark_names:
        return f"{name} finds as many points as a picture has, and has no heat map for each."
    if not getattr(model, "has_maps", True):
        return f"{name} returns the places of its points as numbers: there is no heat map to decode."
    return ""


def looks_in_boxes(model: Any) -> bool:
    """Return whether a model is asked about the figure in a box, rather than about the whole picture."""
    return hasattr(model, "maps_in") or bool(getattr(model, "in_regions", False))


def names_of(model: Any) -> tuple[str, ...]:
    """Return the names of a model's points."""
    return model.point_names if hasattr(model, "maps_in") else model.landmark_names


def stacks_of(model: Any) -> int:
    """Return how many stacks of a network give heat maps of their own, 1 for other networks."""
    return int(getattr(model, "map_stacks", 1))


def of(model: Any, pixels: Pixels, stages: Any, region: Rect | None, *, stack: int = -1) -> PointMaps:
    """Return the heat maps for the figure in a region, None for the whole picture."""
    height, width = pixels.shape[:2]
    if hasattr(model, "maps_in"):
        box = region or (0.0, 0.0, float(width), float(height))
        maps, sides = model.maps_in(pixels, box, stages)
        return PointMaps(maps, box, np.array(sides) / np.array([maps.shape[2], maps.shape[1]]))
    more: dict[str, Any] = {"region": region} if looks_in_boxes(model) else {}
    more |= {"stack": stack} if stacks_of(model) > 1 else {}
    maps = model.landmarks(pixels, stages, **more)[1]
    if maps is None:
        raise Refusal(f"{model.card.name} returns no heat maps for this picture.", advice="Look at its Landmarks.")
    if looks_in_boxes(model):
        extent = model.landmarks_extent(width, height, region)
    else:
        extent = model.preprocess.extent(width, height)
    tall, wide = _input_size(model, extent)
    return PointMaps(np.nan_to_num(maps), extent, np.array([wide / maps.shape[2], tall / maps.shape[1]]))


def _input_size(model: Any, extent: Rect) -> tuple[float, float]:
    size = getattr(model.preprocess, "size", None)
    if getattr(model.preprocess, "fit", "") == "whole" or size is None:
        short = min(extent[2] - extent[0], extent[3] - extent[1])
        scale = getattr(model.preprocess, "resize", short) / short
        return (extent[3] - extent[1]) * scale, (extent[2] - extent[0]) * scale
    return size


def mirrored(
    model: Any, pixels: Pixels, stages: Any, region: Rect | None, *, swap: tuple[int, ...] | None, stack: int = -1
) -> PointMaps:
    """Return the heat maps of the mirrored picture, turned back, with the points of left and right exchanged."""
    width = pixels.shape[1]
    turned = (width - region[2], region[1], width - region[0], region[3]) if region is not None else None

    def make() -> PointMaps:
        seen = np.ascontiguousarray(pixels[:, ::-1])
        return of(model, seen, Uncached(stages.progress), turned, stack=stack)

    found: PointMaps = stages.run("heat maps of the mirrored picture", make, turned or (), stack)
    x0, y0, x1, y1 = found.extent
    maps = found.maps[:, :, ::-1]
    return PointMaps(maps if swap is None else maps[list(swap)], (width - x1, y0, width - x0, y1), found.cell_px)
