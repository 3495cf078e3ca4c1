"""Clusters real digits into ten kinds without labels, which gives InfoGAN's category a starting point."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from models.bundled.gan import Recogniser
from models.training.mnist import shuffled, unit
from models.training.precision import lower_precision

BATCH, RATE = 250, 2e-3
TURN, SHEAR, SCALE, MOVE, SWELL = 0.35, 0.4, 0.2, 0.12, 0.8
LEAST = 1e-8


def distorted(x: Tensor) -> Tensor:
    """Return pictures in [-1, 1], each randomly rotated, sheared, scaled, shifted, and with thicker strokes."""
    count = len(x)
    turn, shear = TURN * (2 * torch.rand(count) - 1), SHEAR * (2 * torch.rand(count) - 1)
    across, down = 1 + SCALE * (2 * torch.rand(2, count) - 1)
    cos, sin = turn.cos(), turn.sin()
    move = MOVE * (2 * torch.rand(2, count) - 1)
    rows = [cos * across, (shear * cos - sin) * down, move[0], sin * across, (shear * sin + cos) * down, move[1]]
    grid = functional.affine_grid(torch.stack(rows, 1).view(count, 2, 3), list(x.shape), align_corners=False)
    moved = functional.grid_sample(x + 1, grid, align_corners=False) - 1
    return moved.lerp(functional.max_pool2d(moved, 3, 1, 1), SWELL * torch.rand(count, 1, 1, 1))


def agreement(net: Recogniser, x: Tensor) -> Tensor:
    """Return the mutual information in nats between the categories of two augmented versions of the same pictures.

    The invariant information of Ji et al. 2019 (equation 3): largest when both agree with certainty and all ten
    categories are used.
    """
    with lower_precision():
        category, _ = net(torch.cat([distorted(x), distorted(x)]).contiguous(memory_format=torch.channels_last))
    one, two = category.float().softmax(1).chunk(2)
    joint = one.T @ two / len(x)
    joint = ((joint + joint.T) / 2).clamp(min=LEAST)
    return (joint * (joint.log() - joint.sum(0, keepdim=True).log() - joint.sum(1, keepdim=True).log())).sum()


def cluster(net: Recogniser, pictures: Tensor, rng: torch.Generator, *, epochs: int) -> None:
    """Train the recogniser's categories on real pictures (N, 1, 32, 32) uint8, using only their agreement."""
    batch = min(BATCH, len(pictures))
    steps = len(pictures) // batch
    optimiser = torch.optim.Adam(net.parameters(), RATE, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, 2.1 - 2 * step / (steps * epochs)))
    recent = 0.0
    for epoch in range(epochs):
        bar = tqdm(shuffled(len(pictures), batch, rng), f"sorting {epoch + 1}", steps, mininterval=10)
        for rows in bar:
            found = agreement(net, unit(pictures[rows]) * 2 - 1)
            optimiser.zero_grad()
            (-found).backward()
            optimiser.step()
            schedule.step()
            recent += 0.02 * (found.item() - recent)
            bar.set_postfix_str(f"agreement {recent:.3f} nats", refresh=False)
