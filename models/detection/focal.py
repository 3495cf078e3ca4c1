"""Focal loss against cross-entropy on many boxes: how much easy negatives, hard negatives and positives contribute.

Lin et al. 2017. With a sigmoid for each class every (box, class) pair is a term, as in torchvision's
`sigmoid_focal_loss`, whose `alpha` weighs the positive terms; with a softmax the term is that of the box's class.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

EASY, HARD, POSITIVE = range(3)
GROUPS = ("easy negatives", "hard negatives", "positives")


@dataclass(frozen=True)
class Terms:
    """What N boxes contribute: `entropy` and `focal` (N,), each summed over the box's terms, and the highest
    probability (N,) of a class that is not background.
    """

    entropy: Tensor
    focal: Tensor
    confidence: Tensor


def terms(logits: Tensor, labels: Tensor, *, link: str, gamma: float, alpha: float) -> Terms:
    """Return the contributions for logits (N, C) and labels (N,), below 0 for background.

    With a softmax the background is column 0. An `alpha` below 0 weighs all terms alike.
    """
    if link == "softmax":
        wanted = labels.clamp(min=0)
        entropy = functional.cross_entropy(logits, wanted, reduction="none")
        right = torch.exp(-entropy)
        weight = torch.where(labels >= 0, alpha, 1 - alpha) if alpha >= 0 else torch.ones_like(entropy)
        confidence = logits.softmax(1)[:, 1:].max(1).values
        return Terms(entropy, weight * (1 - right) ** gamma * entropy, confidence)
    target = torch.zeros_like(logits)
    rows = torch.where(labels >= 0)[0]
    target[rows, labels[rows]] = 1
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    chance = logits.sigmoid()
    right = chance * target + (1 - chance) * (1 - target)
    focal = entropy * (1 - right) ** gamma
    if alpha >= 0:
        focal = focal * (alpha * target + (1 - alpha) * (1 - target))
    return Terms(entropy.sum(1), focal.sum(1), chance.max(1).values)


def groups(labels: Tensor, confidence: Tensor, *, easy: float) -> Tensor:
    """Return the group (N,) of each box: negatives are easy while no class reaches the probability `easy`."""
    found = torch.where(confidence < easy, EASY, HARD)
    found[labels >= 0] = POSITIVE
    return found
