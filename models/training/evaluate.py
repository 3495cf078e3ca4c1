"""Measure a bundled detector and write its card. Run: python -m models.training.evaluate --help."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from models.bundled import cells, centernet, digits
from models.cards.card import Card
from models.engine import registry
from models.loading import architectures, weights
from models.loading.preprocess import Preprocess
from models.training.answers import Answers, mask_precision
from models.training.cells import photographs
from models.training.scene import Glyphs, Scene, mnist, scenes, sklearn_digits
from models.training.store import save_card

SCORE_FLOOR = 0.01
SEEDS = (2024, 2025)
Picture = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Kind:
    """An architecture's entries in its card, besides its metrics."""

    title: str
    classes: tuple[str, ...]
    preprocessing: dict[str, Any]
    training_data: str


def _digits(title: str) -> Kind:
    preprocessing = {"size_px": digits.SIZE_PX, "mean": digits.MEAN, "std": digits.STD, "colour": "RGB in 0..1"}
    data = "Scenes composed from MNIST's 60,000 training digits (models/training/scene.py)"
    return Kind(title, digits.CLASSES, preprocessing, data)


def _rows(title: str) -> Kind:
    preprocess = Preprocess(resize=digits.SIZE_PX, crop=digits.SIZE_PX, mean=digits.MEAN, std=digits.STD, fit="stretch")
    return Kind(title, centernet.CLASSES, preprocess.about, _digits("").training_data)


KINDS = {
    "digits_centernet": _rows("Handwritten digits as peaks of heat maps (CenterNet, with CornerNet's corners)"),
    "digits_yolo": _rows("Handwritten digits with masks, one tensor (YOLO with CSP, SPP, PAN and prototypes)"),
    "digits_ssd": _digits("Handwritten digits, one stage (SSD on a small pyramid)"),
    "digits_faster_rcnn": _digits("Handwritten digits, two stages (Faster R-CNN on a small pyramid)"),
    "cells_faster_rcnn": Kind(
        "Blood cells under the microscope, two stages (Faster R-CNN on a small pyramid)",
        cells.CLASSES,
        {"size_px": [cells.SHORT_PX, cells.LONG_PX], "mean": cells.MEAN, "std": cells.STD, "colour": "RGB in 0..1"},
        "The 292 photographs of BCCD's train and val splits (MIT licence), varied (models/training/cells.py)",
    ),
}


def average_precision(
    net: Any, pictures: Sequence[Picture], classes: Sequence[str], *, each: bool = False
) -> dict[str, float]:
    """Return mAP@[.5:.95], mAP@0.5 and mAP@0.75 of a torchvision detector, by faster-coco-eval.

    With `each`, AP@0.5 of each class is included. A picture is (H, W, 3) RGB uint8, boxes (N, 4) xyxy in its pixels,
    and labels (N,) rows of `classes` (0: background). The detector's own score threshold is lowered to 0.01 during the
    measurement, because precision is averaged over every recall.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    heads: Any = getattr(net, "roi_heads", net)
    before, heads.score_thresh = heads.score_thresh, SCORE_FLOOR
    truth: dict[str, list[Any]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": i, "name": n} for i, n in enumerate(classes) if i],
    }
    found: list[dict[str, Any]] = []
    for number, (pixels, boxes, labels) in enumerate(tqdm(pictures, mininterval=10), 1):
        height, width = pixels.shape[:2]
        truth["images"].append({"id": number, "width": width, "height": height})
        for (x0, y0, x1, y1), label in zip(boxes.tolist(), labels.tolist(), strict=True):
            box = [x0, y0, x1 - x0, y1 - y0]
            row = {"id": len(truth["annotations"]) + 1, "image_id": number, "category_id": label}
            truth["annotations"].append({**row, "bbox": box, "area": box[2] * box[3], "iscrowd": 0})
        image = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
        with torch.inference_mode():
            answer = net([image])[0]
        for (x0, y0, x1, y1), score, label in zip(
            answer["boxes"].tolist(), answer["scores"].tolist(), answer["labels"].tolist(), strict=True
        ):
            box = [x0, y0, x1 - x0, y1 - y0]
            found.append({"image_id": number, "category_id": label, "bbox": box, "score": score})
    heads.score_thresh = before
    oracle = COCO(truth)
    evaluation = COCOeval_faster(oracle, oracle.loadRes(found), "bbox", print_function=lambda *_: None)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    stats = np.asarray(evaluation.stats)
    figures = {"mAP@[.5:.95]": float(stats[0]), "mAP@0.5": float(stats[1]), "mAP@0.75": float(stats[2])}
    if each:
        precision = np.asarray(evaluation.eval["precision"])[0, :, :, 0, -1]
        figures |= {f"AP@0.5 {name}": float(precision[:, i].mean()) for i, name in enumerate(classes[1:])}
    return figures


def of_scenes(found: Sequence[Scene]) -> list[Picture]:
    """Convert composed scenes to pictures for the measurement."""
    return [(scene.image, scene.boxes, scene.digits + 1) for scene in found]


def _measured(options: argparse.Namespace) -> dict[str, list[Picture]]:
    """Return the test pictures of an architecture, by the name the card uses for them."""
    if options.architecture == "cells_faster_rcnn":
        found = photographs(options.data, splits=("test",))
        return {f"{len(found)} photographs of BCCD's test split": [(p.image, p.boxes, p.labels) for p in found]}
    count = options.count
    return {
        f"{count} scenes of {name}": of_scenes(scenes(ink, count, seed=seed))
        for (name, ink), seed in zip(_sources(options), SEEDS, strict=True)
    }


def _sources(options: argparse.Namespace) -> tuple[tuple[str, Glyphs], ...]:
    """Return the digits that scenes are composed of, by the name the card uses for them."""
    return (
        (f"MNIST test digits, seed {SEEDS[0]}", mnist(options.data, split="test")),
        (f"scikit-learn digits, seed {SEEDS[1]}", sklearn_digits()),
    )


def main() -> None:
    """Measure, and write the card beside the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with mnist.npz or bccd.zip")
    parser.add_argument("--architecture", choices=sorted(KINDS), required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--count", type=int, default=500, help="scenes of each source of digits")
    parser.add_argument("--training", default="", help="what to say of the training on the card")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    kind = KINDS[options.architecture]
    net = architectures.build(options.architecture, classes=len(kind.classes))
    state = weights.read(options.weights)
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    net.eval()
    each = options.architecture == "cells_faster_rcnn"
    called: Any = net
    if kind.classes == centernet.CLASSES:  # of an opened model, without a background
        called = Answers(registry.adapt(net, Card(options.architecture, classes=kind.classes)))
    names = ("__background__", *kind.classes) if called is not net else kind.classes
    figures = {
        name: {k: round(v, 4) for k, v in average_precision(called, pictures, names, each=each).items()}
        for name, pictures in _measured(options).items()
    }
    if options.architecture == "digits_yolo":
        for (name, ink), seed in zip(_sources(options), SEEDS, strict=True):
            found = mask_precision(called, scenes(ink, options.count, seed=seed), floor=SCORE_FLOOR)
            figures[f"{options.count} scenes of {name}"]["mask AP@0.5"] = round(found, 4)
    print(figures)
    save_card(
        options.weights,
        {
            "name": options.architecture.replace("_", "-"),
            "title": kind.title,
            "task": "detection",
            "architecture": options.architecture,
            "classes": list(kind.classes),
            "preprocessing": kind.preprocessing,
            "training_data": kind.training_data,
            "training": options.training,
            "figures": figures,
            "licence": "MIT",
        },
    )


if __name__ == "__main__":
    main()
