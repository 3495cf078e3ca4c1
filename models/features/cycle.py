"""What happens to a translated picture on the way back when it is disturbed: the steganography test.

A generator can hide in its output what it needs to find the way back, in details that nobody sees (Chu, Zhmoginov and
Sandler 2017, arXiv 1712.02950). Noise of a few grey levels, rounding, JPEG or blur destroy such a message: then the
error of the cycle grows by far more than by what was added.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

NOISE, ROUNDING, JPEG, BLUR = "noise", "8 bits", "JPEG", "blur"
QUALITIES = (95, 75)
BLUR_PX = 1.0
HIGH_PASS_PX = 2.0
STEEP, SOME = 5.0, 2.0  # times what was added, from which a message is likely


@dataclass(frozen=True)
class Disturbed:
    """What was done to a picture, how far it changed it, and the error of the cycle then; means from 0 to 1.

    `sigma` is that of the noise, in 255ths.
    """

    kind: str
    sigma: float
    added: float
    error: float
    spread: float = 0.0

    def times(self, before: float) -> float:
        """Return how many times what was added the error grew, from that of the undisturbed cycle."""
        return (self.error - before) / max(self.added, 1e-9)


def disturbances(
    fake: Tensor, sigmas: Sequence[float], draws: int, seed: int
) -> Iterator[tuple[str, float, list[Tensor]]]:
    """Yield what is done to a picture (1, 3, h, w) from 0 to 1: kind, sigma in 255ths, and the pictures that result."""
    generator = torch.Generator().manual_seed(seed)
    for sigma in sigmas:
        count = draws if sigma else 1
        noise = [torch.randn(fake.shape, generator=generator).to(fake) for _ in range(count)]
        yield NOISE, sigma, [fake + one * (sigma / 255) for one in noise]
    yield ROUNDING, 0.0, [(fake.clamp(0, 1) * 255).round() / 255]
    for quality in QUALITIES:
        yield f"{JPEG} {quality}", 0.0, [compressed(fake, quality)]
    yield f"{BLUR} {BLUR_PX:g} px", 0.0, [blurred(fake, BLUR_PX)]


def steganography(
    fake: Tensor,
    real: Tensor,
    back: Callable[[Tensor], Tensor],
    *,
    sigmas: Sequence[float],
    draws: int,
    seed: int,
    progress: Callable[[float, str], None],
) -> list[Disturbed]:
    """Return the error of the cycle after each disturbance of the picture made; the first has none (sigma 0)."""
    found = []
    made = list(disturbances(fake, sigmas, draws, seed))
    for number, (kind, sigma, pictures) in enumerate(made):
        progress(number / len(made), kind)
        errors = [float((back(one) - real).abs().mean()) for one in pictures]
        added = float(np.mean([float((one - fake).abs().mean()) for one in pictures]))
        found.append(Disturbed(kind, sigma, added, float(np.mean(errors)), float(np.std(errors))))
    return found


def steepest(found: Sequence[Disturbed]) -> Disturbed:
    """Return the noise after which the error grew most for what was added."""
    return max((one for one in found if one.sigma), key=lambda one: one.times(found[0].error), default=found[0])


def verdict(found: Sequence[Disturbed]) -> tuple[str, str]:
    """Return "steep", "some" or "flat", and what that means, in words."""
    worst = steepest(found)
    times = worst.times(found[0].error) if worst.sigma else 0.0
    grown = (
        f"Noise of sigma {worst.sigma:g}/255 raises the error of the cycle by {times:.1f} times what the noise itself "
        "changes."
    )
    if times >= STEEP:
        return "steep", f"{grown} The way back rests on details that nobody sees: a hidden message is likely."
    if times >= SOME:
        return "some", f"{grown} The way back rests in part on faint details."
    return "flat", f"{grown} The curve is flat: the way back reads what is seen."


def blurred(picture: Tensor, sigma: float) -> Tensor:
    """Return pictures (N, 3, h, w) blurred by a Gaussian of `sigma` px; borders are repeated."""
    reach = max(1, round(3 * sigma))
    place = torch.arange(-reach, reach + 1).to(picture)
    kernel = torch.exp(-(place**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(picture.shape[1], 1, -1)
    padded = functional.pad(picture, (reach,) * 4, mode="replicate")
    down = functional.conv2d(padded, kernel[..., None], groups=picture.shape[1])
    return functional.conv2d(down, kernel[:, :, None], groups=picture.shape[1])


def compressed(picture: Tensor, quality: int) -> Tensor:
    """Return a picture (1, 3, h, w) from 0 to 1 as a JPEG file of some quality gives it back."""
    pixels = (picture[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    read = np.asarray(Image.open(file).convert("RGB"))
    return (torch.from_numpy(read.copy()).permute(2, 0, 1)[None].float() / 255).to(picture)


def high_pass(picture: Tensor, gain: float) -> Tensor:
    """Return the fine details of a picture (1, 3, h, w), enlarged around mid grey."""
    return (0.5 + gain * (picture - blurred(picture, HIGH_PASS_PX))).clamp(0, 1)
