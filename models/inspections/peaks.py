"""Heat-map detection: the heat maps of a detector, the peaks that become objects, and the cells that these silence.

Arrays of the Result, in pixels of the original image. `heat` (h, w), the map of a class, or the largest of all, over
`meta["extent"]`. For centres, best first: `peaks` (K, 2) the middle of each peak's cell, `centres` (K, 2) with the
offset, `boxes` (K, 4), `scores`, `labels` (K,), `radius_published` and `radius_corrected` (K,) of the Gaussian drawn
around such an object in training, in cells, by both formulas. `killed` (M, 2) are cells above the score that `by`
(M, 2), a larger neighbour, silenced. For corners: `first` (A, 2) and `second` (B, 2), upper left and lower right, with
`first_scores`, `first_labels`, `first_tags` and the same of the second; `pairs` (P, 2) rows of both, boxes first, with
`reasons` (P,) (rows of `meta["reasons"]`, 0 for a box), `distances` (P,) of their embeddings and `pair_scores` (P,);
`boxes`, `scores`, `labels` are those of the pairs that are boxes.

Everything but the heat maps is computed anew from these, so no control runs the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.detection import peaks
from models.detection.gaussian_radius import FORMULAS, gaussian_radius
from models.detection.peaks import HeatMaps, Pairs, Peaks
from models.inspection import Inspection
from models.params import param
from models.types import Float, Int, Pixels, Refusal, Result

CENTRES, CORNERS = "centres", "corners"
WINDOWS = ("1", "3", "5")
MOST_PAIRS = 300
MOST_CORNERS = 100


@dataclass(frozen=True)
class Params:
    """What counts as a peak, how many are taken, and which map is shown."""

    score: float = param(0.3, "Score", "Cells with a higher value can be peaks.")
    window: str = param(
        "3",
        "Peak window",
        "A peak is the largest of so many cells across and down; of equal cells the first. At 1 every cell is one.",
        choices=WINDOWS,
        titles=("1 x 1: none is silenced", "3 x 3", "5 x 5"),
    )
    most: int = param(100, "K", "The best peaks are taken up to this many.", low=1, high=9999, step=1)
    label: int = param(-1, "Class", "The class whose map is shown; -1 is all of them.", low=-1, high=999, step=1)
    what: str = param(
        CENTRES,
        "Peaks of",
        "Centres with offsets and sizes (CenterNet), or corners that are paired by their embeddings (CornerNet).",
        choices=(CENTRES, CORNERS),
        titles=("centres", "pairs of corners"),
    )
    distance: float = param(
        peaks.TAG_DISTANCE,
        "Embedding distance",
        "Two corners belong together only if their embeddings differ by no more.",
        low=0.0,
        high=10.0,
        step=0.05,
        only=("what", CORNERS),
    )


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the peaks of `pixels` (H, W, 3) uint8 RGB. Raises Refusal for corners that the network does not have."""
    maps: HeatMaps = model.heat_maps(pixels, stages)
    stages.progress(None, "peaks")
    classes = model.card.classes
    if params.label >= len(maps.scores):
        raise Refusal(f"There is no class {params.label}.", advice=f"It has {len(maps.scores)} maps, counted from 0.")
    extent = model.preprocess.extent(pixels.shape[1], pixels.shape[0])
    meta: dict[str, Any] = {"extent": extent, "classes": classes, "what": params.what, "label": params.label}
    meta |= {"shape": maps.scores.shape[1:], "reasons": peaks.REASONS, "has_corners": maps.corners is not None}
    if params.what == CENTRES:
        arrays, text = _centres(maps, params)
    elif maps.corners is None:
        raise Refusal(
            f"{model.card.name} gives centres, no corners with embeddings.",
            advice="Set Peaks of to centres. The bundled digits-centernet has both.",
        )
    else:
        arrays, text = _corners(maps, params)
    return Result(arrays, {**meta, "text": text})


def _shown(scores: Float, label: int) -> Float:
    return scores[label] if label >= 0 else scores.max(0)


def _own(scores: Float, label: int) -> Float:
    """Return the maps with nothing in those of other classes, so that rows keep their labels."""
    if label < 0:
        return scores
    alone = np.full_like(scores, -np.inf)
    alone[label] = scores[label]
    return alone


