"""Augmentation: what training makes of a picture, with the boxes that result and the share of each that is left.

Arrays of the Result: `before` and `after` (H, W, 3) uint8; of the N boxes after it `boxes` (N, 4) in pixels of `after`,
`labels`, `share` (N,) of each that is in sight, `weight` (N,) in the loss, `origin` (N,) 0 for this picture, and
`flagged` (N,) where less than 0.3 is left; `given` (M, 4) and `given_labels` (M,) the boxes before. `where` (K, 5) are
the rectangles of the pictures. Of self-adversarial training also `difference` (H, W, 3), 20 times as large around grey,
and `lost` (M,) of the boxes that the model found before.

Meta: `kind` of augmentation as `method`, `dropped`, `mixed`, `others` the files used, `text`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.capabilities import provides
from models.detection import augmentation, training_losses
from models.detection.augmentation import Labelled, Varied
from models.features import adversarial_training, passes_of_a_folder
from models.features.adversarial_training import Uncached
from models.inspection import Inspection
from models.params import param
from models.pictures import images
from models.truth import read
from models.truth.types import Truth
from models.types import Pixels, Refusal, Result, Source

METHODS = ("mosaic", "cutmix", "mixup", "flip", "vertical_flip", "colour", "crop", "adversarial")
TITLES = ("Mosaic", "CutMix", "MixUp", "Mirrored", "Upside down", "Colours", "Random part", "Self-adversarial")
FLAGGED = 0.3
SIDE_PX = 512
TIMES = 20


@dataclass(frozen=True)
class Params:
    """The augmentation, its strength, and where the ground truth and the other pictures come from."""

    method: str = param("mosaic", "Augmentation", "What is done to the picture.", choices=METHODS, titles=TITLES)
    seed: int = param(0, "Seed", "The random draw; another seed gives another variation.", low=0, high=10**6, step=1)
    strength: float = param(
        0.5,
        "Strength",
        "How far colours may change.",
        high=1.0,
        only=("method", "colour"),
    )
    smallest: float = param(
        0.3, "Smallest part", "The least share of the picture that is kept.", low=0.02, only=("method", "crop")
    )
    alpha: float = param(
        1.0,
        "Alpha",
        "Of the beta distribution from which the shares of the two pictures are drawn.",
        low=0.05,
        high=8.0,
        step=0.05,
        only=("method", "cutmix", "mixup"),
    )
    middle: bool = param(
        True, "Middle only", "Keep the middle of the mosaic, at half its side.", only=("method", "mosaic")
    )
    epsilon: float = param(
        4.0,
        "Epsilon",
        "How far each value of the picture moves.",
        high=32.0,
        step=0.5,
        unit="of 255",
        only=("method", "adversarial"),
    )
    truth: str = param("", "Ground truth", "Path of a COCO file, or of a Pascal VOC or YOLO folder.")
    folder: str = param("", "Folder", "Where the other pictures come from; empty is the ground truth, or the folder.")


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the varied picture. Raises Refusal if a model is asked to be fooled that has no known gradient."""
    stages.progress(None, "ground truth")
    page = read.truth_at(Source.file(params.truth), progress=stages.progress) if params.truth else None
    names = list(page.classes) if page is not None else list(model.card.classes)
    given = Labelled(pixels, *_boxes(page, stages.source, pixels))
    if page is None and provides(model, "Detects"):
        given = Labelled(pixels, *adversarial_training.found_boxes(model, pixels, stages)[:2])
    if params.method == "adversarial":
        return _adversarial(model, given, params, page, stages)
    number = {"mosaic": 3, "cutmix": 1, "mixup": 1}.get(params.method, 0)
    others = _others(model, params, page, stages, number)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)
        found = stages.time("augmentation", lambda: _varied(given, others, params))
    meta = {
        "kind": "augmentation",
        "method": params.method,
        "classes": tuple(names),
        "dropped": len(found.dropped),
        "mixed": found.mixed,
        "others": tuple(path.name for path, _ in others),
        "asked": number,
    }
    arrays = {
        "before": pixels,
        "after": found.pixels,
        "boxes": found.boxes,
        "labels": found.labels,
        "share": found.share,
        "weight": found.weight,
        "origin": found.origin,
        "flagged": found.share < FLAGGED,
        "given": given.boxes,
        "given_labels": given.labels,
        "where": found.where,
    }
    meta["text"] = _words(meta, arrays, page is not None, provides(model, "Detects"))
    return Result(arrays, meta)


