"""The losses of a predicted box against the true one, with their gradients by autograd through torchvision's losses.

L1 and smooth L1 compare offsets as R-CNN does: the distance of the centres over the true sides, and the logarithm of
the sides' ratio. The others compare the boxes themselves: 1 - IoU, and torchvision's GIoU, DIoU and CIoU losses.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import box_iou, complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss

from models.detection.iou import Numbers
from models.types import Float

NAMES = ("l1", "smooth_l1", "smooth_l1_ninth", "iou", "giou", "diou", "ciou")
TITLES = ("L1", "Smooth L1, beta 1", "Smooth L1, beta 1/9", "IoU", "GIoU", "DIoU", "CIoU")
POINTS = 121
PATHS = ("approach", "slide", "grow")


def offsets(boxes: Tensor, truth: Tensor) -> Tensor:
    """Return the offsets (N, 4) of boxes from the true ones: centres in true sides, then logarithms of the sides."""
    sides, true_sides = boxes[:, 2:] - boxes[:, :2], truth[:, 2:] - truth[:, :2]
    centres, true_centres = (boxes[:, :2] + boxes[:, 2:]) / 2, (truth[:, :2] + truth[:, 2:]) / 2
    return torch.cat([(centres - true_centres) / true_sides, torch.log(sides / true_sides)], 1)


def _iou(boxes: Tensor, truth: Tensor) -> Tensor:
    return 1 - box_iou(boxes, truth).diagonal()


def _smooth(beta: float) -> Callable[[Tensor, Tensor], Tensor]:
    def loss(boxes: Tensor, truth: Tensor) -> Tensor:
        given = offsets(boxes, truth)
        return functional.smooth_l1_loss(given, torch.zeros_like(given), beta=beta, reduction="none").sum(1)

    return loss


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": lambda boxes, truth: offsets(boxes, truth).abs().sum(1),
    "smooth_l1": _smooth(1.0),
    "smooth_l1_ninth": _smooth(1 / 9),
    "iou": _iou,
    "giou": generalized_box_iou_loss,
    "diou": distance_box_iou_loss,
    "ciou": complete_box_iou_loss,
}


def losses(boxes: Numbers, truth: Numbers) -> tuple[Float, Float]:
    """Return the losses (7, N) of boxes (N, 4) against one true box (4,), and their gradients (7, N, 4) by the boxes'
    coordinates.
    """
    values, slopes = [], []
    with torch.inference_mode(False), torch.enable_grad():
        wanted = torch.tensor(np.broadcast_to(truth, boxes.shape).copy(), dtype=torch.float64)
        for name in NAMES:
            given = torch.tensor(boxes, dtype=torch.float64, requires_grad=True)
            value = LOSSES[name](given, wanted)
            (slope,) = torch.autograd.grad(value.sum(), given)
            values.append(value.detach().numpy())
            slopes.append(slope.numpy())
    return np.stack(values).astype(np.float32), np.stack(slopes).astype(np.float32)


def path(box: Numbers, truth: Numbers, kind: str) -> tuple[Float, Numbers]:
    """Return places (P,) and boxes (P, 4) along a path.

    "approach" goes from the predicted box at 0 to the true one at 1 and as far beyond, "slide" moves the box across
    the true one, with 0 where their centres are level, and "grow" scales it about its centre by the place.
    """
    if kind == "approach":
        places = np.linspace(0, 2, POINTS)
        middle, side = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        true_middle, true_side = (truth[:2] + truth[2:]) / 2, truth[2:] - truth[:2]
        middles = middle + places[:, None] * (true_middle - middle)
        sides = side * (true_side / side) ** places[:, None]
        return places.astype(np.float32), np.concatenate([middles - sides / 2, middles + sides / 2], 1)
    if kind == "slide":
        reach = (box[2] - box[0] + truth[2] - truth[0]) * 0.75
        places = np.linspace(-reach, reach, POINTS)
        shift = (truth[0] + truth[2] - box[0] - box[2]) / 2 + places
        moved = np.repeat(box[None], POINTS, 0).astype(np.float64)
        moved[:, [0, 2]] += shift[:, None]
        return places.astype(np.float32), moved
    places = np.geomspace(0.25, 4, POINTS)
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * places[:, None]
    return places.astype(np.float32), np.concatenate([middle - half, middle + half], 1)


def smoothed(epsilon: float, classes: int) -> tuple[Float, Float]:
    """Return the targets (C,) for the first class under label smoothing: torch's over a softmax, which spreads
    `epsilon` over all classes, and YOLO's of independent classes, 1 - epsilon / 2 and epsilon / 2.
    """
    torch_target = np.full(classes, epsilon / classes, np.float32)
    torch_target[0] += 1 - epsilon
    yolo_target = np.full(classes, epsilon / 2, np.float32)
    yolo_target[0] = 1 - epsilon / 2
    return torch_target, yolo_target
