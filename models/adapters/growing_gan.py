"""Adapter for progressive GANs: a generator and its mirror, looked at as they grow."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.bundled.progressive import LAST, SIDES_PX, ProgressiveGAN, mixed, place, scaled_start
from models.latent.generative_model import LatentModel
from models.types import Float, Growth


class GrowingGANAdapter(LatentModel):
    """An opened progressive GAN; all other panels look at the last level."""

    sides: tuple[int, ...] = SIDES_PX

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, ProgressiveGAN)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return scaled_start(ProgressiveGAN(widths=(6, 4, 4, 3)))

    def generate(self, codes: Tensor) -> Tensor:
        """Return the last level's images (N, 1, 32, 32) for codes (N, D)."""
        return self.net.generator(codes)

    def score(self, pictures: Tensor) -> Tensor:
        """Return the critic's scores (N,) before the sigmoid for images (N, 1, 32, 32) in 0..1."""
        return self.net.discriminator(self.feed(pictures))

    def grown(self, codes: Float, position: float) -> Growth:
        """Return what generator and critic make of one code (1, D) at a position from 0 to the last level."""
        level, alpha = place(position)
        with torch.inference_mode(False), torch.no_grad():
            old, new = self.net.generator.branches(self.tensor(codes), level)
            made = mixed(old, new, alpha)
            at = min(float(position), float(LAST))
            score = float(self.net.discriminator(made, at)[0])
            halved = functional.avg_pool2d(made, 2) if level else made
            scores = tuple(float(each[0]) for each in self.net.discriminator.branch_scores(made, level))
        pictures = (self._shown(each) for each in (made, old, new, halved))
        return Growth(level, alpha, *pictures, score=score, score_before=scores[0], score_own=scores[1])

    def _shown(self, made: Tensor) -> Float:
        """Return a picture (1, C, S, S) of the network as (S, S, C) from 0 to 1."""
        return ((made[0] - self.low) / (self.high - self.low)).permute(1, 2, 0).cpu().numpy()


ADAPTER = GrowingGANAdapter
