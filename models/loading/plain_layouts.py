"""Common layouts in which plain VAEs are saved, and a GAN made of two files."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

LAYOUTS = ("interleaved", "halves")


class ConvVAE(nn.Module):
    """The VAE of Burgess et al. (2018), for 32 or 64 px: 4x4 convolutions with stride 2, two hidden layers, and back.

    `layout` says whether the last layer's outputs are means and log-variances interleaved, or as two halves.
    """

    def __init__(
        self,
        *,
        dims: int,
        channels: int = 1,
        side: int = 32,
        width: int = 32,
        hidden: int = 256,
        layout: str = "halves",
    ) -> None:
        super().__init__()
        self.latent = [{"kind": "gaussian", "size": dims, "name": "z"}]
        self.range, self.likelihood = (0.0, 1.0), "bernoulli"
        sizes = {"dims": dims, "channels": channels, "side": side, "width": width, "hidden": hidden}
        self.encoder = _Encoder(layout=layout, **sizes)
        self.decoder = _Decoder(**sizes)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance (N, D) of pictures (N, C, S, S) with values 0 to 1."""
        return self.encoder(x)

    def logits(self, z: Tensor) -> Tensor:
        """Return the logits (N, C, S, S) of `decode`'s sigmoid."""
        return self.decoder(z)

    def decode(self, z: Tensor) -> Tensor:
        """Return pictures (N, C, S, S) with values 0 to 1 from codes (N, D)."""
        return torch.sigmoid(self.decoder(z))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x)[0])


class _Encoder(nn.Module):
    def __init__(self, *, dims: int, channels: int, side: int, width: int, hidden: int, layout: str) -> None:
        super().__init__()
        self.layout = layout
        self.conv1 = nn.Conv2d(channels, width, 4, 2, 1)
        self.conv2 = nn.Conv2d(width, width, 4, 2, 1)
        self.conv3 = nn.Conv2d(width, width, 4, 2, 1)
        if side == 64:
            self.conv_64 = nn.Conv2d(width, width, 4, 2, 1)
        self.lin1 = nn.Linear(width * 16, hidden)
        self.lin2 = nn.Linear(hidden, hidden)
        self.mu_logvar_gen = nn.Linear(hidden, 2 * dims)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for name in ("conv1", "conv2", "conv3", "conv_64"):
            if hasattr(self, name):
                x = functional.relu(getattr(self, name)(x))
        x = functional.relu(self.lin2(functional.relu(self.lin1(x.flatten(1)))))
        both = self.mu_logvar_gen(x)
        parted = both.unflatten(1, (-1, 2)).unbind(2) if self.layout == "interleaved" else both.chunk(2, 1)
        return parted[0], parted[1]


class _Decoder(nn.Module):
    def __init__(self, *, dims: int, channels: int, side: int, width: int, hidden: int) -> None:
        super().__init__()
        self.width = width
        self.lin1 = nn.Linear(dims, hidden)
        self.lin2 = nn.Linear(hidden, hidden)
        self.lin3 = nn.Linear(hidden, width * 16)
        if side == 64:
            self.convT_64 = nn.ConvTranspose2d(width, width, 4, 2, 1)
        self.convT1 = nn.ConvTranspose2d(width, width, 4, 2, 1)
        self.convT2 = nn.ConvTranspose2d(width, width, 4, 2, 1)
        self.convT3 = nn.ConvTranspose2d(width, channels, 4, 2, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = functional.relu(self.lin3(functional.relu(self.lin2(functional.relu(self.lin1(z))))))
        x = x.view(-1, self.width, 4, 4)
        for name in ("convT_64", "convT1", "convT2"):
            if hasattr(self, name):
                x = functional.relu(getattr(self, name)(x))
        return self.convT3(x)


class MLPVAE(nn.Module):
    """The VAE of PyTorch's examples: one hidden layer, means in `fc21`, log-variances in `fc22`."""

    def __init__(self, *, pixels: int, hidden: int, dims: int, side: int) -> None:
        super().__init__()
        self.latent = [{"kind": "gaussian", "size": dims, "name": "z"}]
        self.range, self.likelihood = (0.0, 1.0), "bernoulli"
        self.side = side
        self.fc1 = nn.Linear(pixels, hidden)
        self.fc21 = nn.Linear(hidden, dims)
        self.fc22 = nn.Linear(hidden, dims)
        self.fc3 = nn.Linear(dims, hidden)
        self.fc4 = nn.Linear(hidden, pixels)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance (N, D) of pictures (N, C, S, S) with values 0 to 1."""
        h = functional.relu(self.fc1(x.flatten(1)))
        return self.fc21(h), self.fc22(h)

    def logits(self, z: Tensor) -> Tensor:
        """Return the logits (N, C, S, S) of `decode`'s sigmoid."""
        return self.fc4(functional.relu(self.fc3(z))).view(len(z), -1, self.side, self.side)

    def decode(self, z: Tensor) -> Tensor:
        """Return pictures (N, C, S, S) with values 0 to 1 from codes (N, D)."""
        return torch.sigmoid(self.logits(z))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x)[0])


class PlainGAN(nn.Module):
    """A generator, and optionally its discriminator from a second file, opened as one model."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module | None,
        *,
        dims: int,
        value_range: tuple[float, float] = (-1.0, 1.0),
    ) -> None:
        super().__init__()
        self.latent: list[dict[str, Any]] = [{"kind": "gaussian", "size": dims, "name": "noise"}]
        self.range = value_range
        self.generator = generator
        if discriminator is not None:
            self.discriminator = discriminator

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)
