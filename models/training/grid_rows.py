"""Targets and losses of an anchor-free grid detector with objectness and mask prototypes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import box_convert, box_iou, generalized_box_iou_loss

from models.bundled.yolo import BOX, OBJECTNESS, STRIDES

Sides = Sequence[tuple[float, float]]
SIDES_PX: Sides = ((0.0, 42.0), (30.0, 84.0), (60.0, 1e4))  # of the objects of each level, which overlap
NEAR = 1.0  # a cell is positive if its centre is within this many strides of the box's
BOX_WEIGHT, MASK_WEIGHT, MOST_MASKS = 2.0, 2.0, 64


def positives(boxes: Tensor, centres: Tensor, strides: Tensor, *, sides: Sides = SIDES_PX) -> Tensor:
    """Return for each row the object (R,) it is trained to find, -1 for none; the smaller of two.

    `boxes` (K, 4) xyxy, `centres` (R, 2), `strides` (R,) and the longer `sides` of each level's objects are in px of
    the input.
    """
    if not len(boxes):
        return torch.full((len(centres),), -1)
    side = (boxes[:, 2:] - boxes[:, :2]).amax(1)
    away = (centres[:, None] - (boxes[:, :2] + boxes[:, 2:]) / 2).abs().amax(2)
    fits = away < NEAR * strides[:, None]
    for stride, (least, most) in zip(STRIDES, sides, strict=True):
        fits &= (strides[:, None] != stride) | ((side >= least) & (side < most))
    area = torch.where(fits, (boxes[:, 2:] - boxes[:, :2]).prod(1), torch.inf)
    best = area.min(1)
    return torch.where(best.values.isfinite(), best.indices, -1)


def losses(
    rows: Tensor,
    prototypes: Tensor,
    decoded: Tensor,
    *,
    place: tuple[Tensor, Tensor],
    targets: Sequence[dict[str, Tensor]],
    classes: int,
    sides: Sides = SIDES_PX,
) -> dict[str, Tensor]:
    """Return the losses of raw `rows` (N, R, K), `decoded` as boxes; `place` are the cells (R, 2) and strides (R, 1).

    `targets` have `boxes` (K, 4) xyxy in px, `labels` (K,) from 0 and `masks` (K, H, W).
    """
    cells, strides = place
    centres = (cells + 0.5) * strides
    scores = BOX + OBJECTNESS + classes
    totals: dict[str, list[Tensor]] = {"box": [], "object": [], "class": [], "mask": []}
    count = 0
    for index, target in enumerate(targets):
        of = positives(target["boxes"], centres, strides[:, 0], sides=sides)
        at = (of >= 0).nonzero()[:, 0]
        own = of[at]
        wanted = target["boxes"][own]
        found = box_convert(decoded[index, at, :4], "cxcywh", "xyxy")
        overlap = torch.zeros(len(of))
        overlap[at] = box_iou(found.detach(), wanted).diagonal().clamp(0, 1)
        said = rows[index, :, 4]
        weight = (said.sigmoid() - overlap).abs() ** 2
        totals["object"].append(
            (weight * functional.binary_cross_entropy_with_logits(said, overlap, reduction="none")).sum()
        )
        totals["box"].append(generalized_box_iou_loss(found, wanted, reduction="sum"))
        hot = functional.one_hot(target["labels"][own], classes).float()
        totals["class"].append(
            functional.binary_cross_entropy_with_logits(rows[index, at, 5:scores], hot, reduction="sum")
        )
        count += len(at)
        some = torch.randperm(len(at))[:MOST_MASKS]
        mask = _mask_loss(prototypes[index], rows[index, at[some], scores:], wanted[some], target["masks"][own[some]])
        totals["mask"].append(mask.sum() * len(at) / max(1, len(some)))
    weights = {"box": BOX_WEIGHT, "object": 1.0, "class": 1.0, "mask": MASK_WEIGHT}
    return {f"loss_{name}": weights[name] * torch.stack(parts).sum() / max(1, count) for name, parts in totals.items()}


def _mask_loss(prototypes: Tensor, coefficients: Tensor, boxes: Tensor, masks: Tensor) -> Tensor:
    """Return the mean cross entropy (K,) of each mask within its box, in cells of the prototypes (P, h, w)."""
    height, width = prototypes.shape[1:]
    logits = torch.einsum("kp,phw->khw", coefficients, prototypes)
    wanted = functional.adaptive_avg_pool2d(masks[:, None].float(), (height, width))[:, 0]
    scale = boxes.new_tensor([width / masks.shape[2], height / masks.shape[1]]).repeat(2)
    x0, y0, x1, y1 = (boxes * scale)[:, :, None, None].unbind(1)
    x, y = torch.arange(width)[None, None] + 0.5, torch.arange(height)[None, :, None] + 0.5
    inside = ((x > x0 - 1) & (x < x1 + 1) & (y > y0 - 1) & (y < y1 + 1)).float()
    each = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * inside
    return each.sum((1, 2)) / inside.sum((1, 2)).clamp_min(1)
