"""Pictures that a unit of a network responds to most, by gradient ascent on the picture (Simonyan et al. 2014).

The network sees a picture of values 0 to 1, which are the sigmoid of what is optimised, so that no value is ever cut
off. That is either the pixels themselves or, after Olah et al. 2017, a spectrum with 1/f amplitudes over decorrelated
colours. Jitter, blur, total variation and the L2 norm, each optional, keep it from becoming noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.runtime.forward_passes import seed as seeded
from models.runtime.watched_pass import put_random_state, random_state
from models.subject import Subject
from models.tracing.backward_pass import arriving, back
from models.types import Refusal

NOISE = 0.1  # standard deviation of the noise that a picture starts from, before the sigmoid
EDGE = 0.02  # an existing picture starts at least so far from black and white, where the sigmoid is flat
BLUR_EVERY = 4  # steps
# Brightness, and two opponent colours that vary less in photographs.
COLOURS = ((0.577, 0.577, 0.577), (0.212, 0.0, -0.212), (0.061, -0.122, 0.061))
Objective = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Recipe:
    """How a picture is made: see the fields of the inspection's parameters of the same names.

    `jitter` is in pixels of the input, and `kept` how many pictures of the way are kept for the strip.
    """

    steps: int = 64
    rate: float = 0.1
    optimiser: str = "gradient"
    space: str = "pixels"
    jitter: int = 0
    blur: float = 0.0
    variation: float = 0.0
    length: float = 0.0
    seed: int = 0
    kept: int = 8


@dataclass(frozen=True)
class Made:
    """Pictures (S, 3, h, w) from 0 to 1 in the network's order of channels; of the first one also those on the way.

    `way` (K, 3, h, w) are from after the steps `at` (K,), and `values` (steps + 1, S) is the objective.
    """

    pictures: Tensor
    way: Tensor
    at: tuple[int, ...]
    values: Tensor

    @property
    def nbytes(self) -> int:
        """Size of the pictures in bytes."""
        return self.pictures.nbytes + self.way.nbytes


@dataclass
class Canvas:
    """What is optimised, `latent`, and the picture from 0 to 1 that it stands for."""

    latent: Tensor
    picture: Callable[[Tensor], Tensor]
    blurred: Callable[[Tensor, float], Tensor]
    units: Callable[[Tensor], Tensor] = field(default=lambda gradient: gradient)


def values_of(model: Any, subject: Subject) -> Tensor:
    """Return the network's value (1, 3, 1, 1) of a white pixel. Raises Refusal if it is not known."""
    black, prepared = subject.black, getattr(model, "preprocess", None)
    if prepared is not None:
        white = [(prepared.range - m) / s for m, s in zip(prepared.mean, prepared.std, strict=True)]
        return torch.tensor(white).to(black).view(1, 3, 1, 1)
    transform = getattr(model.net, "transform", None)
    spread = getattr(transform, "image_std", None) or getattr(model, "std", None)
    if spread is None:
        raise Refusal(
            f"How {model.card.name} scales the values of a picture is not known.", advice="Open it with a card."
        )
    return black + 1 / torch.tensor(tuple(spread)).to(black).view(1, 3, 1, 1)


def pixels_of(shape: tuple[int, int], count: int, given: Tensor | None, seed: int, like: Tensor) -> Canvas:
    """Return pixels before the sigmoid: of a picture `given` (1, 3, h, w), or grey with a little noise."""
    latent = _start(shape, count, given, seed, like)
    return Canvas(latent, torch.sigmoid, _smooth)


def spectrum_of(shape: tuple[int, int], count: int, given: Tensor | None, seed: int, like: Tensor) -> Canvas:
    """Return the spectrum of such pixels with 1/f amplitudes, over decorrelated colours."""
    height, width = shape
    start = _start(shape, count, given, seed, like)
    mix = torch.tensor(COLOURS).to(like)  # (colours, channels)
    down, across = torch.fft.fftfreq(height).to(like), torch.fft.rfftfreq(width).to(like)
    frequency = (down[:, None] ** 2 + across[None] ** 2).sqrt()
    scale = 1 / frequency.clamp(min=1 / max(height, width))
    scale = scale / scale.square().mean().sqrt()
    opponent = torch.einsum("nchw,cd->ndhw", start, torch.linalg.inv(mix))
    latent = torch.view_as_real(torch.fft.rfft2(opponent, norm="ortho") / scale).contiguous()

    def picture(values: Tensor) -> Tensor:
        plain = torch.fft.irfft2(torch.view_as_complex(values.contiguous()) * scale, s=(height, width), norm="ortho")
        return torch.sigmoid(torch.einsum("ndhw,dc->nchw", plain, mix))

    def blurred(values: Tensor, sigma: float) -> Tensor:
        return values * torch.exp(-2 * (math.pi * sigma * frequency) ** 2)[..., None]

    return Canvas(latent, picture, blurred)


