"""Generators, decoders and VAEs as people export them, small and with random weights. No test is here."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Deep(nn.Module):
    """DCGAN's generator: codes (N, 12, 1, 1) to pictures (N, 3, 16, 16) from -1 to 1."""

    def __init__(self, nz: int = 12, nc: int = 3) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, 8, 4, 1, 0, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(True),
            nn.ConvTranspose2d(8, 6, 4, 2, 1, bias=False),
            nn.ReLU(True),
            nn.ConvTranspose2d(6, nc, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x)


class Flat(nn.Module):
    """A decoder of linear layers: codes (N, 9) to rows of 784 numbers from 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.fc3, self.fc4 = nn.Linear(9, 16), nn.Linear(16, 784)

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.fc4(functional.relu(self.fc3(z))))


class Conditional(nn.Module):
    """A generator of noise (N, 8) and a class number (N,), of which there are seven."""

    def __init__(self) -> None:
        super().__init__()
        self.label_emb = nn.Embedding(7, 5)
        self.model = nn.Sequential(nn.Linear(13, 32), nn.LeakyReLU(0.2), nn.Linear(32, 784), nn.Tanh())

    def forward(self, noise: Tensor, labels: Tensor) -> Tensor:
        return self.model(torch.cat([self.label_emb(labels), noise], 1)).view(-1, 1, 28, 28)


class OneHot(nn.Module):
    """A decoder of codes (N, 8) and a one-hot row (N, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 784), nn.Sigmoid())

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return self.model(torch.cat([z, y], 1)).view(-1, 1, 28, 28)


class Variational(nn.Module):
    """A VAE of pictures (N, 1, 28, 28) exported whole: what it draws, means and logarithms of variances."""

    def __init__(self, *, draws: bool = True) -> None:
        super().__init__()
        self.draws = draws
        self.features = nn.Sequential(nn.Conv2d(1, 4, 4, 4), nn.ReLU(), nn.Flatten())
        self.mu, self.logvar = nn.Linear(4 * 49, 3), nn.Linear(4 * 49, 3)
        self.up = nn.Linear(3, 4 * 49)
        self.out = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(4, 1, 4, 4), nn.Sigmoid())

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.features(x)
        return self.mu(h), self.logvar(h)

    def decode(self, z: Tensor) -> Tensor:
        return self.out(self.up(z).view(-1, 4, 7, 7))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(logvar) if self.draws else mu
        return self.decode(z), mu, logvar


CODES = torch.randn(3, 8, generator=torch.Generator().manual_seed(4))
INPUTS: dict[str, tuple[type[nn.Module], tuple[Tensor, ...]]] = {
    "deep": (Deep, (torch.randn(3, 12, 1, 1, generator=torch.Generator().manual_seed(1)),)),
    "flat": (Flat, (torch.randn(3, 9, generator=torch.Generator().manual_seed(2)),)),
    "conditional": (Conditional, (CODES, torch.tensor([0, 6, 3]))),
    "one-hot": (OneHot, (CODES, torch.eye(4)[[0, 3, 2]])),
}


def made(name: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Return a generator with random weights, and three inputs."""
    kind, inputs = INPUTS[name]
    torch.manual_seed(0)
    return kind().eval(), inputs
