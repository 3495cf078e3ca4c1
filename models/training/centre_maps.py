"""Targets and losses of heat-map detectors: centres with offsets and sizes, corners with embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import generalized_box_iou_loss

from models.detection.gaussian_radius import PUBLISHED, gaussian_radius

Maps = dict[str, Tensor]
TAG_WEIGHT, MARGIN = 0.1, 1.0


def gaussian(height: int, width: int, cell: tuple[int, int], sigma: float) -> Tensor:
    """Return a map (height, width) of a Gaussian with value 1 at `cell` (x, y)."""
    y, x = torch.arange(height).float() - cell[1], torch.arange(width).float() - cell[0]
    return torch.outer((-(y**2) / (2 * sigma**2)).exp(), (-(x**2) / (2 * sigma**2)).exp())


def drawn(points: Tensor, labels: Tensor, sides: Tensor, shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Return heat maps (C, h, w) of points (K, 2) in cells, and their cells (K, 2) x, y.

    `sides` (K, 2) are their boxes', from which the radius follows by the published formula; overlapping Gaussians take
    the greater value.
    """
    maps = torch.zeros(shape)
    cells = points.floor().long()
    cells = torch.stack([cells[:, 0].clamp(0, shape[2] - 1), cells[:, 1].clamp(0, shape[1] - 1)], 1)
    for (x, y), label, (w, h) in zip(cells.tolist(), labels.tolist(), sides.tolist(), strict=True):
        radius = int(max(0, gaussian_radius(w, h, formula=PUBLISHED)))
        torch.maximum(maps[label], gaussian(shape[1], shape[2], (x, y), (2 * radius + 1) / 6), out=maps[label])
    return maps, cells


def focal(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return the focal loss of heat maps, by the number of centres (Law, Deng 2018, equation 1)."""
    chance = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
    centre = wanted == 1
    right = torch.where(centre, (1 - chance) ** 2 * chance.log(), (1 - wanted) ** 4 * chance**2 * (1 - chance).log())
    return -right.sum() / centre.sum().clamp_min(1)


def losses(maps: Maps, boxes: Sequence[Tensor], labels: Sequence[Tensor], *, stride: int) -> dict[str, Tensor]:
    """Return the losses of a batch, whose pictures have `boxes` (K, 4) xyxy in px and `labels` (K,) from 0."""
    shape = (maps["hm"].shape[1], maps["hm"].shape[2], maps["hm"].shape[3])
    wanted: dict[str, list[Tensor]] = {"hm": [], "tl": [], "br": []}
    totals: dict[str, list[Tensor]] = {"offset": [], "size": [], "pull": [], "push": []}
    for index, (own, label) in enumerate(zip(boxes, labels, strict=True)):
        cells = own / stride
        sides = cells[:, 2:] - cells[:, :2]
        points = {"hm": (cells[:, :2] + cells[:, 2:]) / 2, "tl": cells[:, :2], "br": cells[:, 2:]}
        tags = []
        for name, place in points.items():
            heat, at = drawn(place, label, sides, shape)
            wanted[name].append(heat)
            prefix = "" if name == "hm" else f"{name}_"
            offset = maps[f"{prefix}reg"][index][:, at[:, 1], at[:, 0]].T
            totals["offset"].append(functional.l1_loss(offset, place - at, reduction="sum"))
            if prefix:
                tags.append(maps[f"{prefix}tag"][index][0, at[:, 1], at[:, 0]])
                continue
            size = maps["wh"][index][:, at[:, 1], at[:, 0]].T
            centre = at + offset
            found = torch.cat([centre - size / 2, centre + size / 2], 1)
            totals["size"].append(generalized_box_iou_loss(found, cells, reduction="sum"))
        mean = torch.stack(tags).mean(0)
        totals["pull"].append(sum(((tag - mean) ** 2).mean() for tag in tags) + mean.sum() * 0)
        apart = (MARGIN - (mean[:, None] - mean).abs()).clamp_min(0)
        count = len(mean)
        totals["push"].append((apart.sum() - MARGIN * count) / max(1, count * (count - 1)))
    count = max(1, sum(len(label) for label in labels))
    found = {f"loss_{name}": focal(maps[name], torch.stack(heat)) for name, heat in wanted.items()}
    found |= {f"loss_{name}": torch.stack(totals[name]).sum() / count for name in ("offset", "size")}
    found |= {f"loss_{name}": TAG_WEIGHT * torch.stack(totals[name]).mean() for name in ("pull", "push")}
    return found
