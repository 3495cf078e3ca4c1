"""How a region of a feature map becomes a patch of fixed size: RoIAlign, RoIPool and spatial pyramid pooling, drawn.

Coordinates are in cells of the map, in float32 with torchvision's arithmetic: RoIAlign's points give `roi_align`
through plain bilinear interpolation, RoIPool's cells give `roi_pool` (He et al. 2014 and 2017, Girshick 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.ops import roi_align, roi_pool
from torchvision.ops.poolers import MultiScaleRoIAlign, _filter_input, _setup_scales

from models.types import Float, Int

Kind = Literal["align", "pool", "pyramid"]
PYRAMID = (1, 2, 4)
ONE, HALF = np.float32(1), np.float32(0.5)


@dataclass(frozen=True)
class Pooling:
    """One way to pool: into `size` (rows, columns) bins; `sampling` and `aligned` are RoIAlign's.

    A `sampling` of 0 or less takes as many points in a bin as it has cells, rounded up.
    """

    kind: Kind
    size: tuple[int, int]
    sampling: int = -1
    aligned: bool = False

    @property
    def bins(self) -> int:
        """The number of bins."""
        return sum(n * n for n in PYRAMID) if self.kind == "pyramid" else self.size[0] * self.size[1]


@dataclass(frozen=True)
class Levels:
    """The maps that regions are pooled from: `maps` (C, h, w), each with its `scale` in cells per network pixel.

    `lowest`, `canonical_px` and `canonical_level` are those of the rule by which a region's level is chosen.
    """

    maps: list[Tensor]
    scales: list[float]
    mapper: Any
    lowest: int
    canonical_px: int
    canonical_level: int

    def of(self, boxes: Tensor) -> Int:
        """Return the row in `maps` that each region (N, 4), in network pixels, is pooled from."""
        if self.mapper is None:
            return np.zeros(len(boxes), np.int64)
        return self.mapper([boxes]).cpu().numpy()

    def rule(self, box: Float) -> str:
        """Return in words by which rule a region gets its level."""
        side = float(np.sqrt(max(float((box[2] - box[0]) * (box[3] - box[1])), 0.0)))
        if len(self.maps) == 1:
            return "There is a single level."
        wanted = self.canonical_level + np.log2(max(side, 1e-6) / self.canonical_px)
        return (
            f"k = {self.canonical_level} + log2({side:.1f} / {self.canonical_px}) = {wanted:.2f}, rounded down to "
            f"{int(np.floor(wanted))}; the levels go from {self.lowest} to {self.lowest + len(self.maps) - 1}."
        )


def levels_of(pooler: MultiScaleRoIAlign, features: dict[str, Tensor], sizes: list[tuple[int, int]]) -> Levels:
    """Return the maps that a network's pooler reads, and its rule, without changing the pooler."""
    maps = _filter_input(features, pooler.featmap_names)
    scales, mapper = _setup_scales(maps, sizes, pooler.canonical_scale, pooler.canonical_level)
    several = len(maps) > 1
    lowest = round(-np.log2(scales[0]))
    found = [m[0] for m in maps]
    return Levels(
        found, scales, mapper if several else None, lowest, pooler.canonical_scale, int(pooler.canonical_level)
    )


def pooled(levels: Levels, boxes: Tensor, rows: Int, how: Pooling) -> Tensor:
    """Return torchvision's patches of regions (N, 4) in network pixels, each from the level in `rows` (N,).

    (N, C, rows, columns), of a pyramid (N, C, bins, 1), the coarse bins first.
    """
    found: list[Tensor] = [torch.zeros(0)] * len(boxes)
    for level in sorted({*rows.tolist()}):
        at = np.flatnonzero(rows == level)
        patches = _pooled(levels.maps[level][None], boxes[torch.from_numpy(at)], levels.scales[level], how)
        for row, patch in zip(at.tolist(), patches, strict=True):
            found[row] = patch
    return torch.stack(found) if found else torch.zeros((0, len(levels.maps[0]), *how.size))


def _pooled(feature: Tensor, boxes: Tensor, scale: float, how: Pooling) -> Tensor:
    if how.kind == "align":
        return roi_align(feature, [boxes], how.size, scale, how.sampling, how.aligned)
    if how.kind == "pool":
        return roi_pool(feature, [boxes], how.size, scale)
    return torch.cat([roi_pool(feature, [boxes], n, scale).flatten(2) for n in PYRAMID], 2)[..., None]


def align_points(box: Float, scale: float, how: Pooling) -> Float:
    """Return RoIAlign's sampling points x, y in cells: (rows, columns, points down, points across, 2)."""
    offset = HALF if how.aligned else np.float32(0)
    x0, y0, x1, y1 = (np.float32(v) * np.float32(scale) - offset for v in box)
    wide, high = x1 - x0, y1 - y0
    if not how.aligned:
        wide, high = max(wide, ONE), max(high, ONE)
    rows, columns = how.size
    across = how.sampling if how.sampling > 0 else int(np.ceil(wide / columns))
    down = how.sampling if how.sampling > 0 else int(np.ceil(high / rows))
    x = _places(x0, wide / np.float32(columns), columns, across)
    y = _places(y0, high / np.float32(rows), rows, down)
    found = np.empty((rows, columns, max(down, 0), max(across, 0), 2), np.float32)
    found[..., 0], found[..., 1] = x[None, :, None, :], y[:, None, :, None]
    return found