def _boxes(page: Truth | None, source: Source | None, pixels: Pixels) -> tuple[np.ndarray, np.ndarray]:
    """Return the boxes and labels of a picture in the ground truth, crowds and empty boxes left out."""
    picture = page.of(source.path) if page is not None and source is not None else None
    if picture is None:
        return np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    height, width = pixels.shape[:2]
    boxes = np.ascontiguousarray(picture.boxes, np.float32).reshape(-1, 4).clip(0, [width, height, width, height])
    used = ~picture.crowd & (boxes[:, 2:] > boxes[:, :2]).all(1)
    return boxes[used], picture.labels[used].astype(np.int64)


def _others(model: Any, params: Params, page: Truth | None, stages: Any, number: int) -> list[tuple[Path, Labelled]]:
    """Return up to `number` other pictures with their boxes, drawn by the seed."""
    if not number:
        return []
    opened = Path(stages.source.path).absolute() if stages.source is not None else None
    paths: list[Path] = []
    if page is not None and not params.folder:
        paths = [Path(each.path) for each in page.pictures if Path(each.path) != opened and Path(each.path).is_file()]
    if not paths:
        paths = list(passes_of_a_folder.listed(params.folder, stages.source, most=1000).paths)
    order = np.random.default_rng(params.seed).permutation(len(paths))
    found: list[tuple[Path, Labelled]] = []
    for row in order.tolist():
        if len(found) == number:
            break
        stages.progress(len(found) / number, "other pictures")
        try:
            pixels = images.read(paths[row]).pixels
        except Refusal:
            continue
        source = Source.file(paths[row])
        boxes = _boxes(page, source, pixels)
        if page is None and provides(model, "Detects"):
            boxes = stages.run("boxes of another picture", lambda p=pixels: _detected(model, p, stages), source)
        found.append((paths[row], Labelled(pixels, *boxes)))
    return found


