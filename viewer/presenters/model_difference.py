"""The differences between two models' results on one picture, in numbers: boxes, classes, maps, activations, pictures.

Classes and layers are matched by name, because label ids and layer numbers of two networks are unrelated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import quantity
from models.detection.suppression import columns_of, overlap
from models.types import Float, Int, Result
from viewer.canvas.layers import ONLY_A, ONLY_B, Boxes, Heat, Layer, Links, Masks
from viewer.presenters import heatmap, map_comparison, settings_difference
from viewer.presenters.detections import DETECTIONS, REMOVED
from viewer.presenters.instances import MASKS
from viewer.presenters.map_comparison import Difference
from viewer.session.document import SIGNED, Look
from viewer.session.lookup import class_name, name_of
from viewer.translation import tr

MAP_LAYER = "difference"
# Layers that use the colours of classes.
OF_CLASSES = (DETECTIONS, REMOVED, "links", MASKS)
# The slots whose results are compared.
SLOTS = ("detect", "classify", "attribution", "activations", "generated")
MATCHED, IN_A, IN_B = "matched", "only_a", "only_b"
Real = NDArray[np.float64]


def signed(value: float) -> str:
    """Return a difference with four digits and its sign; no sign if the digits are all zero."""
    text = f"{value:+.4f}"
    return text if float(text) else "0.0000"


@dataclass(frozen=True, eq=False)
class Pairs:
    """Detections of `a` and `b`, paired by class name and overlap.

    `matched` are rows (n, 2) with their `iou` (n,), the largest change of score first; `only_a` and `only_b` are the
    unpaired rows in their original order.
    """

    a: Result
    b: Result
    matched: Int
    iou: Float
    only_a: Int
    only_b: Int

    @property
    def counts(self) -> dict[str, int]:
        """The number of each kind."""
        return {MATCHED: len(self.matched), IN_A: len(self.only_a), IN_B: len(self.only_b)}

    @property
    def change(self) -> Float:
        """The score in B minus that in A for each pair."""
        return self.b.arrays["scores"][self.matched[:, 1]] - self.a.arrays["scores"][self.matched[:, 0]]

    @property
    def rows(self) -> list[tuple[int, int]]:
        """Every row to list, in A and in B (-1 if missing): first those that only one model found."""
        alone = [(row, -1) for row in self.only_a.tolist()] + [(-1, row) for row in self.only_b.tolist()]
        return alone + [(i, j) for i, j in self.matched.tolist()]

    def texts(self, row: tuple[int, int], at: int) -> tuple[str, str, str, str, str]:
        """Return class, score in A, score in B, their change, and IoU of `row`, which is listed at position `at`."""
        i, j = row
        name = name_of(self.a, i) if i >= 0 else name_of(self.b, j)
        one = f"{self.a.arrays['scores'][i]:.3f}" if i >= 0 else ""
        other = f"{self.b.arrays['scores'][j]:.3f}" if j >= 0 else ""
        if i < 0 or j < 0:
            return name, one, other, "", ""
        at -= len(self.only_a) + len(self.only_b)
        return name, one, other, signed(self.change[at]), f"{self.iou[at]:.3f}"

    def ids(self, row: tuple[int, int]) -> tuple[int, int]:
        """Return the detections' ids of a row in A and in B, -1 if missing."""
        i, j = row
        return (int(self.a.arrays["ids"][i]) if i >= 0 else -1, int(self.b.arrays["ids"][j]) if j >= 0 else -1)


@dataclass(frozen=True)
class Classes:
    """Values by class name: `rows` of name, A's and B's value (None if it has no such class), the largest first.

    `quantities` say whether A's and B's are probabilities or values. If both sum to 1, `distance` is the total
    variation distance, half the sum of absolute differences: 0 identical, 1 disjoint; otherwise None.
    """

    rows: tuple[tuple[str, float | None, float | None], ...]
    best: tuple[str, str]
    distance: float | None
    quantities: tuple[str, str] = (quantity.PROBABILITY, quantity.PROBABILITY)

    @property
    def comparable(self) -> bool:
        """Whether both are of the same kind."""
        return self.quantities[0] == self.quantities[1]


