"""The bundled generative adversarial networks of digits, 32x32 px: DCGAN, InfoGAN and a conditional GAN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

SIZE_PX = 32
LEAST_PX = 4
SLOPE = 0.2
CATEGORIES, CONTINUOUS = 10, 2
NOISE = {"kind": "gaussian", "size": 64, "name": "noise"}
CODES = (
    {"kind": "categorical", "size": CATEGORIES, "name": "category"},
    {"kind": "uniform", "size": CONTINUOUS, "name": "style"},
    {"kind": "gaussian", "size": 52, "name": "noise"},
)


CLASS_AND_NOISE = ({"kind": "categorical", "size": CATEGORIES, "name": "digit"}, NOISE)


class Generator(nn.Sequential):
    """Maps codes (N, D) to pictures (N, 1, 32, 32) in [-1, 1] (Radford et al. 2016)."""

    def __init__(self, *, dimensions: int, width: int) -> None:
        flat = 4 * width * LEAST_PX**2
        super().__init__(
            nn.Linear(dimensions, flat, bias=False),
            nn.Unflatten(1, (4 * width, LEAST_PX, LEAST_PX)),
            nn.BatchNorm2d(4 * width),
            nn.ReLU(),
            *_up(4 * width, 2 * width),
            *_up(2 * width, width),
            nn.ConvTranspose2d(width, 1, 4, 2, 1),
            nn.Tanh(),
        )


class Discriminator(nn.Module):
    """Maps pictures (N, 1, 32, 32) in [-1, 1] to logits (N,), above 0 for pictures judged real."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.body = _body(width)
        self.score = nn.Linear(4 * width * LEAST_PX**2, 1)

    def features(self, x: Tensor) -> Tensor:
        """Return the activations (N, F) before the last layer."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.score(self.features(x))[:, 0]


class ConditionalDiscriminator(Discriminator):
    """Maps pictures and their classes to logits by projection (Miyato, Koyama 2018, equation 3)."""

    def __init__(self, *, width: int) -> None:
        super().__init__(width=width)
        self.of_class = nn.Linear(4 * width * LEAST_PX**2, CATEGORIES, bias=False)

    def forward(self, x: Tensor, classes: Tensor | None = None) -> Tensor:
        """Return logits (N,) of pictures for `classes` (N, 10), one-hot; without these, for their likeliest class."""
        each = self.each(x)
        return each.max(1).values if classes is None else (each * classes).sum(1)

    def each(self, x: Tensor) -> Tensor:
        """Return the logits (N, 10) of pictures for every class."""
        h = self.features(x)
        return self.score(h) + self.of_class(h)


class Recogniser(nn.Module):
    """Predicts codes from pictures: logits (N, 10) of the category, means (N, 2) of the uniform codes."""

    def __init__(self, *, width: int, hidden: int = 128) -> None:
        super().__init__()
        flat = 4 * width * LEAST_PX**2
        head = nn.Linear(flat, hidden, bias=False), nn.BatchNorm1d(hidden), nn.LeakyReLU(SLOPE)
        self.body = nn.Sequential(*_body(width, normalised=True), *head)
        self.category = nn.Linear(hidden, CATEGORIES)
        self.continuous = nn.Linear(hidden, CONTINUOUS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x)
        return self.category(h), self.continuous(h)


class GAN(nn.Module):
    """A generator with the discriminator it was trained against; InfoGAN (Chen et al. 2016) also has a recogniser."""

    def __init__(
        self,
        *,
        latent: Sequence[Mapping[str, Any]],
        width: int = 16,
        recognises: bool = False,
        conditional: bool = False,
    ) -> None:
        super().__init__()
        self.latent, self.range = [dict(block) for block in latent], (-1.0, 1.0)
        self.generator = Generator(dimensions=sum(block["size"] for block in latent), width=3 * width)
        self.discriminator = (ConditionalDiscriminator if conditional else Discriminator)(width=2 * width)
        if recognises:
            self.recogniser = Recogniser(width=width)

    def forward(self, z: Tensor) -> Tensor:
        """Return the pictures (N, 1, 32, 32) in [-1, 1] for codes (N, D)."""
        return self.generator(z)


def _up(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()


def _body(width: int, *, normalised: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(SLOPE)]
    for inputs, outputs in ((width, 2 * width), (2 * width, 4 * width)):
        layers += [nn.Conv2d(inputs, outputs, 4, 2, 1)]
        layers += [nn.BatchNorm2d(outputs)] if normalised else []
        layers += [nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers, nn.Flatten())


def digits_gan() -> GAN:
    """Build the DCGAN: 64 gaussian dimensions."""
    return GAN(latent=(NOISE,))


def digits_infogan() -> GAN:
    """Build the InfoGAN: a category of 10, two uniform codes in [-1, 1], 52 gaussian dimensions."""
    return GAN(latent=CODES, recognises=True)


def digits_cgan() -> GAN:
    """Build the conditional GAN (Mirza, Osindero 2014): the digit to draw, one-hot, and 64 gaussian dimensions."""
    return GAN(latent=CLASS_AND_NOISE, width=10, conditional=True)


def draw(latent: Sequence[Mapping[str, Any]], count: int, generator: torch.Generator) -> Tensor:
    """Draw codes (count, D) from the prior of the blocks, in their order."""
    parts = []
    for block in latent:
        size = block["size"]
        if block["kind"] == "categorical":
            rows = torch.randint(size, (count,), generator=generator)
            parts.append(nn.functional.one_hot(rows, size).float())
        elif block["kind"] == "uniform":
            parts.append(torch.rand(count, size, generator=generator) * 2 - 1)
        else:
            parts.append(torch.randn(count, size, generator=generator))
    return torch.cat(parts, 1)
