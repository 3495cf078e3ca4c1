"""The bundled progressive GAN of digits (Karras et al. 2018), which grows from 4 to 32 px in four levels.

A position from 0 to 3 says how far it has grown: at a whole number a level is complete; between two, the next level is
faded in, its weight alpha being what is behind the point. At the ends of a fade-in, the mixture is one of its branches
to the last bit.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.bundled.gan import NOISE, SLOPE

SIDES_PX = (4, 8, 16, 32)
WIDTHS = (64, 32, 24, 12)
LAST = len(SIDES_PX) - 1


def place(position: float) -> tuple[int, float]:
    """Return the level and the weight alpha of its own branch at a position from 0 to 3."""
    position = min(max(float(position), 0.0), float(LAST))
    level = math.ceil(position)
    return level, 1.0 if level == position else position - (level - 1)


def mixed(old: Tensor, new: Tensor, alpha: float) -> Tensor:
    """Return two branches mixed; at alpha 0 and 1 exactly one of them."""
    return old if alpha == 0 else new if alpha == 1 else (1 - alpha) * old + alpha * new


class Normalised(nn.Module):
    """Scales each pixel's channels to a mean square of 1 (Karras et al. 2018, section 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class ProgressiveGenerator(nn.Module):
    """Maps codes (N, D) to pictures (N, 1, S, S) in [-1, 1]; each level has a layer that makes its picture."""

    def __init__(self, *, dimensions: int, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        least = SIDES_PX[0]
        first = widths[0]
        start = nn.Sequential(
            nn.Linear(dimensions, first * least**2),
            nn.Unflatten(1, (first, least, least)),
            nn.LeakyReLU(SLOPE),
            Normalised(),
            *_made(first, first),
        )
        pairs = pairwise(widths)
        self.levels = nn.ModuleList([start, *(nn.Sequential(*_made(a, b), *_made(b, b)) for a, b in pairs)])
        self.pictures = nn.ModuleList(nn.Sequential(nn.Conv2d(width, 1, 1), nn.Tanh()) for width in widths)

    def branches(self, z: Tensor, level: int) -> tuple[Tensor, Tensor]:
        """Return the picture of the level before, twice as large by repeated pixels, and the level's own.

        Level 0 has no level before: both are its own.
        """
        x = z
        for at in range(level):
            x = self.levels[at](x if not at else _larger(x))
        if not level:
            own = self.pictures[0](self.levels[0](z))
            return own, own
        return _larger(self.pictures[level - 1](x)), self.pictures[level](self.levels[level](_larger(x)))

    def forward(self, z: Tensor, position: float = LAST) -> Tensor:
        """Return the pictures at a position, the last if none is given."""
        level, alpha = place(position)
        old, new = self.branches(z, level)
        return mixed(old, new, alpha)


class ProgressiveDiscriminator(nn.Module):
    """The generator's mirror: pictures (N, 1, S, S) of any level's side to logits (N,), above 0 if judged real."""

    def __init__(self, *, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.pictures = nn.ModuleList(nn.Sequential(nn.Conv2d(1, width, 1), nn.LeakyReLU(SLOPE)) for width in widths)
        pairs = pairwise(widths)
        ups = [nn.Sequential(*_seen(b, b), *_seen(b, a), nn.AvgPool2d(2)) for a, b in pairs]
        last = nn.Sequential(*_seen(widths[0], widths[0]), nn.Flatten(), nn.Linear(widths[0] * SIDES_PX[0] ** 2, 1))
        self.levels = nn.ModuleList([last, *ups])

    def forward(self, x: Tensor, position: float = LAST) -> Tensor:
        """Return the logits of pictures of a position's level, whose halved picture enters the level before.

        The position's alpha mixes what both branches see, as the generator's pictures are mixed.
        """
        level, alpha = place(position)
        h = self.pictures[level](x)
        if level:
            h = self.levels[level](h)
            if alpha < 1:
                h = mixed(self.pictures[level - 1](functional.avg_pool2d(x, 2)), h, alpha)
            for at in range(level - 1, 0, -1):
                h = self.levels[at](h)
        return self.levels[0](h)[:, 0]

    def branch_scores(self, x: Tensor, level: int) -> tuple[Tensor, Tensor]:
        """Return the logits of the halved pictures by the level before, and of the pictures by a level."""
        own = self(x, level)
        return (self(functional.avg_pool2d(x, 2), level - 1) if level else own), own


class ProgressiveGAN(nn.Module):
    """A generator and its mirror that grow together."""

    def __init__(self, *, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.latent, self.range = [dict(NOISE)], (-1.0, 1.0)
        self.generator = ProgressiveGenerator(dimensions=NOISE["size"], widths=widths)
        self.discriminator = ProgressiveDiscriminator(widths=widths)

    def forward(self, z: Tensor) -> Tensor:
        """Return the pictures (N, 1, 32, 32) of the last level, in [-1, 1]."""
        return self.generator(z)


def _larger(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")


def _made(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(SLOPE), Normalised()


def _seen(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(SLOPE)


def digits_progan() -> ProgressiveGAN:
    """Build the progressive GAN: 64 gaussian dimensions, from 64 channels at 4 px to 12 at 32 px."""
    return ProgressiveGAN()


def real_at(x: Tensor, position: float) -> Tensor:
    """Return pictures (N, 1, 32, 32) as they are shown at a position: made smaller, and mixed as the generator's."""
    level, alpha = place(position)
    times = SIDES_PX[LAST] // SIDES_PX[level]
    small = functional.avg_pool2d(x, times) if times > 1 else x
    return small if alpha == 1 else mixed(_larger(functional.avg_pool2d(small, 2)), small, alpha)


@torch.no_grad()
def scaled_start(net: nn.Module) -> nn.Module:
    """Draw a network's weights as for ReLU (He et al. 2015) and set its biases to 0; return the network."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, SLOPE)
            nn.init.zeros_(module.bias)  # pyright: ignore[reportArgumentType]
    return net
