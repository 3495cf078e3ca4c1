"""Fusion: masks of boxes and classes of pixels become panoptic segments, who won each pixel and why, and PQ.

Candidates are K instances, best first, and the C classes of pixels. Arrays of the Result, on the cells (h, w) of the
network's input over `meta["extent"]`: `labels` the segment of each, 0 for none, 1 to K the instances, from K + 1 the
classes' stuff; `probability` of it, `unknown` where UPSNet's unknown class won. `classes` (S,), the segments present,
the largest first, with their `share` of the cells and `mean` probability. `labels_full` (H, W) are those of the
picture's pixels. Of the candidates: `scores` (K,), `of_class` (K + C,) rows of `meta["classes"]`, `outcome` (K + C,) as
in models/detection/panoptic_fusion.py, `covered` (K,) and `by` (K,). Of the cell asked for: `pixel` (K + C + 1,) what
each of them and the unknown class put into the pile there, by the heuristic the logits of masks and classes; NaN for
those that are no candidates. With ground truth, of the classes `meta["measured"]`: `pq`, `sq`, `rq`, `hits`, `extra`,
`lost`, and `matched` (M, 2) segments found and true with their `iou` (M,). Meta: `names` of segments, `true_names`,
`place`, `rule`, `text`. No control runs the network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from models.cards.card import BACKGROUND
from models.detection import instances, panoptic_fusion, panoptic_quality
from models.detection.classes import pixel_classes
from models.detection.decision import Params as Detections
from models.detection.panoptic_fusion import HEURISTIC, RULES, TAKEN, Candidates, Fused
from models.inspection import Inspection
from models.params import param
from models.subject import Rect
from models.truth import panoptic
from models.types import Float, Int, Pixels, Refusal, Result

MOST = 40  # instances
LEAST = 1e-6


@dataclass(frozen=True)
class Params(Detections):
    """The parameters of detect, the rule, its limits, the ground truth, and the pixel that is explained."""

    rule: str = param(
        HEURISTIC,
        "Fusion",
        "The heuristic pastes instances by their score and fills up with stuff; in UPSNet's head stuff, instances and "
        "an unknown class put a logit into one pile, and the largest wins.",
        choices=RULES,
        titles=("Heuristic", "UPSNet's head"),
    )
    overlap: float = param(
        0.5,
        "Overlap",
        "An instance is left out if better ones have more than this share of its mask.",
        low=0.0,
        high=1.0,
    )
    area: int = param(
        64, "Least stuff", "Stuff of fewer cells of the network's input is left out.", low=0, high=100_000, step=1
    )
    stuff: str = param(
        "",
        "Stuff classes",
        "Names of the classes that are stuff, with commas; empty for the model's own, else those that no box has.",
    )
    truth: str = param("", "Ground truth", "Path of a JSON file in COCO's panoptic format, with its PNG files.")
    x: float = param(-1.0, "Pixel x", "The pixel that is explained; -1 for none.", low=-1.0, high=1e6, step=1)
    y: float = param(-1.0, "Pixel y", "The pixel that is explained; -1 for none.", low=-1.0, high=1e6, step=1)


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the segments of `pixels` (H, W, 3) uint8 RGB. Raises Refusal for truth that does not fit."""
    height, width = pixels.shape[:2]
    extent = model.preprocess.extent(width, height)
    semantic = model.class_maps(pixels, stages)
    if not np.isfinite(semantic).all():
        raise Refusal("The network's output is not a number (NaN or infinite).", advice="Look at its weights.")
    classes = (*pixel_classes(model), *(f"class {i}" for i in range(len(pixel_classes(model)), len(semantic))))
    given = _candidates((model, pixels, params, stages), semantic, classes, extent)
    stages.progress(None, "fusion")
    made = panoptic_fusion.fuse(given, rule=params.rule, score=params.score, overlap=params.overlap, area=params.area)
    count = len(given.scores)
    arrays = {
        "labels": made.map.astype(np.int16),
        "probability": _chances(given, made),
        "unknown": made.unknown,
        "labels_full": _at_pixels(made.map, extent, (height, width)),
        "scores": given.scores,
        "of_class": np.concatenate([given.labels, np.arange(len(semantic))]),
        "outcome": made.outcome,
        "covered": made.covered,
        "by": made.by,
    }
    seen = np.bincount(made.map.ravel(), minlength=count + len(semantic) + 1)
    order = np.argsort(-seen, kind="stable")[: int((seen > 0).sum())]
    total = np.bincount(made.map.ravel(), arrays["probability"].ravel(), minlength=len(seen))
    arrays |= {"classes": order, "share": seen[order] / made.map.size, "mean": total[order] / seen[order]}
    names = (BACKGROUND[1], *(f"{classes[c]} {k}" for k, c in enumerate(given.labels.tolist(), 1)), *classes)
    meta: dict[str, Any] = {"names": names, "classes": classes, "extent": extent, "input": made.map.shape}
    meta |= {"rule": params.rule, "instances": count}
    things = int((made.outcome[:count] == TAKEN).sum())
    text = (
        f"{things} of {count} instances and {int((made.outcome[count:] == TAKEN).sum())} kinds of stuff are segments."
    )
    if (place := _cell((params.x, params.y), made.map.shape, extent)) is not None:
        meta["place"] = place
        arrays["pixel"] = _put(given, made, place, params.rule)
    if params.truth:
        path = stages.source.path if stages.source is not None else ""
        try:
            true = panoptic.of(params.truth, path, (width, height), progress=stages.progress)
        except Refusal as refusal:  # the open ground truth may be of another kind
            text += f" There is no PQ: {refusal}"
        else:
            more, told = _measured(arrays, true, classes)
            arrays |= more
            meta |= told
            text += f" PQ {told['mean_pq']:.3f}, the mean of {len(told['measured'])} classes."
    return Result(arrays, {**meta, "text": text})


