"""Which anchor learns which object, by the rule each torchvision family trains with. No losses, no sampling.

What does not depend on thresholds is worked out once (`overlap`), so that a threshold's move is a few comparisons of
columns. The answers equal those of torchvision's `Matcher`, `SSDMatcher` and FCOS, ties included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection._utils import SSDMatcher
from torchvision.ops import boxes as box_ops

from models.types import Float, Int

MATCHED, FORCED, IGNORED, BACKGROUND = range(4)
STATES = ("matched", "forced", "ignored", "background")
PAIRS_AT_ONCE = 2_000_000
Kind = Literal["iou", "best", "centre"]
Told = Callable[[float], None]


@dataclass(frozen=True)
class Rule:
    """How a family assigns anchors. `iou`: at IoU `fg` and above matched, below `bg` background, between ignored; with
    `low_quality` each object also gets the anchors that overlap it most. `best` (SSD): one threshold, and each object
    gets its best anchor. `centre` (FCOS): by place and scale, no IoU.
    """

    kind: Kind
    fg: float = 0.5
    bg: float = 0.5
    low_quality: bool = False


@dataclass(frozen=True)
class Overlap:
    """N anchors against M objects: `best` (N,) an anchor's highest IoU, `row` (N,) the object it has it with;
    `truth_best` (M,) an object's highest IoU, `first` (M,) the first anchor it has it with, `ties` (K,) all of them."""

    best: Float
    row: Int
    truth_best: Float
    first: Int
    ties: Int

    @property
    def nbytes(self) -> int:
        """The size of all columns."""
        return sum(getattr(self, name).nbytes for name in self.__dataclass_fields__)


@dataclass(frozen=True)
class Assignment:
    """Per anchor: `row` (N,) of its object, -1 background, -2 ignored; `iou` (N,) with that object or, of none, the
    highest with any; `state` (N,) MATCHED, FORCED, IGNORED or BACKGROUND."""

    row: Int
    iou: Float
    state: Int


def rule_of(matcher: Any) -> Rule:
    """Return the rule of a network's matcher; None is FCOS, which has none."""
    if matcher is None:
        return Rule("centre")
    kind: Kind = "best" if isinstance(matcher, SSDMatcher) else "iou"
    return Rule(
        kind, matcher.high_threshold, matcher.low_threshold, kind == "best" or matcher.allow_low_quality_matches
    )


def overlap(truth: Tensor, anchors: Tensor, *, told: Told = lambda part: None) -> Overlap:
    """Compare objects (M, 4), M > 0, with anchors (N, 4), both in network pixels, some anchors at a time."""
    count, step = len(anchors), max(1, PAIRS_AT_ONCE // len(truth))
    best, row = np.empty(count, np.float32), np.empty(count, np.int64)
    truth_best, first = torch.full((len(truth),), -1.0), torch.zeros(len(truth), dtype=torch.int64)
    pairs: list[tuple[Tensor, Tensor, Tensor]] = []
    for start in range(0, count, step):
        told(start / count)
        quality = box_ops.box_iou(truth, anchors[start : start + step])
        values, rows = quality.max(dim=0)
        best[start : start + step], row[start : start + step] = values.numpy(), rows.numpy()

        highest, at = quality.max(dim=1)
        better = highest > truth_best
        truth_best, first = torch.where(better, highest, truth_best), torch.where(better, at + start, first)
        owner, anchor = torch.where((quality == highest[:, None]) & (highest[:, None] > 0))
        pairs.append((owner, anchor + start, highest[owner]))

    owner, anchor, value = (torch.cat(column) for column in zip(*pairs, strict=True))
    ties = anchor[value == truth_best[owner]].unique()
    if (truth_best == 0).any():  # torchvision then takes every anchor for a tie
        ties = torch.arange(count)
    return Overlap(best, row, truth_best.numpy(), first.numpy(), ties.numpy())


def assign(found: Overlap, rule: Rule) -> Assignment:
    """Return what `Matcher` and `SSDMatcher` of torchvision return, and why."""
    row, iou = found.row.copy(), found.best.copy()
    row[found.best < rule.fg] = -2
    row[found.best < rule.bg] = -1
    if rule.kind == "best":
        row[found.first] = np.arange(len(found.first))
        iou[found.first] = found.truth_best
    elif rule.low_quality:
        row[found.ties] = found.row[found.ties]
    state = np.choose((row >= 0) * 2 + (row == -1), (IGNORED, BACKGROUND, MATCHED))
    state[(row >= 0) & (iou < rule.fg)] = FORCED
    return Assignment(row, iou, state)


def assign_by_centre(truth: Tensor, anchors: Tensor, counts: list[int], radius: float) -> Int:
    """Return FCOS's assignment (N,): the object of each anchor, -1 for none (Tian et al. 2019, with centre sampling).

    `counts` are the anchors of each level. An anchor's middle must lie in the object and within `radius` anchor sides
    of its middle; its farthest side must suit the level; of several objects the smallest takes it.
    """
    centres, middles = (anchors[:, :2] + anchors[:, 2:]) / 2, (truth[:, :2] + truth[:, 2:]) / 2
    sides = anchors[:, 2] - anchors[:, 0]
    low, high = sides * 4, sides * 8
    low[: counts[0]], high[len(high) - counts[-1] :] = 0, float("inf")
    areas = (truth[:, 2] - truth[:, 0]) * (truth[:, 3] - truth[:, 1])
    row, step = torch.empty(len(anchors), dtype=torch.int64), max(1, PAIRS_AT_ONCE // len(truth))
    for start in range(0, len(anchors), step):
        part = slice(start, start + step)
        near = (centres[part, None] - middles[None]).abs_().max(dim=2).values < radius * sides[part, None]
        x, y = centres[part].unsqueeze(dim=2).unbind(dim=1)
        x0, y0, x1, y1 = truth.unsqueeze(dim=0).unbind(dim=2)
        distance = torch.stack([x - x0, y - y0, x1 - x, y1 - y], dim=2)
        near &= distance.min(dim=2).values > 0
        farthest = distance.max(dim=2).values
        near &= (farthest > low[part, None]) & (farthest < high[part, None])
        value, row[part] = (near.to(torch.float32) * (1e8 - areas[None, :])).max(dim=1)
        row[part][value < 1e-5] = -1
    return row.numpy()


def centre_assignment(row: Int, found: Overlap) -> Assignment:
    """Return FCOS's rows with their states; the IoU is the anchor's highest, for what it is worth."""
    return Assignment(row, found.best, np.where(row >= 0, MATCHED, BACKGROUND))


def no_truth(count: int) -> Assignment:
    """Return the assignment where there is no object: all background."""
    return Assignment(np.full(count, -1), np.zeros(count, np.float32), np.full(count, BACKGROUND))
