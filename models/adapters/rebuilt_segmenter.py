"""Adapter for segmentation networks that were rebuilt from their tensors, such as plain U-Nets: a class per pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.adapters.base.class_maps import ClassMaps
from models.cards.card import Card
from models.families.proposal import RebuiltSegmenter
from models.loading.preprocess import Preprocess


class RebuiltSegmenterAdapter(ClassMaps):
    """An opened segmentation network; one score a pixel, of a sigmoid, becomes two: background and foreground."""

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net = net.eval()
        self.card = card
        self.preprocess = Preprocess.of(card.about.get("preprocessing", {"resize": 320, "fit": "whole"}))

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, RebuiltSegmenter)

    @staticmethod
    def class_names(net: RebuiltSegmenter) -> tuple[str, ...]:
        """Return the names of a network's classes."""
        return net.classes

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return _Tiny()

    def _coarse(self, x: Tensor) -> Tensor:
        """Return the scores (N, C, h, w) for inputs (N, 3, h, w)."""
        scores = self.net(x)
        return torch.cat([torch.zeros_like(scores), scores], 1) if scores.shape[1] == 1 else scores


class _Tiny(RebuiltSegmenter):
    """A miniature with one score for each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4), nn.ReLU(), nn.Conv2d(6, 1, 3))

    def run(self, x: Tensor) -> Tensor:
        return self.body(x)


ADAPTER = RebuiltSegmenterAdapter
