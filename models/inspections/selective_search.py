"""Selective search: regions of a picture merged step by step, as proposals that need no network.

Arrays of the Result, boxes in pixels of the original image: `regions` (h, w) the region of each cell while so many are
left, numbered from 0; `boxes` (R, 4) theirs; `proposals` (P, 4) all boxes of the hierarchy, the last merged first;
`likeness` (R - 1, 4) of each merge by colour, texture, size and fill. `counts` (K,) numbers of proposals with `recall`
(K,) and, of a model with an RPN, `rpn_recall` (K,); `truth_boxes` (M, 4).

Meta: `extent`, `superpixels`, `left`, `parts`, `text`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.capabilities import provides
from models.detection import selective_search
from models.detection.selective_search import PARTS, Hierarchy
from models.features.adversarial_training import found_boxes
from models.inspection import Inspection
from models.params import param
from models.truth import read
from models.types import Float, Pixels, Refusal, Result, Source

COUNTS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000)


@dataclass(frozen=True)
class Params:
    """The superpixels, what likeness counts, and how many regions are left."""

    left: int = param(20, "Regions left", "How far the regions are merged.", low=1, high=1000, step=1)
    scale: float = param(150.0, "Scale", "The larger, the larger the superpixels.", low=1.0, high=1000.0, step=1.0)
    sigma: float = param(0.8, "Smoothing", "Of the picture before it is cut.", high=4.0, step=0.1)
    smallest: int = param(40, "Smallest", "The least number of pixels of a superpixel.", low=1, high=2000, step=1)
    colour: bool = param(True, "Colour", "Regions of similar colours merge early.")
    texture: bool = param(True, "Texture", "Regions of similar texture merge early.")
    size: bool = param(True, "Size", "Small regions merge early.")
    fill: bool = param(True, "Fill", "Regions that fill each other's gaps merge early.")
    truth: str = param("", "Ground truth", "Path of a COCO file, or of a Pascal VOC or YOLO folder.")
    least: float = param(0.5, "Reached at", "An object is reached by a box of this IoU.", low=0.1, high=0.95)


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the regions. Raises Refusal where no likeness counts."""
    parts = tuple(part for part in PARTS if getattr(params, part))
    if not parts:
        raise Refusal("No likeness counts.", advice="Switch on colour, texture, size or fill.")
    small = stages.run("reduced picture", lambda: selective_search.reduced(pixels))
    shape = {"scale": params.scale, "sigma": params.sigma, "smallest": params.smallest}
    made = tuple(shape.values())
    labels = stages.run("superpixels of the graph", lambda: selective_search.superpixels(small, **shape), *made)
    tree: Hierarchy = stages.run(
        "merging of regions", lambda: selective_search.merge(labels, small, parts), *made, parts
    )
    left = min(params.left, tree.count)
    of = tree.cut(left)
    numbers, region = np.unique(of, return_inverse=True)
    height, width = labels.shape
    scale = np.array([pixels.shape[1] / width, pixels.shape[0] / height] * 2, np.float32)
    proposals = tree.boxes[tree.proposals()] * scale
    stages.progress(None, "recall of the proposals")
    truth, about = _objects(model, pixels, params.truth, stages)
    counts = np.array([n for n in COUNTS if n < len(proposals)] + [len(proposals)], np.int64)
    arrays = {
        "regions": region[labels].astype(np.int64),
        "boxes": tree.boxes[numbers] * scale,
        "proposals": proposals,
        "likeness": tree.likeness,
        "counts": counts,
        "truth_boxes": truth,
    }
    arrays["recall"] = selective_search.recall(proposals, truth, counts, least=params.least)
    meta: dict[str, Any] = {
        "kind": "selective search",
        "extent": (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0])),
        "superpixels": tree.count,
        "left": left,
        "parts": parts,
        "objects": len(truth),
        "least": params.least,
        "proposes": provides(model, "Proposes") and bool(len(truth)),
    }
    if meta["proposes"]:
        found = model.candidates(pixels, {}, stages)
        order = np.argsort(-found.objectness, kind="stable")
        arrays["rpn_recall"] = selective_search.recall(found.proposals[order], truth, counts, least=params.least)
        meta["rpn_proposals"] = len(order)
    meta["text"] = _words(meta, arrays, about)
    return Result(arrays, meta)


def _objects(model: Any, pixels: Pixels, truth: str, stages: Any) -> tuple[Float, str]:
    """Return the boxes (M, 4) of the objects to be reached, and where they come from."""
    page = read.truth_at(Source.file(truth), progress=stages.progress) if truth else None
    picture = page.of(stages.source.path) if page is not None and stages.source is not None else None
    if page is not None and picture is not None:
        boxes = np.ascontiguousarray(picture.boxes, np.float32).reshape(-1, 4)
        return boxes[~picture.crowd & (boxes[:, 2:] > boxes[:, :2]).all(1)], f"The objects are those of {page.name}."
    if provides(model, "Detects"):
        found, _, _ = found_boxes(model, pixels, stages)
        about = f"No ground truth is open: the model's own {len(found)} detections stand for the objects."
        return np.ascontiguousarray(found, np.float32), about
    return np.zeros((0, 4), np.float32), "Open ground truth to see how many objects are reached."


def _words(meta: dict[str, Any], arrays: dict[str, np.ndarray], about: str) -> str:
    said = [
        f"{meta['superpixels']} superpixels merge into {len(arrays['proposals'])} different boxes; "
        f"{meta['left']} regions are left."
    ]
    said.append(about)
    if meta["objects"]:
        share = float(arrays["recall"][-1])
        said.append(f"All boxes reach {share:.0%} of {meta['objects']} objects at an IoU of {meta['least']:g}.")
    if meta["proposes"]:
        said.append(f"As many proposals of the RPN reach {float(arrays['rpn_recall'][-1]):.0%}.")
    return " ".join(said)


INSPECTION = Inspection(
    id="selective_search",
    title="Selective search",
    help="Superpixels merged greedily into regions: proposals without a network, and how many objects they reach.",
    needs=(),
    params=Params,
    answer=answer,
)
