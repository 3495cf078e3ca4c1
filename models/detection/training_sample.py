"""Which boxes of a picture a detector learns from: positives, negatives, and the ones that are drawn or are hardest.

The rules are those of the papers (Girshick et al. 2014, Girshick 2015, Ren et al. 2015, Liu et al. 2016) and of
torchvision; random draws are torchvision's own sampler's, so that the same seed draws the same boxes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler

from models.detection import anchor_match
from models.detection.anchor_match import BACKGROUND, FORCED, IGNORED, MATCHED, Assignment, Kind, Overlap, Rule
from models.types import Bool, Float


@dataclass(frozen=True)
class SampleRule:
    """How boxes are assigned and chosen.

    Positive at IoU `fg` and above, negative from `floor` to below `bg`, ignored otherwise; with `forced` the boxes that
    overlap an object most are positive too, however little ("best" once for each object, as in SSD). `count` boxes are
    drawn, at most the share `fraction` of them positive; 0 takes all. With `ratio` the negatives are the hardest ones,
    so many for each positive.
    """

    fg: float
    bg: float
    floor: float = 0.0
    forced: bool = False
    kind: Kind = "iou"
    count: int = 0
    fraction: float = 1.0
    ratio: float = 0.0

    @property
    def positives(self) -> int:
        """How many positives are drawn at most; 0 for all."""
        return int(self.count * self.fraction)


# Both R-CNNs draw 128 boxes in a step; Fast R-CNN's are 64 from each of two pictures.
RULES = {
    "rcnn": SampleRule(0.5, 0.5, count=128, fraction=0.25),
    "fast_rcnn": SampleRule(0.5, 0.5, floor=0.1, count=64, fraction=0.25),
    "rpn": SampleRule(0.7, 0.3, forced=True, count=256, fraction=0.5),
    "roi_heads": SampleRule(0.5, 0.5, count=512, fraction=0.25),
    "ssd": SampleRule(0.5, 0.5, forced=True, kind="best", ratio=3.0),
}
TITLES = {
    "rcnn": "R-CNN (32 positives, 96 negatives)",
    "fast_rcnn": "Fast R-CNN (25 %, negatives from 0.1)",
    "rpn": "RPN (256, half and half)",
    "roi_heads": "torchvision's R-CNN (512, 25 %)",
    "ssd": "SSD (three hardest negatives each)",
}


@dataclass(frozen=True)
class Sample:
    """What was chosen among N boxes: `positive` and `negative` (N,) mark the boxes, which are disjoint."""

    positive: Bool
    negative: Bool

    @property
    def chosen(self) -> Bool:
        """The boxes that take part."""
        return self.positive | self.negative


def adjusted(rule: SampleRule, *, fg: float, bg: float, floor: float, count: int, fraction: float) -> SampleRule:
    """Return a rule with the values that are not negative in place of its own."""
    given = {"fg": fg, "bg": bg, "floor": floor, "count": count, "fraction": fraction}
    changed = replace(rule, **{name: value for name, value in given.items() if value >= 0})
    if rule.kind == "best":  # a single threshold
        changed = replace(changed, bg=changed.fg)
    return changed


def assign(found: Overlap | None, count: int, rule: SampleRule) -> Assignment:
    """Return what each of `count` boxes is for a rule; without objects, `found` None, all are negative."""
    if found is None:
        return anchor_match.no_truth(count)
    assigned = anchor_match.assign(found, Rule(rule.kind, rule.fg, rule.bg, rule.forced))
    too_far = (assigned.state == BACKGROUND) & (found.best < rule.floor)
    state, row = assigned.state.copy(), assigned.row.copy()
    state[too_far], row[too_far] = IGNORED, -2
    return Assignment(row, assigned.iou, state)


def positives_of(assigned: Assignment) -> Bool:
    """Return which boxes learn an object."""
    return np.isin(assigned.state, (MATCHED, FORCED))


def draw(assigned: Assignment, rule: SampleRule, losses: Float) -> Sample:
    """Return the boxes that take part, drawn from torch's generator; `losses` (N,) are those of classification."""
    positive, negative = positives_of(assigned), assigned.state == BACKGROUND
    if rule.ratio:
        return Sample(positive, hardest(losses, negative, rule.ratio * positive.sum()))
    if not rule.count:
        return Sample(positive, negative)
    labels = torch.from_numpy(np.where(positive, 1, np.where(negative, 0, -1)))
    drawn = BalancedPositiveNegativeSampler(rule.count, rule.fraction)([labels])
    return Sample(*(mask[0].numpy().astype(bool) for mask in drawn))


def hardest(losses: Float, among: Bool, count: float) -> Bool:
    """Return the `count` boxes `among` (N,) with the highest losses, in the order of torchvision's SSD where equal."""
    values: Tensor = torch.from_numpy(np.where(among, losses, -np.inf).astype(np.float32))
    rank = values.sort(descending=True)[1].sort()[1].numpy()
    return among & (rank < count)