def align_bins(box: Float, scale: float, how: Pooling) -> Float:
    """Return RoIAlign's bins (rows * columns, 4) x0, y0, x1, y1 in cells."""
    offset = HALF if how.aligned else np.float32(0)
    x0, y0, x1, y1 = (np.float32(v) * np.float32(scale) - offset for v in box)
    least = np.float32(0 if how.aligned else 1)
    rows, columns = how.size
    x = x0 + np.arange(columns + 1, dtype=np.float32) * (max(x1 - x0, least) / np.float32(columns))
    y = y0 + np.arange(rows + 1, dtype=np.float32) * (max(y1 - y0, least) / np.float32(rows))
    return _rectangles(np.stack([y[:-1], y[1:]], 1), np.stack([x[:-1], x[1:]], 1))


def pool_bins(box: Float, scale: float, size: tuple[int, int], shape: tuple[int, int]) -> Int:
    """Return RoIPool's bins (rows * columns, 4): first and last cell + 1 across and down, inside a map of `shape`."""
    x0, y0, x1, y1 = (_rounded(np.float32(v) * np.float32(scale)) for v in box)
    y, x = (
        _cells(begin, max(end - begin + 1, 1), count, most)
        for begin, end, count, most in ((y0, y1, size[0], shape[0]), (x0, x1, size[1], shape[1]))
    )
    return _rectangles(y, x)


def bins_of(box: Float, scale: float, how: Pooling, shape: tuple[int, int]) -> Float:
    """Return the bins (K, 4) of a region in cells, in the order of the pooled values."""
    if how.kind == "align":
        return align_bins(box, scale, how)
    sizes = [(n, n) for n in PYRAMID] if how.kind == "pyramid" else [how.size]
    return np.concatenate([pool_bins(box, scale, size, shape) for size in sizes]).astype(np.float32)


def bilinear(feature: Float, points: Float) -> Float:
    """Return the values (C, ...) of a map (C, h, w) between its cells at points (..., 2), as `roi_align` reads them.

    The value of cell i is at coordinate i; further than a cell outside the map it is 0, nearer that of the border.
    """
    height, width = feature.shape[1:]
    x, y = points[..., 0], points[..., 1]
    outside = (x < -1) | (x > width) | (y < -1) | (y > height)
    weights = []
    for given, most in ((x, width - 1), (y, height - 1)):
        low = np.floor(given.clip(0, None)).astype(np.int64).clip(0, most)
        part = (np.where(low >= most, np.float32(most), given.clip(0, None)) - low).astype(np.float32)
        weights.append((low, (low + 1).clip(0, most), part))
    (left, right, across), (top, bottom, down) = weights
    found = (
        feature[:, top, left] * ((ONE - down) * (ONE - across))
        + feature[:, top, right] * ((ONE - down) * across)
        + feature[:, bottom, left] * (down * (ONE - across))
        + feature[:, bottom, right] * (down * across)
    )
    return np.where(outside, np.float32(0), found)


def drawn_pool(feature: Float, bins: Int) -> Float:
    """Return the largest value (C, K) of a map (C, h, w) in each bin (K, 4) of cells, 0 for a bin without cells."""
    return np.stack(
        [
            feature[:, y0:y1, x0:x1].max((1, 2)) if x1 > x0 and y1 > y0 else np.zeros(len(feature), np.float32)
            for x0, y0, x1, y1 in bins.tolist()
        ],
        1,
    )


def own_pooling(pooler: nn.Module) -> Pooling | None:
    """Return how a network pools its regions, None if that is not torchvision's pooling on a pyramid."""
    if not isinstance(pooler, MultiScaleRoIAlign):
        return None
    rows, columns = (int(n) for n in pooler.output_size)
    return Pooling("align", (rows, columns), int(pooler.sampling_ratio), False)


def _places(begin: np.float32, side: np.float32, count: int, points: int) -> Float:
    bins, steps = np.arange(count, dtype=np.float32), np.arange(max(points, 0), dtype=np.float32)
    found = (begin + bins[:, None] * side) + (steps + HALF)[None] * side / np.float32(max(points, 1))
    return np.asarray(found, np.float32)


def _cells(begin: int, length: int, count: int, most: int) -> Int:
    side = np.float32(length) / np.float32(count)
    steps = np.arange(count, dtype=np.float32)
    first = np.floor(steps * side).astype(np.int64) + begin
    last = np.ceil((steps + ONE) * side).astype(np.int64) + begin
    return np.stack([first.clip(0, most), last.clip(0, most)], 1)


def _rectangles(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return all pairs of the spans (rows, 2) and (columns, 2) as x0, y0, x1, y1, row by row."""
    found = np.empty((len(y), len(x), 4), y.dtype)
    found[..., 0], found[..., 2] = x[None, :, 0], x[None, :, 1]
    found[..., 1], found[..., 3] = y[:, None, 0], y[:, None, 1]
    return found.reshape(-1, 4)


def _rounded(value: np.float32) -> int:
    """Round as C does: halves away from zero."""
    return int(np.floor(value + HALF)) if value >= 0 else -int(np.floor(-value + HALF))
