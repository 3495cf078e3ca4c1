"""Anchor coverage: how well anchors fit the objects of a whole data set, and what k-means would suggest.

Arrays of the Result: `histogram` (20,) objects by their best anchor's IoU in steps of 0.05; `class_objects` and
`class_covered` (C,) in the order of the ground truth's classes; `size_objects` and `size_covered` (3,) by COCO's areas
in pixels of the original images: below 32², below 96², above. With `suggest`: `shapes` (k, 2) width and height of the
clusters in network pixels, `members` (k,), `suggested_histogram` (20,).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torchvision.models.detection.transform import resize_boxes

from models.detection import anchor_design, anchor_fit, anchor_layout, anchor_match
from models.detection.anchor_design import Design
from models.detection.anchor_layout import Size
from models.inspection import Inspection
from models.params import param
from models.pictures import images
from models.truth import read
from models.truth.types import Truth
from models.types import Float, Int, Refusal, Result, Source

BINS = 20
SIZES = (32**2, 96**2)
SIZE_NAMES = ("small, below 32²", "medium, below 96²", "large")
DESIGN_HELP = "Separate levels by semicolons, numbers by spaces; empty for the model's own."


@dataclass(frozen=True)
class Params:
    """The match IoU (default: the model's own), the anchor design, and whether to suggest another."""

    fg: float = param(0.5, "Foreground IoU", "An object is covered when an anchor overlaps it by this or more.")
    scales: str = param("", "Scales", f"Anchor sizes in network pixels, SSD's as fractions of the input. {DESIGN_HELP}")
    ratios: str = param("", "Ratios", f"Aspect ratios, height over width. {DESIGN_HELP}")
    suggest: bool = param(False, "Suggest", "Find scales and ratios by k-means on the shapes of the objects.")
    k: int = param(0, "Clusters", "How many shapes k-means looks for; 0 is as many as the model has.", high=200, step=1)
    seed: int = param(0, "Seed", "The same seed gives the same suggestion.", high=9999, step=1)


@dataclass(frozen=True)
class Objects:
    """The objects of a data set as the network would see them.

    `boxes` (M, 4) in network pixels, `label` (M,), `area` (M,) in pixels of the original image, `group` (M,) the row of
    their input size in `padded`.
    """

    boxes: Float
    label: Int
    area: Float
    group: Int
    padded: tuple[Size, ...]
    pictures: int
    left_out: int

    @property
    def nbytes(self) -> int:
        """The size of all columns in bytes."""
        return self.boxes.nbytes + self.label.nbytes + self.area.nbytes + self.group.nbytes


def own(model: Any) -> dict[str, float]:
    """Return the foreground threshold of the model's own matcher."""
    if anchor_layout.reason_unmatched(model):
        return {}
    return {"fg": anchor_match.rule_of(anchor_layout.parts(anchor_layout.owner(model))[1]).fg}


def lacks(model: Any) -> dict[str, str]:
    """Return why the inspection does not apply: the model does not match anchors by IoU."""
    if why := anchor_layout.reason_unmatched(model):
        return {"": why}
    if anchor_match.rule_of(anchor_layout.parts(anchor_layout.owner(model))[1]).kind == "centre":
        return {"": f"{model.card.name} assigns by place and scale: the shapes of its anchors play no part."}
    return {}


def answer(model: Any, source: Source, params: Params, stages: Any) -> Result:
    """Return how anchors cover the ground truth at `source`. Raises Refusal if it holds no object."""
    net = anchor_layout.owner(model)
    generator, _ = anchor_layout.parts(net)
    like = anchor_layout.own_design(generator)
    design = anchor_design.parse(like, params.scales, params.ratios)
    truth = read.truth_at(source, progress=stages.progress)
    objects = stages.run("objects", lambda: _objects(truth, net.transform, stages))
    if not len(objects.boxes):
        raise Refusal(f"{truth.name} contains no object to cover.", advice="Open ground truth with boxes.")

    def fit(wanted: Design) -> Float:
        return stages.run("coverage", lambda: _best(net, generator, wanted, objects, stages), wanted)

    best = fit(design)
    covered = best >= params.fg
    size = np.searchsorted(SIZES, objects.area, side="right")
    arrays = {
        "histogram": _histogram(best),
        "class_objects": np.bincount(objects.label, minlength=len(truth.classes)),
        "class_covered": np.bincount(objects.label[covered], minlength=len(truth.classes)),
        "size_objects": np.bincount(size, minlength=3),
        "size_covered": np.bincount(size[covered], minlength=3),
    }
    meta = {
        "objects": len(best),
        "pictures": objects.pictures,
        "left_out": objects.left_out,
        "truth_notes": truth.notes,
        "covered": int(covered.sum()),
        "mean": float(best.mean()),
        "classes": truth.classes,
        "sizes": SIZE_NAMES,
        "fg": params.fg,
        "scales": design.texts[0],
        "ratios": design.texts[1],
    }
    if params.suggest:
        shapes = objects.boxes[:, 2:] - objects.boxes[:, :2]
        count = params.k or sum(like.per_cell)
        report = lambda part: stages.progress(part, "k-means on the objects' shapes")  # noqa: E731
        found = stages.run(
            "clusters", lambda: anchor_fit.cluster(shapes, count, seed=params.seed, report=report), count, params.seed
        )
        wanted = anchor_fit.suggest(found, like, float(min(objects.padded[0])))
        after = fit(wanted)
        arrays |= {"shapes": found.shapes, "members": found.members, "suggested_histogram": _histogram(after)}
        meta |= {
            "suggested_scales": wanted.texts[0],
            "suggested_ratios": wanted.texts[1],
            "suggested_covered": int((after >= params.fg).sum()),
            "suggested_mean": float(after.mean()),
            "clusters_mean": found.mean,
        }
    return Result(arrays, meta)


def _objects(truth: Truth, transform: Any, stages: Any) -> Objects:
    """Return the objects training would use; image sizes missing from the annotations are read from file headers."""
    sizes: dict[Size, int] = {}
    parts: list[tuple[Float, Int, Float, Int]] = []
    left_out = pictures = 0
    for number, picture in enumerate(truth.pictures):
        if number % 200 == 0:
            stages.progress(number / len(truth.pictures), "sizes of the pictures")
        boxes = np.asarray(picture.boxes, np.float32).reshape(-1, 4)
        used = ~picture.crowd & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        original = _size(picture.path, picture.size) if used.any() else None
        resized = anchor_layout.network_size(transform, *original) if original else (0, 0)
        if original is None or min(resized) < 1:
            left_out += len(boxes)
            continue
        pictures, left_out = pictures + 1, left_out + int((~used).sum())
        group = sizes.setdefault(anchor_layout.padded_size(transform, resized), len(sizes))
        boxes = boxes[used]
        scaled = resize_boxes(torch.from_numpy(boxes), list(original), list(resized)).numpy()
        area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        parts.append((scaled, picture.labels[used], area, np.full(len(boxes), group)))
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Objects(np.zeros((0, 4), np.float32), nothing, nothing.astype(np.float32), nothing, (), 0, left_out)
    boxes, label, area, group = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Objects(boxes, label, area, group, tuple(sizes), pictures, left_out)


def _size(path: str, given: tuple[int, int]) -> Size | None:
    """Return (height, width) of a picture, None if it cannot be read."""
    try:
        width, height = given if all(given) else images.size(path)
    except Refusal:
        return None
    return height, width


def _best(net: Any, generator: Any, design: Design, objects: Objects, stages: Any) -> Float:
    """Return each object's highest IoU (M,) with an anchor of the design."""
    made = anchor_layout.generator_of(design, generator)
    best = np.zeros(len(objects.boxes), np.float32)
    for row, (group, padded) in enumerate(_groups(objects)):
        stages.progress(row / len(objects.padded), "IoU of anchors and ground truth")
        cells = anchor_layout.grids(net, padded)
        anchors = anchor_layout.lay_out(made, padded, cells).cpu().numpy()
        best[group] = anchor_fit.best_overlaps(objects.boxes[group], anchors, cells, design.per_cell)
    return best


def _groups(objects: Objects) -> Iterator[tuple[Int, Size]]:
    for row, padded in enumerate(objects.padded):
        yield np.flatnonzero(objects.group == row), padded


def _histogram(best: Float) -> Int:
    return np.bincount((best * BINS).astype(np.int64).clip(0, BINS - 1), minlength=BINS)


INSPECTION = Inspection(
    id="coverage",
    title="Anchor coverage",
    help="How well the anchors fit the objects of a whole data set, and which would fit better.",
    needs=("Detects",),
    params=Params,
    answer=answer,
    reads="folder",
    own=own,
    lacks=lacks,
)