def _centres(maps: HeatMaps, params: Params) -> tuple[dict[str, np.ndarray], str]:
    found = peaks.find(_own(maps.scores, params.label), window=int(params.window), most=params.most, least=params.score)
    sides = maps.sides[found.cell]
    arrays: dict[str, np.ndarray] = {
        "heat": _shown(maps.scores, params.label),
        "peaks": maps.cells[found.cell],
        "centres": maps.centres[found.cell],
        "boxes": maps.boxes[found.cell],
        "scores": found.score,
        "labels": found.label,
        "killed": maps.cells[found.killed],
        "by": maps.cells[found.by],
    }
    for formula in FORMULAS:
        radius = [gaussian_radius(max(w, 0.0), max(h, 0.0), formula=formula) for w, h in sides.tolist()]
        arrays[f"radius_{formula}"] = np.array(radius, np.float32)
    count, lost = len(found.cell), len(found.killed)
    above = int((_own(maps.scores, params.label) > params.score).sum())
    text = f"{count:,} of {above:,} cells above {params.score:.2f} are peaks; {lost:,} were silenced by a neighbour."
    left = above - lost - count
    return arrays, f"{text} K left out {left:,} more." if left > 0 and lost < peaks.MOST_KILLED else text


def _corners(maps: HeatMaps, params: Params) -> tuple[dict[str, np.ndarray], str]:
    assert maps.corners is not None
    kinds = tuple(peaks.Corners(_own(each.scores, params.label), each.points, each.tags) for each in maps.corners)
    limits = {"window": int(params.window), "most": min(params.most, MOST_CORNERS), "least": params.score}
    found = peaks.pair((kinds[0], kinds[1]), distance=params.distance, **limits)
    rows = _listed(found)
    reasons = found.reason[rows[:, 0], rows[:, 1]]
    boxes = rows[reasons == peaks.PAIRED]
    corners = np.concatenate(
        [kinds[0].points[found.first.cell[boxes[:, 0]]], kinds[1].points[found.second.cell[boxes[:, 1]]]], 1
    )
    arrays: dict[str, np.ndarray] = {
        "heat": np.maximum(*(_shown(each.scores, params.label) for each in maps.corners)),
        "pairs": rows,
        "reasons": reasons,
        "distances": found.distance[rows[:, 0], rows[:, 1]],
        "pair_scores": found.score[rows[:, 0], rows[:, 1]],
        "boxes": corners.astype(np.float32),
        "scores": found.score[boxes[:, 0], boxes[:, 1]],
        "labels": found.first.label[boxes[:, 0]],
    }
    for name, own, kind in (("first", found.first, kinds[0]), ("second", found.second, kinds[1])):
        arrays |= _of_kind(name, own, kind)
    counts = [int((found.reason == reason).sum()) for reason in range(len(peaks.REASONS))]
    text = (
        f"{len(found.first.cell):,} upper left and {len(found.second.cell):,} lower right corners make "
        f"{found.reason.size:,} pairs: {counts[0]:,} boxes, {counts[1]:,} of two classes, {counts[2]:,} with "
        f"embeddings too far apart, {counts[3]:,} that do not lie as corners do."
    )
    return arrays, text


def _of_kind(name: str, found: Peaks, kind: peaks.Corners) -> dict[str, np.ndarray]:
    return {
        name: kind.points[found.cell],
        f"{name}_scores": found.score,
        f"{name}_labels": found.label,
        f"{name}_tags": kind.tags[found.cell],
    }


def _listed(found: Pairs) -> Int:
    """Return the rows (P, 2) of pairs to list: boxes first, then the refused ones, each by falling score."""
    first, second = (each.ravel() for each in np.indices(found.reason.shape))
    score, refused = found.score.ravel(), found.reason.ravel() != peaks.PAIRED
    return np.stack([first, second], 1)[np.lexsort((-score, refused))][:MOST_PAIRS].astype(np.int64)


INSPECTION = Inspection(
    id="peaks",
    title="Heat-map detection",
    help="The heat maps of a detector such as CenterNet: peaks, silenced neighbours, offsets and sizes, or corners.",
    needs=("DetectsPeaks",),
    params=Params,
    answer=answer,
)
