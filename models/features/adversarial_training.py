"""Self-adversarial training's first half: the step on the picture that makes a detector see nothing there.

Bochkovskiy et al. 2020 (YOLOv4). The network is not changed; the slope is that of the cross-entropy of every anchor and
proposal with background, down to the picture's own pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.models.detection.ssd import SSD
from torchvision.ops import batched_nms

from models.detection.iou import iou
from models.types import Float, Int, Pixels

T = TypeVar("T")
SAME = 0.5


class Uncached:
    """Stages that keep nothing, for a picture that exists for one question only."""

    def __init__(self, progress: Callable[[float | None, str], None]) -> None:
        self.progress = progress

    def run(self, name: str, make: Callable[[], T], *key: object) -> T:
        """Compute a stage."""
        self.progress(None, name)
        return make()

    def time(self, name: str, make: Callable[[], T]) -> T:
        """Compute a value."""
        return make()


def slope(net: Any, pixels: Pixels) -> Tensor:
    """Return the gradient (3, H, W) of "there is an object" by the picture's values: against it objects vanish."""
    device = next(net.parameters()).device
    with torch.inference_mode(False), torch.enable_grad():
        image = torch.tensor(pixels.copy(), device=device).permute(2, 0, 1).float() / 255
        image.requires_grad_(True)
        loss = emptiness(net, image)
        (found,) = torch.autograd.grad(loss, image)
    return found


def emptiness(net: Any, image: Tensor) -> Tensor:
    """Return the sum of the losses with which every anchor (and proposal) of an image (3, H, W) is background."""
    images, _ = net.transform([image])
    output = net.backbone(images.tensors)
    maps = output if isinstance(output, dict) else {"0": output}
    two_stage = issubclass(type(net), FasterRCNN)
    softmax = issubclass(type(net), SSD)
    if not two_stage:
        head: Any = net.head
        logits = head(list(maps.values()))["cls_logits"][0]
        if softmax:
            return functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long), reduction="sum")
        return functional.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits), reduction="sum")
    objectness, deltas = net.rpn.head(list(maps.values()))
    scores, _ = concat_box_prediction_layers(objectness, deltas)
    first = functional.binary_cross_entropy_with_logits(scores, torch.zeros_like(scores), reduction="sum")
    with torch.no_grad():
        proposals, _ = net.rpn(images, {name: value.detach() for name, value in maps.items()})
    heads: Any = net.roi_heads
    logits, _ = heads.box_predictor(heads.box_head(heads.box_roi_pool(maps, proposals, images.image_sizes)))
    return first + functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long), reduction="sum")


def found_boxes(model: Any, pixels: Pixels, stages: Any) -> tuple[Float, Int, Float]:
    """Return boxes (N, 4) in pixels of the picture, labels and scores at the model's own thresholds."""
    found = model.candidates(pixels, {}, stages)
    own = model.defaults
    sure = np.flatnonzero(found.score >= float(own["score"]))
    boxes, scores, labels = (torch.from_numpy(a[sure]) for a in (found.boxes, found.score, found.label))
    kept = batched_nms(boxes, scores, labels, float(own["iou"])).numpy()[: int(own["max_detections"])]
    rows = sure[kept]
    return found.drawn[rows], found.label[rows], found.score[rows]


def lost(before: tuple[Float, Int, Float], after: tuple[Float, Int, Float]) -> np.ndarray:
    """Return which boxes (N,) of the first answer have none of their class at an IoU of 0.5 in the second."""
    boxes, labels, _ = before
    others, names, _ = after
    if not len(others) or not len(boxes):
        return np.ones(len(boxes), bool)
    same = (iou(boxes[:, None], others) >= SAME) & (labels[:, None] == names)
    return ~same.any(1)
