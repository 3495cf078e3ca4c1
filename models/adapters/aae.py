"""Adapter for adversarial autoencoders: a picture to one code, codes to pictures, and the critic of codes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.bundled.aae import AAE
from models.cards.card import Card
from models.latent import priors
from models.latent.generative_model import LatentModel

POINT = -60.0  # log variance of a code without one


class AdversarialAutoencoderAdapter(LatentModel):
    """An opened adversarial autoencoder."""

    stages: Mapping[str, str] = {
        **LatentModel.stages,
        "Encodes": "{name} encodes a picture to a point, without a variance: it has no likelihood, so there is no ELBO "
        "and no KL divergence. The Prior match panel compares its codes with the prior.",
        "Scores": "{name} has a critic of codes, not one of pictures: see the Prior match panel.",
    }

    def __init__(self, net: nn.Module, card: Card) -> None:
        super().__init__(net, card)
        self.prior = str(card.about.get("prior", "") or getattr(net, "prior", priors.GAUSSIAN))

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return all(callable(getattr(net, name, None)) for name in ("code", "decode", "judge"))

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return AAE(width=2, hidden=8)

    def generate(self, codes: Tensor) -> Tensor:
        """Return the decoder's pictures (N, C, H, W) for codes (N, D)."""
        return self.net.decode(codes)

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes (N, D) for images (N, C, H, W) in 0..1, and the log variance of points."""
        codes = self.net.code(self.feed(pictures))
        return codes, torch.full_like(codes, POINT)

    def judge(self, codes: Tensor) -> Tensor:
        """Return the critic's scores (N,) before the sigmoid of codes (N, D)."""
        return self.net.judge(codes)


ADAPTER = AdversarialAutoencoderAdapter