@dataclass(frozen=True, eq=False)
class MapNumbers:
    """Similarity of two maps on their common part: correlations, on a grid of `shape`.

    `share` is the part of A's extent.
    """

    pearson: float
    spearman: float
    shape: tuple[int, int]
    share: float


@dataclass(frozen=True)
class Activity:
    """Activations of two layers: names, shapes and norms, and the cosine between them if the shapes agree."""

    layers: tuple[str, str]
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    norms: tuple[float, float]
    cosine: float | None
    channel: float | None


def boxes(a: Result, b: Result) -> Pairs:
    """Pair detections of the same class name with IoU of at least 0.5, in decreasing order of IoU, each used once."""
    names = {name: label for label, name in reversed(list(enumerate(a.meta["classes"])))}
    fresh = len(a.meta["classes"])
    labels = np.array([names.get(name_of(b, row), fresh) for row in range(len(b.arrays["labels"]))], np.int64)
    named = Result({**b.arrays, "labels": labels}, b.meta)
    rows_a, rows_b = np.arange(len(a.arrays["labels"])), np.arange(len(labels))
    pairs = settings_difference.nearest(a, named, rows_a, rows_b)
    found = columns_of(a.arrays["boxes"][pairs[:, 0]]), columns_of(b.arrays["boxes"][pairs[:, 1]])
    iou = overlap(*found).astype(np.float32)
    change = np.abs(a.arrays["scores"][pairs[:, 0]] - b.arrays["scores"][pairs[:, 1]])
    order = np.argsort(-change, kind="stable")
    alone = np.setdiff1d(rows_a, pairs[:, 0]), np.setdiff1d(rows_b, pairs[:, 1])
    return Pairs(a, b, pairs[order], iou[order], *alone)


def marked(layers: Sequence[Layer], pairs: Pairs, *, first: bool) -> list[Layer]:
    """Return layers in which the boxes found only by this model are coloured and labelled as such."""
    rows, role, where = (pairs.only_a, ONLY_A, "A") if first else (pairs.only_b, ONLY_B, "B")
    result = pairs.a if first else pairs.b
    alone = set(result.arrays["ids"][rows].tolist())
    found: list[Layer] = []
    for layer in layers:
        if isinstance(layer, Boxes) and layer.id == DETECTIONS:
            hit = [number in alone for number in layer.ids.tolist()]
            colours = np.where(hit, role, layer.colours)
            labelled = [
                tr("{layer} only in {where}", layer=layer.text(row), where=where) if hit[row] else layer.text(row)
                for row in range(len(layer))
            ]
            found.append(replace(layer, colours=colours, texts=labelled))
        else:
            found.append(layer)
    return found


def recoloured(layers: Sequence[Layer], names: Sequence[str], first: Sequence[str]) -> list[Layer]:
    """Return a model's layers with its class `names` in the colours that the `first` model's classes have.

    A name thus has the same colour in both panes. Names the first model lacks follow after its own; colours of roles
    stay.
    """
    known = {name: label for label, name in reversed(list(enumerate(first)))}
    fresh = {name: len(first) + row for row, name in enumerate(name for name in names if name not in known)}
    table = np.array([known.get(name, fresh.get(name, 0)) for name in names], np.int64)
    if np.array_equal(table, np.arange(len(names))):
        return list(layers)
    found: list[Layer] = []
    for layer in layers:
        if isinstance(layer, Boxes | Links | Masks) and layer.id in OF_CLASSES and len(table):
            own = np.minimum(np.maximum(layer.colours, 0), len(table) - 1)
            here = (layer.colours >= 0) & (layer.colours < len(table))
            found.append(replace(layer, colours=np.where(here, table[own], layer.colours)))
        else:
            found.append(layer)
    return found