CANVASES = {"pixels": pixels_of, "fourier": spectrum_of}


def synthesise(
    subject: Subject,
    white: Tensor,
    objective: Objective,
    recipe: Recipe,
    *,
    count: int,
    given: Tensor | None,
    progress: Callable[[float, str], None],
) -> Made:
    """Return `count` pictures with a large objective, which maps inputs (N, 3, h, w) to values (N,).

    `given` (1, 3, h, w) is the input to start from, None for noise. Raises Refusal if no gradient arrives.
    """
    span = white - subject.black
    start = None if given is None else ((given - subject.black) / span).clamp(EDGE, 1 - EDGE)
    canvas = CANVASES[recipe.space](subject.size, count, start, recipe.seed, subject.input)
    latent = canvas.latent.detach().clone()
    adam = torch.optim.Adam([latent], lr=recipe.rate) if recipe.optimiser == "adam" else None
    kept = sorted({round(step) for step in torch.linspace(0, recipe.steps, recipe.kept).tolist()})
    shifts = torch.Generator().manual_seed(recipe.seed)
    way: list[Tensor] = []
    values: list[Tensor] = []
    state = random_state()
    try:
        for step in range(recipe.steps + 1):
            progress(step / (recipe.steps + 1), f"step {step:,} of {recipe.steps:,}")
            if step in kept:
                way.append(canvas.picture(latent.detach())[:1].clone())
            seeded(recipe.seed + step)
            x = latent.detach().requires_grad_()
            shown = canvas.picture(x)
            moved = shown
            if recipe.jitter and step < recipe.steps:
                low, high = -recipe.jitter, recipe.jitter + 1
                by = torch.randint(low, high, (2,), generator=shifts).tolist()
                moved = torch.roll(shown, by, (-2, -1))
            with arriving():
                found = objective(subject.black + moved * span)
            values.append(found.detach().float().cpu())
            if step == recipe.steps:
                break
            total = found.sum() - _penalty(shown, recipe)
            gradient = back(total, x)
            if not torch.isfinite(gradient).all():
                raise Refusal("The gradient is not a number (NaN or infinite).", advice="Take another layer.")
            if step == 0 and not gradient.any():
                raise Refusal(
                    "This unit does not respond at the start, so there is no direction to go in.",
                    advice="Start from the picture, take another seed, or the layer before the activation function.",
                )
            latent = _stepped(latent, gradient, recipe.rate, adam)
            if recipe.blur and step % BLUR_EVERY == BLUR_EVERY - 1:
                latent.copy_(canvas.blurred(latent, recipe.blur))
    finally:
        put_random_state(state)
    return Made(canvas.picture(latent.detach()), torch.cat(way), tuple(kept), torch.stack(values))


def _stepped(latent: Tensor, gradient: Tensor, rate: float, adam: torch.optim.Adam | None) -> Tensor:
    """Return the latent after a step upwards: by Adam, or along the gradient, `rate` being its root mean square."""
    if adam is not None:
        latent.grad = -gradient
        adam.step()
        return latent
    size = gradient.flatten(1).square().mean(1).sqrt().clamp(min=1e-20)
    return latent + gradient * (rate / size).view(-1, *[1] * (gradient.dim() - 1))


def _penalty(shown: Tensor, recipe: Recipe) -> Tensor:
    """Return the weighted total variation and squared distance from grey, each a mean over the pixels."""
    total = shown.new_zeros(())
    if recipe.variation:
        down, across = shown.diff(dim=-2).square(), shown.diff(dim=-1).square()
        total = total + recipe.variation * (down.mean((1, 2, 3)) + across.mean((1, 2, 3))).sum()
    if recipe.length:
        total = total + recipe.length * (shown - 0.5).square().mean((1, 2, 3)).sum()
    return total


def _start(shape: tuple[int, int], count: int, given: Tensor | None, seed: int, like: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = NOISE * torch.randn((count, 3, *shape), generator=generator).to(like)
    if given is None:
        return noise
    plain = torch.logit(given).expand(count, -1, -1, -1)
    # The first start is the picture itself; others are apart, so that several starts differ.
    return plain + torch.cat([torch.zeros_like(noise[:1]), noise[1:]])


def _smooth(values: Tensor, sigma: float) -> Tensor:
    """Return maps (N, C, h, w) blurred by a Gaussian of `sigma` pixels."""
    reach = max(1, min(math.ceil(3 * sigma), min(values.shape[-2:]) - 1))
    place = torch.arange(-reach, reach + 1).to(values)
    kernel = torch.exp(-(place**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(values.shape[1], 1, -1)
    padded = functional.pad(values, (reach,) * 4, mode="reflect")
    down = functional.conv2d(padded, kernel[..., None], groups=values.shape[1])
    return functional.conv2d(down, kernel[:, :, None], groups=values.shape[1])
