"""Measure a digit detector on seeded scenes and write its card. Run: python -m models.training.evaluate --help."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from models import architectures, weights
from models.networks.digits import CLASSES, MEAN, SIZE_PX, STD
from models.training.scene import Scene, mnist, scenes, sklearn_digits
from models.training.store import save_card

SCORE_FLOOR = 0.01
TITLES = {
    "digits_ssd": "Handwritten digits, one stage (SSD on a small pyramid)",
    "digits_faster_rcnn": "Handwritten digits, two stages (Faster R-CNN on a small pyramid)",
}


def average_precision(net: torch.nn.Module, pictures: Sequence[Scene]) -> dict[str, float]:
    """Return mAP@[.5:.95], mAP@0.5 and mAP@0.75 of a torchvision detector, by faster-coco-eval.

    Its own score threshold is lowered to 0.01 meanwhile, as precision is averaged over every recall.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    heads: Any = getattr(net, "roi_heads", net)
    before, heads.score_thresh = heads.score_thresh, SCORE_FLOOR
    truth: dict[str, list[Any]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": i, "name": n} for i, n in enumerate(CLASSES) if i],
    }
    found: list[dict[str, Any]] = []
    for number, scene in enumerate(tqdm(pictures, mininterval=10), 1):
        height, width = scene.image.shape[:2]
        truth["images"].append({"id": number, "width": width, "height": height})
        for (x0, y0, x1, y1), digit in zip(scene.boxes.tolist(), scene.digits.tolist(), strict=True):
            box = [x0, y0, x1 - x0, y1 - y0]
            area = box[2] * box[3]
            row = {"id": len(truth["annotations"]) + 1, "image_id": number, "category_id": digit + 1}
            truth["annotations"].append({**row, "bbox": box, "area": area, "iscrowd": 0})
        image = torch.from_numpy(scene.image).permute(2, 0, 1).float() / 255
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
    return {"mAP@[.5:.95]": float(stats[0]), "mAP@0.5": float(stats[1]), "mAP@0.75": float(stats[2])}


def main() -> None:
    """Measure on MNIST's test digits and on scikit-learn's, and write the card beside the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with mnist.npz")
    parser.add_argument("--architecture", choices=sorted(TITLES), required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--count", type=int, default=500, help="scenes of each source")
    parser.add_argument("--training", default="", help="what to say of the training on the card")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    net = architectures.build(options.architecture, classes=len(CLASSES))
    net.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in weights.read(options.weights).items()}
    )
    net.eval()
    figures = {
        name: {k: round(v, 4) for k, v in average_precision(net, scenes(glyphs, options.count, seed=seed)).items()}
        for name, glyphs, seed in (
            (f"{options.count} scenes of MNIST test digits, seed 2024", mnist(options.data, split="test"), 2024),
            (f"{options.count} scenes of scikit-learn digits, seed 2025", sklearn_digits(), 2025),
        )
    }
    print(figures)
    save_card(
        options.weights,
        {
            "name": options.architecture.replace("_", "-"),
            "title": TITLES[options.architecture],
            "task": "detection",
            "architecture": options.architecture,
            "classes": list(CLASSES),
            "preprocessing": {"size_px": SIZE_PX, "mean": MEAN, "std": STD, "colour": "RGB in 0..1"},
            "training_data": "Scenes composed from MNIST's 60,000 training digits (models/training/scene.py)",
            "training": options.training,
            "figures": figures,
            "licence": "MIT",
        },
    )


if __name__ == "__main__":
    main()
