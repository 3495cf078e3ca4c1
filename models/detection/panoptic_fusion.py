"""Fuse the masks of instances with the classes of pixels to panoptic segments: each pixel has at most one.

Two rules: the heuristic of Kirillov et al. 2019 ("Panoptic Segmentation", section 6), which pastes instances by their
score and fills up with stuff, and the head of UPSNet (Xiong et al. 2019, section 3.3), where stuff, every instance and
an unknown class put a logit into one pile at each pixel and the largest wins.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.types import Bool, Float, Int, Real

HEURISTIC, UPSNET = RULES = ("heuristic", "upsnet")
TAKEN, LOW, COVERED, EMPTY, SMALL, ABSENT = range(6)  # what became of a candidate
NONE, UNKNOWN = 0, -1  # segment numbers of pixels without one; of `top` where the unknown class won
MASK = 0.5


@dataclass(frozen=True)
class Candidates:
    """What is fused on a grid (h, w): `semantic` (C, h, w) logits of classes, of which `stuff` (C,) are stuff.

    K instances, best first: `masks` (K, h, w) logits, -inf outside their boxes, `scores` and `labels` (K,), rows of C.
    """

    semantic: Float
    stuff: Bool
    masks: Float
    scores: Float
    labels: Int


@dataclass
class Fused:
    """The segments on the grid, and what became of every candidate.

    `map` (h, w) holds the number of the segment, 0 for none; the numbers of instances are 1 to K, those of class c's
    stuff K + 1 + c. `outcome` (K + C,) is TAKEN, LOW (of score), COVERED, EMPTY (no pixel), SMALL or ABSENT, `covered`
    (K,) the share of an instance's mask that better ones had, `by` (K,) the instance with the largest part in that, -1
    for none. `value` (h, w) is what the winner put into the pile.
    """

    map: Int
    outcome: Int
    covered: Real
    by: Int
    value: Float
    unknown: Bool = field(default_factory=lambda: np.zeros((0, 0), np.bool_))


def fuse(given: Candidates, *, rule: str, score: float, overlap: float, area: int) -> Fused:
    """Return the segments. Instances below `score` are left out.

    So is one of whose mask more than `overlap` belongs to better ones, and stuff of less than `area` cells.
    """
    kept = _kept(given, score=score, overlap=overlap)
    return (_piled if rule == UPSNET else _pasted)(given, kept, area)


def pile(given: Candidates) -> tuple[Real, Real, Real]:
    """Return UPSNet's logits: of every class (C, h, w), of every instance (K, h, w), and of the unknown class (h, w).

    The classes' logits are taken relative to their mean, as softmax leaves open where their 0 is. An instance's logit
    is its mask's plus its class's, and outside its box it is no candidate. The unknown logit is the largest of things
    less the largest of the instances' class logits, which are 0 outside their boxes.
    """
    semantic = given.semantic - given.semantic.mean(0)
    own = semantic[given.labels] if len(given.labels) else np.zeros((0, *semantic.shape[1:]), np.float32)
    inside = np.isfinite(given.masks)
    things = semantic[~given.stuff]
    most = things.max(0) if len(things) else np.full(semantic.shape[1:], -np.inf)
    covered = np.where(inside, own, 0.0).max(0) if len(own) else np.zeros(semantic.shape[1:])
    return semantic, np.where(inside, given.masks + own, -np.inf), most - covered


def _kept(given: Candidates, *, score: float, overlap: float) -> Fused:
    """Return what becomes of the instances by their score and by the share of their mask that better ones have."""
    count, size = len(given.scores), given.semantic.shape[1:]
    outcome = np.full(count + len(given.semantic), ABSENT)
    covered, by = np.zeros(count), np.full(count, -1)
    owner = np.zeros(size, np.int64)
    for row in range(count):
        mask = given.masks[row] > 0
        whole = int(mask.sum())
        if given.scores[row] <= score:
            outcome[row] = LOW
            continue
        if not whole:
            outcome[row] = EMPTY
            continue
        over = owner[mask]
        covered[row] = np.count_nonzero(over) / whole
        if covered[row]:
            by[row] = np.bincount(over[over > 0]).argmax() - 1
        if covered[row] > overlap:
            outcome[row] = COVERED
            continue
        outcome[row] = TAKEN
        owner[mask & (owner == 0)] = row + 1
    return Fused(owner, outcome, covered, by, np.zeros(size, np.float32))


def _pasted(given: Candidates, kept: Fused, area: int) -> Fused:
    count = len(given.scores)
    best = given.semantic.argmax(0)
    free = kept.map == NONE
    for label in np.flatnonzero(given.stuff):
        own = free & (best == label)
        cells = int(own.sum())
        kept.outcome[count + label] = TAKEN if cells and cells >= area else SMALL if cells else ABSENT
        if kept.outcome[count + label] == TAKEN:
            kept.map[own] = count + 1 + label
    if count:
        row = (kept.map - 1).clip(0, count - 1)
        of = np.take_along_axis(given.masks, row[None], 0)[0]
        kept.value = np.where((kept.map > 0) & (kept.map <= count), of, given.semantic.max(0)).astype(np.float32)
    else:
        kept.value = given.semantic.max(0).astype(np.float32)
    kept.unknown = np.zeros(kept.map.shape, np.bool_)
    return kept


def _piled(given: Candidates, kept: Fused, area: int) -> Fused:
    count = len(given.scores)
    semantic, instances, unknown = pile(given)
    taken = kept.outcome[:count] == TAKEN
    instances = np.where(taken[:, None, None], instances, -np.inf)
    stuff = np.where(given.stuff[:, None, None], semantic, -np.inf)
    whole = np.concatenate([instances, stuff, unknown[None]])
    top = whole.argmax(0)
    kept.unknown = top == len(whole) - 1
    kept.map = np.where(kept.unknown, NONE, top + 1)
    kept.value = whole.max(0).astype(np.float32)
    cells = np.bincount(kept.map.ravel(), minlength=len(whole))[1:]
    for row in np.flatnonzero(taken & (cells[:count] == 0)):
        kept.outcome[row] = EMPTY
    for label in np.flatnonzero(given.stuff):
        here = int(cells[count + label])
        kept.outcome[count + label] = TAKEN if here and here >= area else SMALL if here else ABSENT
        if kept.outcome[count + label] == SMALL:
            kept.map[kept.map == count + 1 + label] = NONE
    return kept