def _candidates(
    asked: tuple[Any, Pixels, Params, Any], semantic: Float, classes: tuple[str, ...], extent: Rect
) -> Candidates:
    """Return what is fused: the best boxes above the model's floor with their masks, and the classes of pixels."""
    model, pixels, params, stages = asked
    every = replace(params, score=min(params.score, max(model.floor, 0.05)))
    found, shown, ids = instances.shown(model, pixels, every, stages)
    rows = shown.rows[:MOST]
    labels = found.label[rows]
    more = {"ids": ids[:MOST]} if getattr(model, "masks_by_id", False) else {}
    cells = model.masks(pixels, shown.boxes[:MOST], labels, stages, **more)
    own = tuple(classes).index
    named = [own(model.card.classes[label]) if model.card.classes[label] in classes else -1 for label in labels]
    kept = np.array([row for row, label in enumerate(named) if label >= 0], np.int64)
    boxes = shown.drawn[:MOST][kept]
    masks = pasted(cells[kept], boxes, semantic.shape[1:], extent)
    of = np.array(named, np.int64)[kept]
    return Candidates(semantic, _stuff(model, params, classes, of), masks, shown.scores[:MOST][kept], of)


def _stuff(model: Any, params: Params, classes: tuple[str, ...], things: Int) -> Any:
    """Return which of the classes are stuff. Raises Refusal for a name that is no class."""
    given = [name.strip() for name in params.stuff.split(",") if name.strip()]
    if unknown := [name for name in given if name not in classes]:
        raise Refusal(f"There is no class {unknown[0]}.", advice=f"The classes are {', '.join(classes[:12])}.")
    if own := tuple(given) or tuple(getattr(model, "stuff", ())):
        return np.array([name in own for name in classes])
    return ~np.isin(np.arange(len(classes)), things) & ~np.isin(classes, BACKGROUND)


def pasted(cells: Float, boxes: Float, size: tuple[int, int], extent: Rect) -> Float:
    """Return the logits (K, h, w) of mask probabilities (K, s, s) in boxes (K, 4) of the picture, -inf outside.

    `size` (h, w) are the cells over `extent`; between the cells of a mask its logits are interpolated.
    """
    height, width = size
    made = np.full((len(cells), height, width), -np.inf, np.float32)
    x = extent[0] + (np.arange(width) + 0.5) / width * (extent[2] - extent[0])
    y = extent[1] + (np.arange(height) + 0.5) / height * (extent[3] - extent[1])
    for own, box, mask in zip(made, boxes, cells, strict=True):
        columns, rows = np.flatnonzero((x >= box[0]) & (x <= box[2])), np.flatnonzero((y >= box[1]) & (y <= box[3]))
        if not len(columns) or not len(rows):
            continue
        across = (x[columns] - box[0]) / (box[2] - box[0]) * 2 - 1
        down = (y[rows] - box[1]) / (box[3] - box[1]) * 2 - 1
        grid = torch.from_numpy(np.stack(np.meshgrid(across, down), -1).astype(np.float32))
        logits = torch.from_numpy(np.asarray(mask, np.float32)).clamp(LEAST, 1 - LEAST).logit()
        seen = functional.grid_sample(
            logits[None, None], grid[None], mode="bilinear", padding_mode="border", align_corners=False
        )
        own[np.ix_(rows, columns)] = seen[0, 0].numpy()
    return made


