"""Adapter for the bundled networks that give the likelihood of black and white pictures pixel by pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.bundled.autoregressive import NADE, PixelCNN
from models.cards.card import Card
from models.likelihood import pixel_order
from models.likelihood.pixel_model import PixelModel


class AutoregressiveAdapter(PixelModel):
    """An opened gated PixelCNN or NADE of ours."""

    def __init__(self, net: nn.Module, card: Card) -> None:
        super().__init__(net, card)
        self.shape = (1, *self.net.size)
        self.levels = self.net.levels
        self.ranks = pixel_order.rank(pixel_order.ROWS, self.shape)
        self.order_title = pixel_order.ORDERS[pixel_order.ROWS]

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, PixelCNN | NADE)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        torch.manual_seed(0)
        return PixelCNN(width=4, layers=2, hidden=6, size=(6, 5))

    def network_logits(self, values: Tensor) -> Tensor:
        """Return the logits (N, 2, 1, H, W) of values (N, 1, H, W)."""
        return self.net(values.to(next(self.net.parameters()).dtype))[:, :, None]


ADAPTER = AutoregressiveAdapter
