"""Adapter for weights whose network is unknown: their filters are shown, everything else is greyed with the reason."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from models.capabilities import CAPABILITIES
from models.cards.card import Card
from models.families.weights_only import NO_CODE, WeightsOnly


class WeightsOnlyAdapter:
    """Opened weights. It has no capability, because no picture can go through it."""

    stages: Mapping[str, str] = dict.fromkeys(CAPABILITIES, NO_CODE)

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net, self.card = net.eval(), card

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, WeightsOnly)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return WeightsOnly({"conv.weight": torch.randn(4, 3, 3, 3), "conv.bias": torch.zeros(4)})


ADAPTER = WeightsOnlyAdapter
