"""Adapter for variational autoencoders: an image to a normal distribution of codes, and codes to images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.cards.card import Card
from models.latent.generative_model import LatentModel
from models.loading.plain_layouts import ConvVAE


class VAEAdapter(LatentModel):
    """An opened VAE. Its likelihood, "bernoulli" or "gaussian" with `sigma`, comes from the card or the layout."""

    def __init__(self, net: nn.Module, card: Card) -> None:
        super().__init__(net, card)
        self.likelihood = str(card.about.get("likelihood", "") or getattr(net, "likelihood", "bernoulli"))
        self.sigma = float(card.about.get("sigma", 1.0))

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        methods = callable(getattr(net, "encode", None)) and callable(getattr(net, "decode", None))
        return methods and bool(getattr(net, "latent", None))

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return ConvVAE(dims=4, width=4, hidden=8)

    def generate(self, codes: Tensor) -> Tensor:
        """Return the decoder's mean (N, C, H, W) for codes (N, D)."""
        return self.net.decode(codes)

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance (N, D) for images (N, C, H, W) in 0..1."""
        mean, log_variance = self.net.encode(self.feed(pictures))
        return mean, log_variance


ADAPTER = VAEAdapter