def classes(a: Result, b: Result) -> Classes:
    """Return the probabilities or values of both models' classes by name."""
    both = [_chances(a), _chances(b)]
    order = list(dict.fromkeys((*both[0], *both[1])))
    names = sorted(order, key=lambda name: -max(each.get(name, -np.inf) for each in both))
    rows = tuple((name, both[0].get(name), both[1].get(name)) for name in names)
    distance = 0.5 * sum(abs((p or 0.0) - (q or 0.0)) for _, p, q in rows)
    best = tuple(max(each, key=lambda name, of=each: of[name], default="") for each in both)
    distance = distance if all(quantity.shared(each) for each in (a, b)) else None
    return Classes(rows, (best[0], best[1]), distance, (quantity.of(a), quantity.of(b)))


def map_numbers(a: Result, b: Result) -> MapNumbers | None:
    """Return how similar two maps are, both resampled to the finer grid; None if they have no common part."""
    grid = map_comparison.shared(*((each.arrays["map"], each.meta["extent"]) for each in (a, b)))
    if grid is None:
        return None
    extent, shape = grid
    one, other = (map_comparison.resample(e.arrays["map"], e.meta["extent"], extent, shape).ravel() for e in (a, b))
    x0, y0, x1, y1 = a.meta["extent"]
    share = (extent[2] - extent[0]) * (extent[3] - extent[1]) / ((x1 - x0) * (y1 - y0))
    return MapNumbers(_correlation(one, other), _correlation(_ranks(one), _ranks(other)), shape, float(share))


def map_difference(a: Result, b: Result, look: Look) -> Difference | None:
    """Return map A minus map B, each first divided by its own end of scale, because two networks' scores differ in
    unit.
    """
    parts = [(e.arrays["map"], e.meta["extent"], heatmap.end_of(e.arrays["map"], look)) for e in (a, b)]
    return map_comparison.difference(parts[0], parts[1], same=False, look=look)


def difference_layer(found: Difference, look: Look) -> Heat:
    """Return the layer of a difference of maps: diverging around zero, red where A is larger."""
    plain = replace(look, sign=SIGNED, scale=0.0)
    return heatmap.heat_layer(found.values, found.extent, plain, around=True, id=MAP_LAYER)


def activity(a: Result, b: Result) -> Activity:
    """Return the norms of two layers' activations and, for equal shapes, cosines.

    The cosine is taken over all values, and per channel number and then averaged.
    """
    one, other = (each.arrays["maps"].astype(np.float64) for each in (a, b))
    names = str(a.meta["layer"]), str(b.meta["layer"])
    norms = float(np.linalg.norm(one)), float(np.linalg.norm(other))
    whole = channel = None
    if one.shape == other.shape:
        whole = _cosine(one.ravel(), other.ravel())
        each = [_cosine(x.ravel(), y.ravel()) for x, y in zip(one, other, strict=True)]
        channel = float(np.mean(each))
    return Activity(names, (one.shape, other.shape), norms, whole, channel)


def pictures(a: Result, b: Result) -> float | None:
    """Return the mean absolute difference of two pictures, 0 to 255; None if their sizes differ."""
    one, other = (each.arrays["picture"].astype(np.float64) for each in (a, b))
    return float(np.abs(one - other).mean()) if one.shape == other.shape else None


def _chances(result: Result) -> dict[str, float]:
    """Return each class's number by name.

    For several classes of the same name the sum of probabilities, else the maximum.
    """
    found: dict[str, float] = {}
    shared = quantity.shared(result)
    for label, chance in zip(result.arrays["labels"].tolist(), quantity.numbers(result).tolist(), strict=True):
        name = class_name(result, label)
        known = found.get(name)
        found[name] = chance if known is None else known + chance if shared else max(known, chance)
    return found


def _cosine(a: Real, b: Real) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else 0.0


def _correlation(a: Any, b: Any) -> float:
    """Return Pearson's correlation, 0 if one is constant."""
    a, b = (np.asarray(each, np.float64) for each in (a, b))
    return _cosine(a - a.mean(), b - b.mean()) if np.ptp(a) and np.ptp(b) else 0.0


def _ranks(values: Any) -> Real:
    """Return the rank of each value, with mean ranks for ties."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse.ravel()]
