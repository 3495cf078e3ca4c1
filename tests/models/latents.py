"""For tests of latent spaces: the networks of checkpoints that others trained, MNIST, and models with known answers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

SHARED = Path(__file__).resolve().parents[3] / "shared"
CHECKPOINTS = Path(os.environ.get("VITRINE_CHECKPOINTS", SHARED / "checkpoints"))
MNIST = Path(os.environ.get("VITRINE_DATA", SHARED / "data")) / "mnist.npz"


def needed(*paths: Path) -> Any:
    """Skip a test unless the files are there."""
    missing = [str(path) for path in paths if not path.exists()]
    reason = f"{', '.join(missing)}: VITRINE_CHECKPOINTS and VITRINE_DATA name the folders"
    return pytest.mark.skipif(bool(missing), reason=reason)


def vae_file(name: str = "vae_mnist") -> Path:
    return CHECKPOINTS / name / "model.pt"


def gan_file(which: str = "G") -> Path:
    return CHECKPOINTS / "mlp_gan_mnist" / f"{which}--300.ckpt"


class Vae(nn.Module):
    """The network whose tensors are in vae_mnist and betah_mnist: 1x32x32 in [0, 1], 10 dimensions."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.w = weights

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mu and logvar (N, 10) of pictures (N, 1, 32, 32)."""
        for name in ("conv1", "conv2", "conv3"):
            x = F.relu(F.conv2d(x, *self._of("encoder", name), stride=2, padding=1))
        x = x.flatten(1)
        for name in ("lin1", "lin2"):
            x = F.relu(F.linear(x, *self._of("encoder", name)))
        mu, logvar = F.linear(x, *self._of("encoder", "mu_logvar_gen")).view(len(x), -1, 2).unbind(-1)
        return mu, logvar

    def decode(self, z: Tensor) -> Tensor:
        """Return pictures (N, 1, 32, 32) in 0 to 1 of codes (N, 10)."""
        for name in ("lin1", "lin2", "lin3"):
            z = F.relu(F.linear(z, *self._of("decoder", name)))
        x = z.view(len(z), 32, 4, 4)
        for name in ("convT1", "convT2"):
            x = F.relu(F.conv_transpose2d(x, *self._of("decoder", name), stride=2, padding=1))
        return F.conv_transpose2d(x, *self._of("decoder", "convT3"), stride=2, padding=1).sigmoid()

    def _of(self, *path: str) -> tuple[Tensor, Tensor]:
        name = ".".join(path)
        return self.w[f"{name}.weight"], self.w[f"{name}.bias"]


def vae(name: str = "vae_mnist") -> Vae:
    return Vae(torch.load(vae_file(name), weights_only=True, map_location="cpu"))


def gan_generator() -> nn.Sequential:
    """The generator of mlp_gan_mnist, 64 numbers to 784 in -1 to 1."""
    net = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 784), nn.Tanh())
    net.load_state_dict(torch.load(gan_file(), weights_only=True, map_location="cpu"))
    return net.eval().requires_grad_(False)


def mnist(count: int, *, size: int = 32, part: str = "test", every: int = 1) -> Tensor:
    """Return some of the first pictures (N, 1, size, size) in 0 to 1, resized bilinearly; they are sorted by class."""
    with np.load(MNIST) as archive:
        pictures = torch.from_numpy(archive[f"{part}_images"][:count:every].astype(np.float32) / 255)
    return F.interpolate(pictures[:, None], (size, size), mode="bilinear", align_corners=False)
