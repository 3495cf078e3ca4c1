"""Maps side by side: which ones a document compares, their scales, and the difference of two, as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.inspection import Description
from models.params import Value
from models.requests import Request
from models.types import Float, Result, Source
from viewer.presenters import attribution, heatmap
from viewer.presenters.heatmap import Rect
from viewer.session import request_plan
from viewer.session.document import Document, Look
from viewer.session.lookup import label_of, word_for
from viewer.translation import tr

QUEUE = "maps"
BEST_SLOT = "maps.best"
CLASSIFY = "classify"
USUAL = ("grad_cam", "integrated_gradients", "saliency", "occlusion")
BEST = 3
MOST_CELLS = 24
MOST_PICTURES = 4
FINEST = 512
SCALES = {"method": tr("One scale a method"), "all": tr("One scale for all"), "cell": tr("A scale for each map")}


@dataclass(frozen=True)
class Cell:
    """One map of the comparison: its method, class ("" for the best), picture, and request slot."""

    method: str
    target: str
    source: Source

    @property
    def slot(self) -> str:
        """The slot of its request, independent of the position in the grid."""
        return f"{QUEUE}.{self.method}|{self.target}|{self.source.path}|{self.source.frame}"


def titles(description: Description | None) -> dict[str, str]:
    """Return the methods' names by id."""
    return {offer.id: offer.title for offer in attribution.methods(description)}


def methods(document: Document, description: Description | None) -> tuple[str, ...]:
    """Return the methods compared: the chosen ones, else the usual ones, among those the model offers."""
    ids = [offer.id for offer in attribution.methods(description) if not offer.reason]
    chosen = [name for name in document.maps.methods if name in ids]
    return tuple(chosen or [name for name in USUAL if name in ids] or ids[:1])


def classes(document: Document, description: Description | None) -> tuple[str, ...]:
    """Return the classes compared: the chosen ones, else the picture's best.

    "" is a box's own class, or not known yet.
    """
    known = description.classes if description else ()
    chosen = tuple(word for word in document.maps.classes if label_of(word, known) >= 0)
    return chosen or document.maps.found or ("",)


def pictures(document: Document) -> tuple[Source, ...]:
    """Return the pictures compared: the current one and the following, at the end of the film strip the preceding ones.

    Nothing is compared while a video plays.
    """
    if document.source is None or document.source.moving:
        return ()
    if document.maps.pictures <= 1 or document.frame >= 0:
        return (document.source,)
    still = [source for source in document.sources if not source.moving]
    if document.source not in still:
        return (document.source,)
    count = min(document.maps.pictures, len(still))
    first = min(still.index(document.source), len(still) - count)
    return tuple(still[first : first + count])


def cells(document: Document, description: Description | None) -> list[Cell]:
    """Return the maps compared: picture by picture, class by class, method by method, at most `MOST_CELLS`."""
    return _every(document, description)[:MOST_CELLS]


def left_out(document: Document, description: Description | None) -> int:
    """Return how many chosen maps exceed `MOST_CELLS` and are left out."""
    return max(0, len(_every(document, description)) - MOST_CELLS)


def request(cell: Cell, document: Document, description: Description | None) -> Request | None:
    """Return the request of a cell; for a picture other than the current one, its best box is the target."""
    if cell.source != document.source:
        document = replace(document.with_sources((cell.source,)), maps=document.maps)
    if document.against == cell.target:
        document = document.explaining(against="")
    extra: dict[str, Value] = {"target": cell.target} if cell.target else {}
    return request_plan.explain(cell.method, document, description, extra=extra)


def wanted(document: Document, description: Description | None) -> Mapping[str, Request]:
    """Return the requests of every cell while visible, by slot, ordered so that forward passes are shared.

    While the best classes are not known yet, only they are requested.
    """
    if not document.view.maps or description is None:
        return {}
    asked: dict[str, Request | None] = {BEST_SLOT: best(document, description)}
    if asked[BEST_SLOT] is None or document.maps.classes or document.maps.found:
        asked |= {cell.slot: request(cell, document, description) for cell in cells(document, description)}
    return {slot: one for slot, one in asked.items() if one is not None}


def best(document: Document, description: Description) -> Request | None:
    """Return the request for the picture's best classes; None for a model that does not classify."""
    if CLASSIFY not in description.offers or description.offers[CLASSIFY].reason:
        return None
    return request_plan.ask(CLASSIFY, document, description)


