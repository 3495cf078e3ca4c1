"""Adapter for a generator without its discriminator: codes to images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.latent.generative_model import LatentModel
from models.loading.layer_chain import Chain
from models.loading.plain_layouts import PlainGAN


class GeneratorAdapter(LatentModel):
    """An opened generator."""

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(getattr(net, "generator", None), nn.Module) and not hasattr(net, "discriminator")

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return PlainGAN(Chain(nn.Linear(5, 64), nn.Tanh(), side=8, made=True), None, dims=5)

    def generate(self, codes: Tensor) -> Tensor:
        """Return the generator's images (N, C, H, W) for codes (N, D)."""
        return self.net.generator(codes)


ADAPTER = GeneratorAdapter
