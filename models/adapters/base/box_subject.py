"""What attributions explain in a detector: the scores and coordinates of one box from a fixed origin.

The proposal or anchor that a box comes from stays fixed while the image changes, so there is a single function to
explain. Suppression, which has no gradient, is left out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.adapters.base.detector import Front, front
from models.detection.iou import iou
from models.subject import Rect, Subject
from models.types import Candidates, Float, Pixels, Refusal

Scorer = Callable[[OrderedDict[str, Tensor]], tuple[Tensor, Tensor]]


def chosen(model: Any, pixels: Pixels, stages: Any, *, box: int, region: Rect | None) -> tuple[int, int]:
    """Return the anchor row and label: of a box id; for -1 of the best candidate; for a region of the nearest anchor.

    A region has no label, so its label is -1. Raises Refusal for an unknown box, or if nothing was found.
    """
    classes = len(model.card.classes)
    if region is not None:
        boxes: Float = model.evidence(pixels, {}, stages).origins.boxes
        return int(np.nanargmax(iou(boxes, np.array(region, np.float32)[None]))), -1
    found: Candidates = model.candidates(pixels, {}, stages)
    if box < 0:
        if not len(found):
            raise Refusal(
                "Nothing was found in this picture, so there is no box to explain.",
                advice="Hold Shift and drag a rectangle around an object to ask why it was missed.",
            )
        best = int(found.score.argmax())
        return int(found.anchor[best]), int(found.label[best])
    anchor, label = divmod(box, classes)
    if anchor >= len(model.evidence(pixels, {}, stages).origins.boxes):
        raise Refusal(f"There is no box {box} in this picture.", advice="Click a detection to choose it.")
    return anchor, label


def subject(
    model: Any, pixels: Pixels, stages: Any, held: Scorer, *, key: Hashable, label: int, about: str, link: Any
) -> Subject:
    """Return the subject of a box. `held(features)` maps the backbone's outputs to the box's class logits (N, C) and
    its coordinates (N, 4) in network pixels.
    """
    seen: Front = front(model.net, pixels, stages)
    width, height = pixels.shape[1], pixels.shape[0]
    padded_h, padded_w = (int(v) for v in seen.images.tensors.shape[-2:])
    scale = (width / seen.size[1], height / seen.size[0])

    def scores(x: Tensor) -> Tensor:
        output: Any = model.net.backbone(x)
        maps = OrderedDict(output if isinstance(output, dict) else {"0": output})
        logits, boxes = held(maps)
        return torch.cat([logits, boxes * boxes.new_tensor([*scale, *scale])], 1)

    transform, device = model.net.transform, seen.images.tensors.device
    mean, std = (torch.tensor(v, device=device) for v in (transform.image_mean, transform.image_std))
    with torch.inference_mode(False):
        return Subject(
            net=model.net,
            input=seen.images.tensors.clone(),
            scores=scores,
            classes=model.card.classes,
            extent=(0.0, 0.0, padded_w * scale[0], padded_h * scale[1]),
            black=(-mean / std).view(1, 3, 1, 1),
            link=link,
            body="backbone",
            key=key,
            about=about,
            label=label,
        )


def network_region(seen: Front, region: Rect) -> Tensor:
    """Convert a region in pixels of the original image to network pixels (1, 4)."""
    scale = torch.tensor([seen.size[1] / seen.original[1], seen.size[0] / seen.original[0]] * 2)
    return (torch.tensor([region]) * scale).float()
