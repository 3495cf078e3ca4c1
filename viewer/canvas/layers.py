"""Layers painted over a picture, as plain values in pixels of the picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Negative colour ids denote a box's role instead of its class; the theme defines a colour for each.
NO_CLASS, TRUTH, CORRECT, WRONG, MISSED, FORCED, IGNORED, CHANGED, ONLY_A, ONLY_B = range(-1, -11, -1)
FIRST_LEVEL, LEVELS = -11, 7  # the levels of a pyramid, the finest first; from the eighth on, colours repeat

Float = NDArray[np.float32]
Int = NDArray[np.int64]
Hit = tuple[str, int]


def distinct(values: NDArray[Any]) -> list[int]:
    """Return the different numbers in an array, ascending.

    Plain `np.unique` imports masked arrays to look for one: 20 ms and 2 MB.
    """
    return np.unique(values, return_counts=True)[0].tolist()


def _none() -> Int:
    return np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes (N, 4) xyxy in pixels of the original picture, with a class id each in `colours` (N,).

    `texts` are their labels, one each, or empty; the first rows get the best places for labels. `width` is in screen
    pixels, `selected` is a row or -1, `ids` are the caller's own numbers (default: the rows). Unless `labelled`, texts
    are shown only for the box under the pointer. Oriented boxes are drawn by their `corners` (N, 4, 2), in order around
    them; their `boxes` then are what encloses these.
    """

    id: str
    boxes: Float
    colours: Int
    texts: Sequence[str] = ()
    dashed: bool = False
    width: float = 2.0
    opacity: float = 1.0
    selected: int = -1
    ids: Int = field(default_factory=_none)
    hoverable: bool = True
    filled: bool = False
    labelled: bool = True
    corners: Float | None = None

    def __post_init__(self) -> None:
        boxes = _table(self.boxes)
        if self.corners is not None:
            corners = np.ascontiguousarray(np.asarray(self.corners, np.float32).reshape(-1, 4, 2))
            _set(self, corners=corners)
            boxes = np.concatenate([corners.min(1), corners.max(1)], 1)
        _set(self, boxes=boxes, colours=_labels(self.colours, count=len(boxes)))
        _set(self, ids=_labels(self.ids, count=len(boxes)) if len(self.ids) else np.arange(len(boxes), dtype=np.int64))
        if len(self.texts) not in (0, len(boxes)):
            raise ValueError(f"Layer {self.id} has {len(boxes)} boxes but {len(self.texts)} texts.")

    def __len__(self) -> int:
        return len(self.boxes)

    def text(self, row: int) -> str:
        """Return the label of a row, "" for none."""
        return self.texts[row] if len(self.texts) else ""


@dataclass(frozen=True, eq=False)
class Links:
    """Lines (M, 4) x0 y0 x1 y1 from a removed box to the box that removed it, where the dot is."""

    id: str
    segments: Float
    colours: Int
    dashed: bool = False
    width: float = 1.5

    def __post_init__(self) -> None:
        segments = _table(self.segments)
        _set(self, segments=segments, colours=_labels(self.colours, count=len(segments)))


@dataclass(frozen=True, eq=False)
class Heat:
    """A map (h, w) stretched over `extent` (x0, y0, x1, y1) in pixels of the picture; NaN is transparent.

    It is clipped at the picture's border. `smooth` interpolates between cells, `fade` makes values transparent towards
    the middle of a diverging scale or the end next to zero of another, `cells` (rows, columns) draws lines between
    cells. `own` is the map at its own resolution and sign if the drawn one was derived from it; its values are shown
    under the pointer.
    """

    id: str
    values: Float
    extent: tuple[float, float, float, float]
    low: float
    high: float
    colour_map: str = "sequential"
    opacity: float = 0.6
    smooth: bool = True
    fade: bool = False
    cells: tuple[int, int] | None = None
    own: Float | None = None


