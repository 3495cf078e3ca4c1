"""Assign anchors to objects by the rule each torchvision family trains with.

`overlap` computes once what does not depend on thresholds, so moving a threshold costs only a few comparisons of
columns. The results equal those of torchvision's `Matcher`, `SSDMatcher` and FCOS, ties included.
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
Report = Callable[[float], None]


@dataclass(frozen=True)
class Rule:
    """How a family assigns anchors.

    `iou`: matched at IoU `fg` and above, background below `bg`, ignored between; with `low_quality` each object also
    gets the anchors that overlap it most. `best` (SSD): one threshold, and each object gets its best anchor.
    `centre` (FCOS): by position and scale, without IoU.
    """

    kind: Kind
    fg: float = 0.5
    bg: float = 0.5
    low_quality: bool = False


@dataclass(frozen=True)
class Overlap:
    """IoU of N anchors with M objects, reduced to columns.

    Per anchor: `best` (N,) its highest IoU, `row` (N,) the object with that IoU. Per object: `truth_best` (M,) its
    highest IoU, `first` (M,) the first anchor with that IoU. `ties` (K,): all anchors that are an object's best.
    """

    best: Float
    row: Int
    truth_best: Float
    first: Int
    ties: Int

    @property
    def nbytes(self) -> int:
        """The size of all columns in bytes."""
        return sum(getattr(self, name).nbytes for name in self.__dataclass_fields__)


@dataclass(frozen=True)
class Assignment:
    """What N anchors learn.

    `row` (N,): the object, -1 for background, -2 for ignored; `iou` (N,): the IoU with that object, or the highest IoU
    with any object where there is none; `state` (N,): MATCHED, FORCED, IGNORED or BACKGROUND.
    """

    row: Int
    iou: Float
    state: Int


def rule_of(matcher: Any) -> Rule:
    """Return the rule of a network's matcher; None means FCOS, which has no matcher."""
    if matcher is None:
        return Rule("centre")
    kind: Kind = "best" if isinstance(matcher, SSDMatcher) else "iou"
    return Rule(
        kind, matcher.high_threshold, matcher.low_threshold, kind == "best" or matcher.allow_low_quality_matches
    )


def overlap(truth: Tensor, anchors: Tensor, *, report: Report = lambda part: None) -> Overlap:
    """Compare objects (M, 4), M > 0, with anchors (N, 4), both in network pixels, in blocks of anchors."""
    count, step = len(anchors), max(1, PAIRS_AT_ONCE // len(truth))
    best, row = np.empty(count, np.float32), np.empty(count, np.int64)
    truth_best, first = torch.full((len(truth),), -1.0), torch.zeros(len(truth), dtype=torch.int64)
    pairs: list[tuple[Tensor, Tensor, Tensor]] = []
    for start in range(0, count, step):
        report(start / count)
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
    # An object that overlaps no anchor has highest IoU 0, and torchvision then counts every anchor as a tie.
    if (truth_best == 0).any():
        ties = torch.arange(count)
    return Overlap(best, row, truth_best.numpy(), first.numpy(), ties.numpy())


def assign(found: Overlap, rule: Rule) -> Assignment:
    """Return the assignment that torchvision's `Matcher` or `SSDMatcher` makes, with the state of each anchor."""
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

    `counts` is the number of anchors of each level. An anchor's centre must lie inside the object and within `radius`
    anchor sides of the object's centre, and its distance to the farthest side must suit the level. Where several
    objects qualify, the smallest wins.
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
    """Return FCOS's rows with their states. FCOS does not use IoU; the column holds each anchor's highest."""
    return Assignment(row, found.best, np.where(row >= 0, MATCHED, BACKGROUND))


def no_truth(count: int) -> Assignment:
    """Return the assignment for an image without objects: all background."""
    return Assignment(np.full(count, -1), np.zeros(count, np.float32), np.full(count, BACKGROUND))