def _chances(given: Candidates, made: Fused) -> Float:
    """Return the probability (h, w) of each cell's segment: of its mask, or of its class among all."""
    shifted = np.exp(given.semantic - given.semantic.max(0))
    chances = shifted / shifted.sum(0)
    whole = np.concatenate([np.zeros((1, *made.map.shape)), 1 / (1 + np.exp(-given.masks)), chances])
    return np.take_along_axis(whole, made.map[None], 0)[0].astype(np.float32)


def _put(given: Candidates, made: Fused, place: tuple[int, int], rule: str) -> Float:
    """Return what each candidate puts into the pile at a cell, NaN for none."""
    row, column = place
    if rule == HEURISTIC:
        values = [*given.masks[:, row, column], *given.semantic[:, row, column], np.nan]
        return np.where(np.isfinite(values), values, np.nan)
    semantic, own, unknown = panoptic_fusion.pile(given)
    stuff = np.where(given.stuff, semantic[:, row, column], np.nan)
    values = np.array([*own[:, row, column], *stuff, unknown[row, column]])
    return np.where(np.isfinite(values), values, np.nan)


def _measured(
    arrays: dict[str, Any], true: panoptic.Segments, classes: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the quality against true segments: arrays and meta."""
    every = tuple(dict.fromkeys((*classes, *true.names)))
    found = np.concatenate([[-1], arrays["of_class"]])
    theirs = np.array([-1, *(every.index(name) for name in true.names)])
    crowd = np.flatnonzero([False, *true.crowd])
    made = panoptic_quality.measure(arrays["labels_full"], found, true.map, theirs, classes=len(every), crowd=crowd)
    known = made.known
    tables = {"pq": made.panoptic, "sq": made.segmentation, "rq": made.recognition}
    tables |= {"hits": made.hits, "extra": made.extra, "lost": made.lost}
    more = {name: np.asarray(table)[known] for name, table in tables.items()}
    more |= {"matched": made.pairs, "iou": made.iou, "wrong": made.wrong, "missed": made.missed}
    mean = float(more["pq"].mean()) if len(known) else 0.0
    return more, {"measured": tuple(every[c] for c in known), "true_names": ("", *true.names), "mean_pq": mean}


def _cell(point: tuple[float, float], shape: tuple[int, int], extent: Rect) -> tuple[int, int] | None:
    """Return row and column of the cell at a point of the picture, None for none."""
    x0, y0, x1, y1 = extent
    column, row = (point[0] - x0) / (x1 - x0) * shape[1], (point[1] - y0) / (y1 - y0) * shape[0]
    inside = min(point) >= 0 and 0 <= row < shape[0] and 0 <= column < shape[1]
    return (int(row), int(column)) if inside else None


def _at_pixels(labels: Int, extent: Rect, size: tuple[int, int]) -> Int:
    """Return the labels (H, W) at the middles of the picture's pixels, of cells over `extent`; 0 beyond them."""
    rows = ((np.arange(size[0]) + 0.5 - extent[1]) / (extent[3] - extent[1]) * labels.shape[0] // 1).astype(np.int64)
    columns = ((np.arange(size[1]) + 0.5 - extent[0]) / (extent[2] - extent[0]) * labels.shape[1] // 1).astype(np.int64)
    inside = ((rows >= 0) & (rows < labels.shape[0]))[:, None] & ((columns >= 0) & (columns < labels.shape[1]))[None]
    at = np.ix_(rows.clip(0, labels.shape[0] - 1), columns.clip(0, labels.shape[1] - 1))
    return np.where(inside, labels[at], 0)


INSPECTION = Inspection(
    id="fusion",
    title="Panoptic fusion",
    help="Masks of boxes and classes of pixels fused to segments, who won each pixel and why, and PQ by ground truth.",
    needs=("Detects", "Segments", "SegmentsPicture"),
    params=Params,
    answer=answer,
)