def found(result: Result) -> tuple[str, ...]:
    """Return the best classes of a classification result, in the form in which they are requested."""
    return tuple(word_for(label, result.meta["classes"]) for label in result.arrays["labels"][:BEST].tolist())


def ends(maps: Mapping[Cell, Result], look: Look, *, scale: str) -> dict[Cell, float]:
    """Return the end of each map's scale: the largest percentile of all maps or of its method's, or its own."""
    own = {cell: heatmap.end_of(result.arrays["map"], look) for cell, result in maps.items()}

    def group(cell: Cell) -> object:
        return {"all": "", "method": cell.method}.get(scale, cell)

    largest: dict[object, float] = {}
    for cell, end in own.items():
        largest[group(cell)] = max(end, largest.get(group(cell), 0.0))
    return {cell: largest[group(cell)] for cell in own}


def within(end: float, *, around: bool) -> str:
    """Return a scale's end as text without line breaks."""
    return f"{'±' if around else '≤'}\u00a0{end:.3g}"


@dataclass(frozen=True, eq=False)
class Difference:
    """Map A minus map B (h, w) over their common part of the picture, `extent` in its pixels.

    `unit` says in what unit.
    """

    values: Float
    extent: Rect
    unit: str


def difference(
    a: tuple[Float, Rect, float], b: tuple[Float, Rect, float], *, same: bool, look: Look
) -> Difference | None:
    """Return map A minus map B, each given as values, extent and end of scale; None if they have no common part.

    Both are resampled bilinearly to the finer of their grids, of at most `FINEST` cells a side. Unless both are of the
    `same` method, each is first divided by its own end of scale, because their units differ.
    """
    grid = shared(a[:2], b[:2])
    if grid is None:
        return None
    extent, shape = grid
    first, second = (
        resample(heatmap.shown(values, look), placed, extent, shape) / (1.0 if same else max(end, 1e-30))
        for values, placed, end in (a, b)
    )
    return Difference((first - second).astype(np.float32), extent, "" if same else "shares of each end of scale")


def shared(a: tuple[Float, Rect], b: tuple[Float, Rect]) -> tuple[Rect, tuple[int, int]] | None:
    """Return the common part of two maps, each given as values and extent, and the finer of their grids there.

    The grid has at most `FINEST` cells a side. None if they have no common part.
    """
    x0, y0, x1, y1 = extent = _common(a[1], b[1])
    if x0 >= x1 or y0 >= y1:
        return None
    rows = max(_density(one[0].shape[0], one[1][1], one[1][3]) for one in (a, b)) * (y1 - y0)
    columns = max(_density(one[0].shape[1], one[1][0], one[1][2]) for one in (a, b)) * (x1 - x0)
    return extent, (max(1, min(FINEST, round(rows))), max(1, min(FINEST, round(columns))))


def resample(values: Float, extent: Rect, wanted: Rect, shape: tuple[int, int]) -> Float:
    """Return a map's values on `shape` cells of `wanted`, bilinear between cell centres, constant beyond its border."""
    x0, y0, x1, y1 = extent
    rows = (wanted[1] + (np.arange(shape[0]) + 0.5) / shape[0] * (wanted[3] - wanted[1]) - y0) / (y1 - y0)
    columns = (wanted[0] + (np.arange(shape[1]) + 0.5) / shape[1] * (wanted[2] - wanted[0]) - x0) / (x1 - x0)
    return _along(_along(values, rows * values.shape[0] - 0.5, axis=0), columns * values.shape[1] - 0.5, axis=1)


def _every(document: Document, description: Description | None) -> list[Cell]:
    return [
        Cell(method, target, source)
        for source in pictures(document)
        for target in classes(document, description)
        for method in methods(document, description)
    ]


def _along(values: Float, at: np.ndarray, *, axis: int) -> Float:
    at = at.clip(0, values.shape[axis] - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, values.shape[axis] - 1)
    share = (at - low).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
    return (values.take(low, axis) * (1 - share) + values.take(high, axis) * share).astype(np.float32)


def _density(cells: int, start: float, end: float) -> float:
    return cells / (end - start)


def _common(one: Sequence[float], other: Sequence[float]) -> Rect:
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])