def _detected(model: Any, pixels: Pixels, stages: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return what the model finds in another picture."""
    boxes, labels, _ = adversarial_training.found_boxes(model, pixels, Uncached(stages.progress))
    return boxes, labels


def _varied(given: Labelled, others: list[tuple[Path, Labelled]], params: Params) -> Varied:
    more = [each for _, each in others]
    match params.method:
        case "mosaic":
            side = min(SIDE_PX, max(given.pixels.shape[:2]))
            low, high = side // 2, side * 3 // 2
            x, y = torch.randint(low, high + 1, (2,)).tolist()
            four = [given, *more]
            four += [given] * (4 - len(four))
            order = torch.randperm(4).tolist()
            made = augmentation.mosaic([four[row] for row in order], side, (x, y), crop=params.middle)
            origin = np.array(order)[made.origin] if len(made.origin) else made.origin
            return Varied(**{**vars(made), "origin": np.where(origin > len(more), 0, origin)})
        case "cutmix":
            return augmentation.cutmix(given, _second(more, given), params.alpha)
        case "mixup":
            return augmentation.mixup(given, _second(more, given), params.alpha)
        case "colour":
            return augmentation.coloured(given, params.strength)
        case "crop":
            return augmentation.cropped(given, params.smallest)
        case _:
            return augmentation.flipped(given, vertical=params.method == "vertical_flip")


def _second(more: list[Labelled], given: Labelled) -> Labelled:
    """Return the other picture; where there is none, this one mirrored."""
    if more:
        return more[0]
    mirrored = augmentation.flipped(given)
    return Labelled(mirrored.pixels, mirrored.boxes, mirrored.labels)


def _adversarial(model: Any, given: Labelled, params: Params, page: Truth | None, stages: Any) -> Result:
    net = getattr(model, "net", None)
    if training_losses.reason_without(net):
        raise Refusal(
            f"{model.card.name} is none of torchvision's detectors, so the step that hides its objects is not known.",
            advice="Choose another augmentation.",
        )
    pixels = given.pixels
    slope = stages.run("slope of the picture", lambda: adversarial_training.slope(net, pixels).cpu())
    before = adversarial_training.found_boxes(model, pixels, stages)
    changed = augmentation.against(pixels, slope, params.epsilon)

    def look() -> Any:
        return adversarial_training.found_boxes(model, changed, Uncached(stages.progress))

    after = stages.run("boxes of the changed picture", look, params.epsilon)
    gone = adversarial_training.lost(before, after)
    difference = (changed.astype(np.int64) - pixels) * TIMES + 128
    arrays = {
        "before": pixels,
        "after": changed,
        "boxes": after[0],
        "labels": after[1].astype(np.int64),
        "share": np.ones(len(after[0]), np.float32),
        "weight": np.ones(len(after[0]), np.float32),
        "origin": np.zeros(len(after[0]), np.int64),
        "flagged": np.zeros(len(after[0]), bool),
        "given": before[0],
        "given_labels": before[1].astype(np.int64),
        "where": np.zeros((0, 5), np.float32),
        "difference": difference.clip(0, 255).astype(np.uint8),
        "lost": gone,
    }
    meta = {
        "kind": "augmentation",
        "method": params.method,
        "classes": model.card.classes,
        "dropped": 0,
        "mixed": 1.0,
        "others": (),
        "asked": 0,
        "epsilon": params.epsilon,
    }
    said = [
        f"Each value moves by at most {params.epsilon:g} of 255 against the slope of the detector's objects: "
        f"{int(gone.sum())} of {len(gone)} boxes are lost."
    ]
    if page is not None:
        said.append(f"Training then goes on with this picture and its {len(given.boxes)} true boxes.")
    else:
        said.append("Training then goes on with this picture and its true boxes.")
    meta["text"] = " ".join(said)
    return Result(arrays, meta)


def _words(meta: dict[str, Any], arrays: dict[str, np.ndarray], annotated: bool, detects: bool) -> str:
    said, count = [], len(arrays["boxes"])
    if meta["asked"] > len(meta["others"]):
        said.append("There are too few other pictures, so this one stands in for them.")
    if meta["method"] == "cutmix":
        said.append(f"{meta['mixed']:.0%} of the picture is left, counted after the rectangle was clipped.")
    if meta["method"] == "mixup":
        said.append(f"The picture counts {meta['mixed']:.0%}, the other one the rest.")
    if meta["method"] in ("cutmix", "mixup"):
        said.append("Both are defined for classes; what becomes of boxes is a convention.")
    if not annotated and detects:
        said.append("No ground truth is open: the model's own detections stand for the boxes.")
    elif not annotated:
        said.append("Open ground truth to see what becomes of the boxes.")
        return " ".join(said)
    low = int(arrays["flagged"].sum())
    said.append(f"{count} boxes are learnt, {meta['dropped']} are dropped, less than a tenth in sight or slivers.")
    if low:
        said.append(f"Of {low} less than 30 % is left: their label may name something that cannot be seen.")
    return " ".join(said)


INSPECTION = Inspection(
    id="augmentation",
    title="Augmentation",
    help="Mosaic, CutMix, MixUp, flips, colours, crops and self-adversarial training, with what is left of each box.",
    needs=(),
    params=Params,
    answer=answer,
)
