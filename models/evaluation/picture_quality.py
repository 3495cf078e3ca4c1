"""How near a picture is to a reference: PSNR and SSIM, as scikit-image computes them for pictures from 0 to 1."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from models.types import Refusal

SIGMA, RADIUS = 1.5, 5  # of the Gaussian window, in px (Wang et al. 2004: 11 x 11)
K1, K2 = 0.01, 0.03


def largest_of_channels(difference: Tensor) -> Tensor:
    """Return a difference of pictures (C, H, W) in the channel where it is largest, by pixel (H, W), with its sign.

    A mean of the channels would hide changes of colour alone, which cancel each other.
    """
    return difference.gather(0, difference.abs().argmax(0, keepdim=True))[0]


def psnr(picture: Tensor, reference: Tensor) -> float:
    """Return the peak signal-to-noise ratio in dB of pictures (C, H, W) from 0 to 1; infinite for equal ones."""
    error = float(((picture.double() - reference.double()) ** 2).mean())
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(picture: Tensor, reference: Tensor) -> float:
    """Return the mean structural similarity of pictures (C, H, W) from 0 to 1 (Wang et al. 2004), mean of channels.

    The window is Gaussian, and only where it lies wholly in the picture counts. Raises Refusal for too small pictures.
    """
    if min(picture.shape[-2:]) < 2 * RADIUS + 1:
        raise Refusal(
            f"A picture of fewer than {2 * RADIUS + 1} pixels a side has no SSIM.", advice="Take a larger one."
        )
    a, b = picture.double(), reference.double()
    mean_a, mean_b = _mean(a), _mean(b)
    var_a, var_b = _mean(a * a) - mean_a**2, _mean(b * b) - mean_b**2
    covariance = _mean(a * b) - mean_a * mean_b
    c1, c2 = K1**2, K2**2
    above = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    below = (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return float((above / below).mean())


def colourfulness(pictures: Tensor) -> Tensor:
    """Return the colourfulness (N,) of RGB pictures (N, 3, H, W) from 0 to 1, on a scale of 0 to 255.

    Hasler and Suesstrunk 2003: 0 is grey, 15 slightly, 33 moderately, 59 quite, 109 extremely colourful.
    """
    red, green, blue = (255 * pictures).unbind(1)
    across, along = (red - green).flatten(1), ((red + green) / 2 - blue).flatten(1)
    spread = (across.var(1, correction=0) + along.var(1, correction=0)).sqrt()
    return spread + 0.3 * (across.mean(1) ** 2 + along.mean(1) ** 2).sqrt()


def _mean(values: Tensor) -> Tensor:
    """Return the weighted mean around each pixel of (C, H, W), where the window lies wholly in the picture."""
    line = (-(torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64) ** 2) / (2 * SIGMA**2)).exp()
    weights = (line / line.sum()).tolist()
    for axis in (1, 2):
        left = values.shape[axis] - 2 * RADIUS
        made = values.narrow(axis, 0, left) * weights[0]
        for place, weight in enumerate(weights[1:], 1):
            made.add_(values.narrow(axis, place, left), alpha=weight)
        values = made
    return values
