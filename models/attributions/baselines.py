"""Baseline inputs: the starting points of a path to the picture."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from models.subject import Subject

BASELINES = ("black", "mean", "blur", "noise")
TITLES = ("Black", "Mean colour", "Blurred picture", "Noise")
BLUR = 1 / 16  # standard deviation, as a share of the input's shorter side


def baseline(subject: Subject, kind: str, *, seed: int = 0) -> Tensor:
    """Return a baseline (1, 3, h, w), normalised as the network expects; noise is uniform over each channel's range."""
    x = subject.input
    match kind:
        case "black":
            return subject.black.expand_as(x)
        case "mean":
            return subject.mean.expand_as(x)
        case "blur":
            sigma = BLUR * min(subject.size)
            reach = min(int(3 * sigma), min(subject.size) - 1)
            return gaussian_blur(x, [2 * reach + 1] * 2, [sigma] * 2)
    # Drawn on the CPU, so that a seed gives the same noise on every device.
    drawn = torch.rand(x.shape, generator=torch.Generator().manual_seed(seed)).to(x)
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return low + drawn * (high - low)
