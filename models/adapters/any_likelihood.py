"""Adapter for networks of no known family whose outputs are read as the distributions of pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from models.adapters.base.interpreted import Interpreted
from models.cards.card import Card
from models.interpretation.pixel_readings import PixelCode
from models.likelihood import pixel_order
from models.likelihood.pixel_model import PixelModel
from models.loading.first_pass import all_tensors
from models.loading.probe_network import Found
from models.loading.returned_tensors import numbers


class AnyLikelihoodAdapter(Interpreted, PixelModel):
    """An opened network that gives each value of a picture a distribution, as its outputs were interpreted."""

    serves: ClassVar[str] = "likelihood"
    stages: Mapping[str, str] = PixelModel.stages

    def __init__(self, net: nn.Module, card: Card, found: Found) -> None:
        super().__init__(net, card, found)
        height, width = found.preprocess.size
        self.shape = (found.channels, height, width)
        self.levels = self.code.levels
        self.ranks = pixel_order.rank(self.code.order, self.shape)
        self.order_title = pixel_order.ORDERS[self.code.order]

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a miniature for contract tests: a masked convolution over pictures of 28 px."""
        torch.manual_seed(0)
        return _Tiny()

    @property
    def code(self) -> PixelCode:
        """How the outputs stand for logits."""
        return self._found.reading.how

    def network_logits(self, values: Tensor) -> Tensor:
        """Return the logits (N, K, C, H, W) of values (N, C, H, W)."""
        way = self.preprocess
        mean, spread = (values.new_tensor(each[: self.shape[0]]).view(-1, 1, 1) for each in (way.mean, way.std))
        x = (values / (self.levels - 1) * way.range - mean) / spread
        tensor = next(iter(self.net.parameters()), None)
        x = x.to(tensor.dtype if tensor is not None and tensor.is_floating_point() else torch.float32)
        made = numbers(all_tensors(self.net(x)))[self.code.part]
        return self.code.logits(made, self.shape)


class _Tiny(nn.Module):
    """A convolution of 3x3 that sees what lies before each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.above = nn.Conv2d(1, 2, (1, 3), padding=(0, 1))
        self.before = nn.Conv2d(1, 2, (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != (1, 28, 28):
            raise ValueError("pictures have one channel of 28 px")
        above = self.above(nn.functional.pad(x, (0, 0, 1, 0))[:, :, :-1])
        return above + self.before(nn.functional.pad(x, (1, 0))[..., :-1])


ADAPTER = AnyLikelihoodAdapter
