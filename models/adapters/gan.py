"""Adapter for generative adversarial networks: a generator from codes to images, and its discriminator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.bundled.progressive import ProgressiveGAN
from models.latent.generative_model import LatentModel
from models.loading.layer_chain import Chain
from models.loading.plain_layouts import PlainGAN


class GANAdapter(LatentModel):
    """An opened GAN."""

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        parts = [getattr(net, part, None) for part in ("generator", "discriminator")]
        return all(isinstance(part, nn.Module) for part in parts) and not isinstance(net, ProgressiveGAN)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        generator = Chain(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 64), nn.Tanh(), side=8, made=True)
        return PlainGAN(generator, Chain(nn.Linear(64, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1)), dims=6)

    def generate(self, codes: Tensor) -> Tensor:
        """Return the generator's images (N, C, H, W) for codes (N, D)."""
        return self.net.generator(codes)

    def score(self, pictures: Tensor) -> Tensor:
        """Return the discriminator's scores (N,) before the sigmoid for images (N, C, H, W) in 0..1.

        A higher score means more likely real. Scores are not calibrated: only compare them with each other.
        """
        return self.net.discriminator(self.feed(pictures)).flatten()


ADAPTER = GANAdapter
