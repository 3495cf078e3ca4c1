"""Fuse mask queries to panoptic segments: each pixel gets at most one (Cheng et al. 2021, MaskFormer, section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.types import Float, Int


@dataclass(frozen=True)
class Fusion:
    """S segments: `map` (h, w) the segment of each pixel from 1, 0 for none; their `labels`, `scores`, `queries` (S,).

    `chance` (h, w) is the weighed mask of each pixel's own segment, 0 without one.
    """

    map: Int
    labels: Int
    scores: Float
    queries: Int
    chance: Float


def fused(scores: Tensor, masks: Tensor, *, score: float, mask: float, overlap: float) -> Fusion:
    """Return the segments of queries with class `scores` (Q, K + 1), none last, and mask logits `masks` (Q, h, w).

    Queries whose best class is none or not above `score` are dropped. Each pixel goes to the query with the largest
    mask times score. One that keeps no more than the share `overlap` of the pixels where it is at least `mask` is
    dropped: its pixels stay without a segment, as in the library.
    """
    best, label = scores.softmax(-1).max(-1)
    kept = (label != scores.shape[1] - 1) & (best > score)
    query = kept.nonzero()[:, 0]
    found = torch.zeros(masks.shape[1:], dtype=torch.int64, device=masks.device)
    chance = torch.zeros(masks.shape[1:], device=masks.device)
    taken: list[int] = []
    if len(query):
        weighed = masks[query].sigmoid() * best[query, None, None]
        chances, owner = weighed.max(0)
        for row in range(len(query)):
            own, whole = owner == row, int((weighed[row] >= mask).sum())
            if whole and bool(own.any()) and int(own.sum()) / whole > overlap:
                taken.append(int(query[row]))
                found[own] = len(taken)
                chance[own] = chances[own]
    rows = torch.tensor(taken, dtype=torch.int64, device=masks.device)
    columns = (label[rows], best[rows], rows)
    labels, values, queries = (column.cpu().numpy() for column in columns)
    return Fusion(found.cpu().numpy(), labels, values, queries, chance.cpu().numpy())