@dataclass(frozen=True, eq=False)
class Labels:
    """A class id for each cell (h, w), stretched over `extent` (x0, y0, x1, y1) in pixels of the picture.

    `sure` (h, w) is the probability of each, 0 to 1. `names` are those of the classes by id; ids in `clear` are not
    painted.
    """

    id: str
    labels: NDArray[np.integer[Any]]
    sure: Float
    extent: tuple[float, float, float, float]
    names: Sequence[str]
    clear: tuple[int, ...] = ()
    opacity: float = 0.5

    def at(self, x: float, y: float) -> tuple[int, float] | None:
        """Return the class id at a point and its probability, None outside."""
        x0, y0, x1, y1 = self.extent
        rows, columns = self.labels.shape
        row, column = int((y - y0) / (y1 - y0) * rows // 1), int((x - x0) / (x1 - x0) * columns // 1)
        if not (0 <= row < rows and 0 <= column < columns):
            return None
        return int(self.labels[row, column]), float(self.sure[row, column])


@dataclass(frozen=True, eq=False)
class Points:
    """Points (N, 2) with a class id each; `radius` is in screen pixels, `hollow` ones are rings."""

    id: str
    xy: Float
    colours: Int
    radius: float = 3.0
    hollow: bool = False
    opacity: float = 1.0

    def __post_init__(self) -> None:
        xy = _table(self.xy, columns=2)
        _set(self, xy=xy, colours=_labels(self.colours, count=len(xy)))


@dataclass(frozen=True, eq=False)
class Rings:
    """The outlines of masks: `points` (T, 2) in pixels of the picture, `start` (R + 1,) the index of each closed ring's
    first point, `of` (R,) the mask of each ring.

    A mask is filled by the odd-even rule, so an inner ring is a hole.
    """

    points: Float
    start: Int
    of: Int


@dataclass(frozen=True, eq=False)
class Masks:
    """Masks of K objects: `rows` (K,) of `rings`, with their `boxes` (K, 4) and a class id each in `colours` (K,).

    `texts` say what the objects are, one each, or empty; they are read out, not painted.
    """

    id: str
    boxes: Float
    colours: Int
    rows: Int
    rings: Rings
    opacity: float = 0.5
    outlined: bool = True
    texts: Sequence[str] = ()

    def __post_init__(self) -> None:
        boxes = _table(self.boxes)
        _set(self, boxes=boxes, colours=_labels(self.colours, count=len(boxes)))
        _set(self, rows=_labels(self.rows, count=len(boxes)))


@dataclass(frozen=True, eq=False)
class Skeletons:
    """Key points (K, P, 2) of K objects, connected by `limbs`, pairs of points.

    Points marked `faint` (K, P) are painted faded, with the limbs that end in them; NaN points are left out. Each point
    and limb has its own colour. `texts` say what the objects are and `points` how the points are called, one each, or
    empty; they are read out, not painted.
    """

    id: str
    xy: Float
    faint: NDArray[np.bool_]
    limbs: Sequence[tuple[int, int]] = ()
    radius: float = 3.0
    width: float = 2.0
    texts: Sequence[str] = ()
    points: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Overlay:
    """Another picture (h, w, 3) uint8 RGB, stretched over `extent` (x0, y0, x1, y1) in pixels of the picture.

    It is clipped at the picture's border, and begins at `begin`, an x in pixels of the picture, where a line is drawn;
    None shows all of it without a line.
    """

    id: str
    pixels: NDArray[np.uint8]
    extent: tuple[float, float, float, float]
    begin: float | None = None


@dataclass(frozen=True, eq=False)
class Note:
    """A title and lines (name, value) for the card in the corner of the canvas; nothing is painted over the picture."""

    id: str
    title: str
    lines: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The note as tab-separated text."""
        return "\n".join([self.title, *("\t".join(line) for line in self.lines)])


Layer = Boxes | Links | Heat | Labels | Overlay | Points | Masks | Skeletons | Note
FIRST_TRUTH = -2


def level_ids(levels: Int) -> Int:
    """Return the colour ids of the levels of a pyramid, 0 for the finest."""
    return FIRST_LEVEL - np.asarray(levels, np.int64) % LEVELS


def truth_ids(rows: Int) -> Int:
    """Return ids for rows of a picture's ground truth, distinct from all ids of detections."""
    return FIRST_TRUTH - np.asarray(rows, np.int64)


def hits(layers: Iterable[Layer], x: float, y: float, *, slack_px: float = 0.0) -> list[Hit]:
    """Return (layer, row) of the boxes under a point, the smallest first, so that boxes inside others can be reached.

    `slack_px`, in pixels of the picture, makes thin boxes easier to hit.
    """
    found: list[tuple[float, str, int]] = []

    for layer in layers:
        if not isinstance(layer, Boxes) or not layer.hoverable or not len(layer):
            continue
        x0, y0, x1, y1 = layer.boxes.T
        under = (x0 - slack_px <= x) & (x <= x1 + slack_px) & (y0 - slack_px <= y) & (y <= y1 + slack_px)
        rows = np.flatnonzero(under)
        rows = rows if layer.corners is None else rows[_within(layer.corners[rows], x, y, slack_px)]
        areas = (x1[rows] - x0[rows]) * (y1[rows] - y0[rows])
        found += [(area, layer.id, row) for area, row in zip(areas.tolist(), rows.tolist(), strict=True)]

    return [(layer_id, row) for _, layer_id, row in sorted(found, key=lambda item: item[0])]


def id_at(layers: Iterable[Layer], hit: Hit) -> int:
    """Return the caller's id of a box that was hit, -1 if its layer is no longer shown."""
    return next((int(x.ids[hit[1]]) for x in layers if isinstance(x, Boxes) and x.id == hit[0]), -1)


def _within(corners: Float, x: float, y: float, slack_px: float) -> NDArray[np.bool_]:
    """Return whether a point is at most `slack_px` outside of each convex quadrilateral (N, 4, 2)."""
    along = np.roll(corners, -1, axis=1) - corners
    to_point = np.array([x, y], np.float32) - corners
    side = along[..., 0] * to_point[..., 1] - along[..., 1] * to_point[..., 0]
    distance = side / np.maximum(np.hypot(along[..., 0], along[..., 1]), 1e-6)
    inside = np.all(distance >= -slack_px, axis=1) | np.all(distance <= slack_px, axis=1)
    return np.asarray(inside, np.bool_)


def _table(values: ArrayLike, *, columns: int = 4) -> Float:
    return np.ascontiguousarray(np.asarray(values, np.float32).reshape(-1, columns))


def _labels(values: ArrayLike, *, count: int) -> Int:
    labels = np.asarray(values, np.int64).reshape(-1)
    if len(labels) != count:
        raise ValueError(f"Expected {count} ids, one for each row, but there are {len(labels)}.")
    return labels


def _set(value: object, **fields: object) -> None:
    for name, content in fields.items():
        object.__setattr__(value, name, content)
