"""The bundled variational autoencoders of digits, for 32x32 px."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SIZE_PX = 32
LEAST_PX = 4


class VAE(nn.Module):
    """A convolutional variational autoencoder (Kingma, Welling 2014) of one channel and 32x32 px.

    The posterior is a gaussian with diagonal covariance, the prior N(0, I). The smooth activation (SiLU) makes the
    decoder differentiable everywhere, so that paths have no kinks.
    """

    def __init__(self, *, dimensions: int, width: int = 32, hidden: int = 256) -> None:
        super().__init__()
        self.latent = [{"kind": "gaussian", "size": dimensions, "name": "z"}]
        self.range, self.likelihood = (0.0, 1.0), "bernoulli"
        flat = 4 * width * LEAST_PX**2
        self.encoder = nn.Sequential(
            *down(1, width),
            *down(width, 2 * width),
            *down(2 * width, 4 * width),
            nn.Flatten(),
            *dense(flat, hidden),
            *dense(hidden, hidden),
        )
        self.mu = nn.Linear(hidden, dimensions)
        self.logvar = nn.Linear(hidden, dimensions)
        self.decoder = nn.Sequential(
            *dense(dimensions, hidden),
            *dense(hidden, hidden),
            *dense(hidden, flat),
            nn.Unflatten(1, (4 * width, LEAST_PX, LEAST_PX)),
            *up(4 * width, 2 * width),
            *up(2 * width, width),
            nn.ConvTranspose2d(width, 1, 4, 2, 1),
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior's mean and log variance (N, D) for pictures (N, 1, 32, 32) in [0, 1]."""
        h = self.encoder(x)
        return self.mu(h), self.logvar(h)

    def logits(self, z: Tensor) -> Tensor:
        """Return the logits (N, 1, 32, 32) that codes (N, D) decode to."""
        return self.decoder(z)

    def decode(self, z: Tensor) -> Tensor:
        """Return the pictures (N, 1, 32, 32) in [0, 1] for codes (N, D)."""
        return torch.sigmoid(self.logits(z))

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstructions of pictures, decoded from the posterior's mean."""
        return self.decode(self.encode(x)[0])


def down(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """Return layers that halve the sides of maps."""
    return nn.Conv2d(inputs, outputs, 4, 2, 1), nn.SiLU()


def up(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """Return layers that double the sides of maps."""
    return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.SiLU()


def dense(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """Return a linear layer with its activation."""
    return nn.Linear(inputs, outputs), nn.SiLU()


def digits_vae() -> VAE:
    """Build the autoencoder with 10 latent dimensions, 1.5 million parameters."""
    return VAE(dimensions=10)


def digits_vae_2d() -> VAE:
    """Build the autoencoder with 2 latent dimensions, whose latent space fits on a plane."""
    return VAE(dimensions=2)
