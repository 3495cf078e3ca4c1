"""MNIST in the form the generative models use: one channel, enlarged bilinearly from 28x28 to 32x32 px."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from models.training.scene import mnist

SIZE_PX = 32


def digits(data: Path, *, split: str) -> tuple[Tensor, Tensor]:
    """Read the `train` or `test` pictures (N, 1, 32, 32) uint8 of `mnist.npz` in a folder, and their digits (N,).

    Raises FileNotFoundError saying what to do if the file is missing.
    """
    glyphs = mnist(data, split=split)
    return enlarged(torch.from_numpy(glyphs.ink)[:, None]), torch.from_numpy(glyphs.digit)


def enlarged(pictures: Tensor) -> Tensor:
    """Resize pictures (N, 1, H, W) uint8 to 32x32 px, bilinear, rounded to whole grey values."""
    parts = [
        functional.interpolate(part.float(), (SIZE_PX, SIZE_PX), mode="bilinear").round().to(torch.uint8)
        for part in pictures.split(5000)
    ]
    return torch.cat(parts)


def unit(pictures: Tensor) -> Tensor:
    """Convert uint8 pictures to numbers in [0, 1]."""
    return pictures.float() / 255


def shuffled(count: int, batch: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the rows of the full batches of one epoch, in random order."""
    order = torch.randperm(count, generator=generator)
    for i in range(count // batch):
        yield order[i * batch : (i + 1) * batch]
