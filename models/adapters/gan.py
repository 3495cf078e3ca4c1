"""Adapter for generative adversarial networks with their discriminator: codes to pictures, pictures to a score."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.latent.generative_model import LatentModel
from models.loading.layer_chain import Chain
from models.loading.plain_layouts import PlainGAN


class GANAdapter(LatentModel):
    """An opened GAN."""

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Tell whether this adapter serves the network."""
        return all(isinstance(getattr(net, part, None), nn.Module) for part in ("generator", "discriminator"))

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        generator = Chain(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 64), nn.Tanh(), side=8, made=True)
        return PlainGAN(generator, Chain(nn.Linear(64, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1)), dims=6)

    def generate(self, codes: Tensor) -> Tensor:
        """Return what the generator makes (N, C, H, W) of codes (N, D)."""
        return self.net.generator(codes)

    def score(self, pictures: Tensor) -> Tensor:
        """Return the discriminator's number (N,) before the sigmoid for pictures (N, C, H, W) from 0 to 1.

        The larger, the more it takes a picture for a real one. It is not calibrated: compare it with others' alone.
        """
        return self.net.discriminator(self.feed(pictures)).flatten()


ADAPTER = GANAdapter
