"""Draw MNIST's digits in two worlds: white on black, and ink on ruled paper; and in four inks, thin or thick."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.training.mnist import SIZE_PX

Rng = np.random.Generator
INKS = ((205, 45, 45), (35, 150, 60), (45, 75, 205), (40, 40, 45))  # red, green, blue, black
PAPER = (246, 244, 236)


def white_on_black(ink: Tensor) -> Tensor:
    """Return digits (N, 1, 32, 32) uint8 as RGB pictures (N, 3, 32, 32) from 0 to 1."""
    return ink.float().expand(-1, 3, -1, -1) / 255


def on_paper(ink: Tensor, rng: Rng) -> Tensor:
    """Return digits (N, 1, 32, 32) uint8 in dark ink on ruled paper, as RGB pictures (N, 3, 32, 32) from 0 to 1.

    The paper's tone, the place, gap and tilt of the rules and the ink's colour are drawn at random.
    """
    return torch.stack([_sheet(digit[0].numpy(), rng) for digit in ink])


def _sheet(ink: NDArray[np.uint8], rng: Rng) -> Tensor:
    paper = np.array([rng.uniform(232, 252), rng.uniform(228, 248), rng.uniform(205, 240)])
    sheet = np.broadcast_to(paper, (SIZE_PX, SIZE_PX, 3)).astype(np.float32).copy()
    rule = np.array([rng.uniform(130, 170), rng.uniform(160, 195), rng.uniform(205, 235)])
    gap, tilt = rng.uniform(7, 11), rng.uniform(-1, 1)
    lines = np.zeros((SIZE_PX, SIZE_PX), np.float32)
    for y in np.arange(rng.uniform(0, gap) - gap, SIZE_PX + gap, gap):
        cv2.line(lines, (0, round(y * 16)), (SIZE_PX * 16, round((y + tilt) * 16)), (1.0,), 1, cv2.LINE_8, 4)
    sheet += (rule - paper) * lines[..., None] * 0.9
    colour = np.array([rng.uniform(20, 60), rng.uniform(25, 70), rng.uniform(70, 150)])
    share = (ink.astype(np.float32) / 255)[..., None]
    sheet = sheet * (1 - share) + colour * share + rng.normal(0, 2.5, (SIZE_PX, SIZE_PX, 1))
    return torch.from_numpy(sheet.clip(0, 255).astype(np.float32)).permute(2, 0, 1) / 255


def in_inks(ink: Tensor, kinds: Tensor, thick: Tensor) -> Tensor:
    """Return digits (N, 1, 32, 32) uint8 in inks `kinds` (N,) on paper, thin or `thick` (N,), from 0 to 1."""
    made = []
    for digit, kind, broad in zip(ink, kinds.tolist(), thick.tolist(), strict=True):
        share = digit[0].numpy().astype(np.float32) / 255
        square = np.ones((3, 3), np.uint8)
        share = cv2.dilate(share, square) if broad else cv2.erode(share, np.ones((2, 2), np.uint8))
        share = cv2.GaussianBlur(share, (0, 0), 0.5)[..., None]
        picture = np.array(PAPER) * (1 - share) + np.array(INKS[kind]) * share
        made.append(torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1) / 255)
    return torch.stack(made)
