"""What an opened detector of rows answers in training's terms: labels count from 1, as if 0 were the background."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.detection import decision, instances
from models.detection.decision import Params
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.training.scene import Scene
from models.types import Pixels


class Answers:
    """Calls an opened detector as torchvision's are called; NMS is the adapter's own default."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.score_thresh = float(model.defaults["score"])

    def __call__(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        return [self._one((image.permute(1, 2, 0) * 255).round().byte().numpy()) for image in images]

    def _one(self, pixels: Pixels) -> dict[str, Tensor]:
        params, stages = self._asked(), fresh_stages()
        found = decision.decide(self.model, pixels, params, stages)
        rows = found.shown.rows
        return {
            "boxes": torch.from_numpy(found.shown.drawn),
            "scores": torch.from_numpy(found.shown.scores),
            "labels": torch.from_numpy(found.candidates.label[rows] + 1),
        }

    @torch.inference_mode()
    def masks(self, pixels: Pixels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the masks (K, H, W) of the detections, their scores (K,) and labels (K,), which count from 1."""
        stages = fresh_stages()
        found, shown, _ = instances.shown(self.model, pixels, self._asked(), stages)
        labels = found.label[shown.rows]
        cells = self.model.masks(pixels, shown.boxes, labels, stages)
        masks = np.stack([pasted(m, b, pixels.shape[:2]) for m, b in zip(cells, shown.drawn, strict=True)] or [[]])
        return masks, shown.scores, labels + 1

    def _asked(self) -> Params:
        own = self.model.defaults
        return Params(score=self.score_thresh, iou=own["iou"], max_detections=own["max_detections"])


def pasted(cells: np.ndarray, box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return where the probability in cells (s, s), spread over a box, is above one half, on a picture of `size`."""
    height, width = size
    x = (np.arange(width) + 0.5 - box[0]) / max(float(box[2] - box[0]), 1e-6)
    y = (np.arange(height) + 0.5 - box[1]) / max(float(box[3] - box[1]), 1e-6)
    grid = np.stack(np.meshgrid(2 * x - 1, 2 * y - 1), -1).astype(np.float32)
    values = functional.grid_sample(
        torch.from_numpy(cells)[None, None], torch.from_numpy(grid)[None], padding_mode="border", align_corners=False
    )[0, 0].numpy()
    inside = ((y >= 0) & (y <= 1))[:, None] & ((x >= 0) & (x <= 1))[None]
    return (values > 0.5) & inside


def mask_precision(answers: Answers, scenes: list[Scene], *, floor: float) -> float:
    """Return the mask AP@0.5 over all digits, by faster-coco-eval, on scenes."""
    from faster_coco_eval import COCO, COCOeval_faster, mask

    answers.score_thresh = floor
    truth: dict[str, list[Any]] = {"images": [], "annotations": []}
    truth["categories"] = [{"id": digit + 1, "name": str(digit)} for digit in range(10)]
    found: list[dict[str, Any]] = []

    def coded(shape: np.ndarray) -> dict[str, Any]:
        code = mask.encode(np.asfortranarray(shape.astype(np.uint8)))
        return {**code, "counts": code["counts"].decode() if isinstance(code["counts"], bytes) else code["counts"]}

    for number, scene in enumerate(scenes, 1):
        height, width = scene.image.shape[:2]
        truth["images"].append({"id": number, "width": width, "height": height})
        for shape, digit, box in zip(scene.masks(), scene.digits.tolist(), scene.boxes.tolist(), strict=True):
            row = {"id": len(truth["annotations"]) + 1, "image_id": number, "category_id": digit + 1, "iscrowd": 0}
            sides = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            truth["annotations"].append({**row, "segmentation": coded(shape), "area": int(shape.sum()), "bbox": sides})
        masks, scores, labels = answers.masks(scene.image)
        for shape, score, label in zip(masks, scores.tolist(), labels.tolist(), strict=False):
            found.append({"image_id": number, "category_id": label, "segmentation": coded(shape), "score": score})
    oracle = COCO(truth)
    evaluation = COCOeval_faster(oracle, oracle.loadRes(found), "segm", print_function=lambda *_: None)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(np.asarray(evaluation.stats)[1])


def fresh_stages() -> CachedStages:
    """Return stages of which nothing is known yet."""
    return CachedStages(Cache(), "training", Context())
