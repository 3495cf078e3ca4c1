"""How well anchors fit the objects of a data set, and k-means suggestions of anchors that fit better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.detection import iou as family
from models.detection.anchor_design import Design, Groups
from models.types import Int

Numbers = NDArray[Any]
MOST_SHAPES = 10_000
MOST_ROUNDS = 60
RESTARTS = 3
Report = Callable[[float], None]


@dataclass(frozen=True)
class Clusters:
    """`shapes` (k, 2): width and height in network pixels, smallest first; `members` (k,); `mean` best IoU."""

    shapes: Numbers
    members: Int
    mean: float


def best_overlaps(
    truth: Numbers, anchors: Numbers, cells: Sequence[tuple[int, int]], per_cell: Sequence[int]
) -> Numbers:
    """Return each object's highest IoU (M,) with any anchor (N, 4); both in network pixels.

    The anchors of one shape stand on a grid, and their IoU with an object falls with the distance of the centres along
    either axis. So only the nearest anchor of each shape has to be compared with an object.
    """
    best, start = np.zeros(len(truth), np.float32), 0
    middle = (truth[:, :2] + truth[:, 2:]) / 2
    for (rows, columns), shapes in zip(cells, per_cell, strict=True):
        level = anchors[start : start + rows * columns * shapes].reshape(rows, columns, shapes, 4)
        start += rows * columns * shapes
        if not level.size:
            continue
        across = (level[0, :, 0, 0] + level[0, :, 0, 2]) / 2
        down = (level[:, 0, 0, 1] + level[:, 0, 0, 3]) / 2
        near = level[_nearest(down, middle[:, 1]), _nearest(across, middle[:, 0])]
        best = np.maximum(best, family.iou(truth[:, None], near).max(axis=1))
    return best


def shape_overlap(a: Numbers, b: Numbers) -> Numbers:
    """Return the IoU (N, k) of shapes (N, 2) and (k, 2) that share a centre."""
    shared = np.minimum(a[:, :1], b[:, 0]) * np.minimum(a[:, 1:], b[:, 1])
    return shared / (a.prod(axis=1)[:, None] + b.prod(axis=1) - shared)


def cluster(shapes: Numbers, count: int, *, seed: int = 0, report: Report = lambda part: None) -> Clusters:
    """Cluster shapes (N, 2) into `count` shapes by k-means with the distance 1 - IoU (Redmon & Farhadi 2017,
    "YOLO9000", section 2).

    Seed with k-means++ and keep the best of `RESTARTS` runs; the same seed gives the same result. Above `MOST_SHAPES`
    shapes, cluster a random sample.
    """
    rng = np.random.default_rng(seed)
    shapes = np.asarray(shapes, np.float64)
    if len(shapes) > MOST_SHAPES:
        shapes = shapes[np.sort(rng.choice(len(shapes), MOST_SHAPES, replace=False))]
    count = min(count, len(np.unique(shapes, axis=0)))
    best = Clusters(np.zeros((0, 2), np.float32), np.zeros(0, np.int64), -1.0)
    for again in range(RESTARTS):
        centres, before = _seeded(shapes, count, rng), np.zeros(0)
        for turn in range(MOST_ROUNDS):
            report((again + turn / MOST_ROUNDS) / RESTARTS)
            quality = shape_overlap(shapes, centres)
            owner, mean = quality.argmax(axis=1), float(quality.max(axis=1).mean())
            members = np.bincount(owner, minlength=count)
            if mean > best.mean:
                order = np.argsort(centres.prod(axis=1))
                best = Clusters(centres[order].astype(np.float32), members[order], mean)
            if np.array_equal(owner, before):
                break
            sums = np.stack([np.bincount(owner, shapes[:, axis], minlength=count) for axis in (0, 1)], axis=1)
            centres, before = np.where(members[:, None] > 0, sums / np.maximum(members, 1)[:, None], centres), owner
    return best


def suggest(found: Clusters, like: Design, side: float) -> Design:
    """Return a design made from clusters, with as many scales and ratios per level as `like` has.

    Each cluster goes to the level of `like` whose anchors are nearest in size, because the strides of later levels suit
    larger objects. A level's scales and ratios are the means of equal parts of its clusters, weighted by members.
    A level without clusters keeps its own. `side` is the input's side in pixels, needed for default boxes.
    """
    sizes, ratios = np.sqrt(found.shapes.prod(axis=1)), found.shapes[:, 1] / found.shapes[:, 0]
    unit = side if like.fractions else 1.0
    own = unit * np.array([np.exp(np.mean(np.log(group))) for group in like.scales[: like.levels]])
    level = np.abs(np.log(sizes)[:, None] - np.log(own)).argmin(axis=1)
    shapes = np.maximum(ratios, 1 / ratios) if like.fractions else ratios
    scales, wanted = [list(group) for group in like.scales], [list(group) for group in like.ratios]
    for row in np.unique(level):
        mine = level == row
        scales[row] = [mean / unit for mean in _means(sizes[mine], found.members[mine], len(like.scales[row]))]
        wanted[row] = _means(shapes[mine], found.members[mine], len(like.ratios[row]))
    return Design(_rounded(scales), _rounded(wanted), like.fractions)


def _nearest(places: Numbers, wanted: Numbers) -> Int:
    """Return for each value of `wanted` the index of the nearest of the sorted `places`."""
    return np.searchsorted((places[1:] + places[:-1]) / 2, wanted)


def _seeded(shapes: Numbers, count: int, rng: np.random.Generator) -> Numbers:
    """Return k-means++ seeds (Arthur & Vassilvitskii 2007) for the distance 1 - IoU."""
    centres = shapes[[rng.integers(len(shapes))]]
    distance = np.ones(len(shapes))
    for _ in range(count - 1):
        distance = np.minimum(distance, 1 - shape_overlap(shapes, centres[-1:])[:, 0]).clip(min=0)
        chance = distance**2 / (distance**2).sum() if distance.any() else None
        centres = np.concatenate([centres, shapes[[rng.choice(len(shapes), p=chance)]]])
    return centres


def _means(values: Numbers, weights: Int, count: int) -> list[float]:
    """Return the geometric means of `count` consecutive parts of equal weight, lowest first."""
    logs = np.sort(np.repeat(np.log(values), np.maximum(weights, 1) * count))
    return [float(np.exp(part.mean())) for part in np.array_split(logs, count)] if count else []


def _rounded(groups: Sequence[Sequence[float]]) -> Groups:
    """Round groups of numbers to three significant digits."""
    return tuple(tuple(float(f"{value:.3g}") for value in group) for group in groups)
