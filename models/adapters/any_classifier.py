"""Adapter for classifiers of no known family (own code, exported programs) with one score per class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.adapters.base.scored import Scored
from models.cards.card import Card
from models.loading.probe_network import Found
from models.runtime.forward_passes import through


class AnyClassifierAdapter(Scored):
    """An opened network whose output, when run, is one score per class."""

    serves: ClassVar[str] = "classes"
    stages: ClassVar[Mapping[str, str]] = {"Detects": "{name} gives one score for each class: it finds no boxes."}

    def __init__(self, net: nn.Module, card: Card, found: Found) -> None:
        self.net = net.eval()
        self.card = card
        self.preprocess = found.preprocess
        self._found = found
        self.head = found.head

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests, with grey input."""
        torch.manual_seed(0)
        conv = nn.Conv2d(1, 4, 5, stride=4)
        return nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 4))

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function from inputs (N, 3, h, w) to scores (N, C) before the `link`."""
        found = self._found
        if found.plain and found.channels == 3 and found.head.plain:
            return through(self.behaviour, self.net)
        run = through(self.behaviour, found.runner(self.net))
        return lambda x: found.head.scores(run(x)[found.part].flatten(1).float())


ADAPTER = AnyClassifierAdapter
