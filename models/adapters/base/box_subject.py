"""What attributions look into of a detector: the scores and the coordinates of one box, held in its place.

The proposal, or the anchor, that a box comes from is held fixed while the picture changes: there is one number to
explain, and suppression, which is no function of the picture that has a gradient, plays no part.
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
    """Return the anchor row and label of a box id; of -1 the best candidate's; of a drawn region the nearest anchor's.

    A region has no label of its own: -1. Raises Refusal where there is no such box, or none at all.
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
    """Return the subject of a box. `held(features)` takes the backbone's maps to the class logits (N, C) of the box and
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
    """Return a region (1, 4) of the original picture in network pixels."""
    scale = torch.tensor([seen.size[1] / seen.original[1], seen.size[0] / seen.original[0]] * 2)
    return (torch.tensor([region]) * scale).float()
