"""Adapter for networks from pictures to pictures that were rebuilt from their tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from models.adapters.base.translator import STAGES, Translator
from models.cards.card import Card
from models.families.proposal import RebuiltTranslator
from models.interpretation.picture_codes import INPUT, PictureCode
from models.loading.preprocess import Preprocess

TO_ATTRIBUTES = "to the attributes"
DEFAULT = {"resize": 256, "fit": "whole", "mean": [0.0] * 3, "std": [1.0] * 3}


class RebuiltTranslatorAdapter(Translator):
    """An opened network that turns a picture into a picture on the scale of its input."""

    stages: Mapping[str, str] = STAGES

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net = net.eval()
        self.card = card if card.classes == self.classes else replace(card, classes=self.classes)
        self.preprocess = Preprocess.of(card.about.get("preprocessing", DEFAULT))
        self.code = PictureCode(0, self.net.way, INPUT)
        self.groups = self.net.groups
        if self.groups:
            self.directions, self.back = (TO_ATTRIBUTES,), 0
        self.run = lambda x: [self.net(x)]

    def runner(self, net: nn.Module, labels: tuple[float, ...] = ()) -> Callable[[Tensor], list[Tensor]]:
        """Return a function from inputs to the outputs of a network like this one, told these values of its labels."""
        if self.groups and labels:
            assert isinstance(net, RebuiltTranslator)
            return lambda x: [net.with_labels(x, labels)]
        return lambda x: [net(x)]

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, RebuiltTranslator)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return _Tiny()


class _Tiny(RebuiltTranslator):
    """A miniature that makes a picture of twice the sides."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))

    def run(self, x: Tensor) -> Tensor:
        return self.body(x)


ADAPTER = RebuiltTranslatorAdapter
