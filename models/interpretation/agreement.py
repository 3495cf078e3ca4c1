"""How well boxes agree with each other where a network is sure: cells that see one object should give one box.

Decoded rightly, the rows around an object overlap nearly wholly; decoded wrongly, they lie apart or away from their
cells. That tells box codes apart without any ground truth.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import box_iou

ROWS, OBJECTS = 100, 4
LEAST_SHARE = 0.3


def agreement(boxes: Tensor, scores: Tensor, centres: Tensor, strides: Tensor, size: tuple[int, int]) -> float:
    """Return from 0 to 1 how well boxes (R, 4) agree, best rows by scores (R, C) first.

    `centres` (R, 2) and `strides` (R,) are those of the rows' cells in px of an input of `size` (h, w). It is the mean
    IoU of the boxes of neighbouring rows of one class, over the objects that the network is surest of, times the share
    of boxes that hold their own cell and lie in the picture.
    """
    best, label = scores.max(1)
    best = torch.where(boxes.isfinite().all(1), best, best.new_tensor(-1.0))
    value, order = best.topk(min(ROWS, len(best)))
    order = order[value >= LEAST_SHARE * value[0]]
    found: list[float] = []
    for _ in range(OBJECTS):
        if not len(order):
            break
        first = order[0]
        near = (centres[order] - centres[first]).abs().amax(1) <= 2 * torch.maximum(strides[order], strides[first])
        group = order[near & (label[order] == label[first])]
        found.append(_group(boxes[group], centres[group], size))
        order = order[~near]
    return sum(found) / len(found) if found else 0.0


def _group(boxes: Tensor, centres: Tensor, size: tuple[int, int]) -> float:
    width, height = (boxes[:, 2:] - boxes[:, :2]).unbind(1)
    frame = boxes.new_tensor([0, 0, size[1], size[0]])
    inside = torch.cat([boxes[:, :2].maximum(frame[:2]), boxes[:, 2:].minimum(frame[2:])], 1)
    area = (width * height).clamp_min(1e-6)
    left = (inside[:, 2:] - inside[:, :2]).clamp_min(0).prod(1) / area
    holds = ((centres >= boxes[:, :2]) & (centres <= boxes[:, 2:])).all(1)
    sound = (width > 1) & (height > 1) & (left > 0.5) & holds
    share = float(sound.float().mean())
    if len(boxes) < 2:
        return 0.5 * share
    ious = box_iou(boxes[:1], boxes[1:])[0]
    return share * float(ious.nan_to_num(0).mean())
