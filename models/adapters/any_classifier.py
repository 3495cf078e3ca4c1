"""Adapter for classifiers of no known family: own code, exported programs. They gave one score for each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.cards import Card
from models.passes import through
from models.scored import Scored
from models.unknown import Found

LEAST = 1e-30


class AnyClassifierAdapter(Scored):
    """An opened network that was found to give one score for each class."""

    serves: ClassVar[str] = "classes"
    stages: ClassVar[Mapping[str, str]] = {"Detects": "{name} gives one score for each class: it finds no boxes."}

    def __init__(self, net: nn.Module, card: Card, found: Found) -> None:
        self.net = net.eval()
        self.card = card
        self.preprocess = found.preprocess
        self._found = found

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests, which takes shades of grey."""
        torch.manual_seed(0)
        conv = nn.Conv2d(1, 4, 5, stride=4)
        return nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 4))

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """What takes inputs (N, 3, h, w) to scores (N, C) before the softmax."""
        found = self._found
        if found.plain and found.channels == 3 and not found.probabilities:
            return through(self.behaviour, self.net)
        run = through(self.behaviour, found.runner(self.net))

        def scores(x: Tensor) -> Tensor:
            made = run(x)[found.part].flatten(1)
            return made.clamp_min(LEAST).log() if found.probabilities else made

        return scores


ADAPTER = AnyClassifierAdapter
